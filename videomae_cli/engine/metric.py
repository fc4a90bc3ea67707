"""The validation metric that decides which checkpoint is the best."""

from typing import NamedTuple


class Metric(NamedTuple):
    """One of the figures that a validation returns.

    Args:
        name: Its key, such as `top1` or `loss`.
        higher_is_better: False for losses and errors.
    """

    name: str
    higher_is_better: bool = True

    def is_at_least_as_good(self, value: float, best: float | None) -> bool:
        """Compare a value with the best so far; the later of two equal values wins."""
        if best is None:
            return True
        return value >= best if self.higher_is_better else value <= best
