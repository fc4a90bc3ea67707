"""The scores of the videos of an evaluation, as read from a file.

Shapes: V videos, K classes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.errors import DataError

SUM_TOLERANCE = 1e-3  # of probabilities; half precision rounds each by up to 5e-4


class ScoreTable(NamedTuple):
    """Scores and labels of V videos, in the order of the file.

    Exactly one of `label_V` and `target_VK` is given; neither if the file contains no labels.
    """

    probability_VK: NDArray[np.float32]
    """Mean over the views. Scores of another kind if `is_probability` is False."""
    label_V: NDArray[np.int64] | None = None
    target_VK: NDArray[np.float64] | None = None
    """Multi-label: 1 for each class of a video, else 0; regression: values."""
    names: tuple[str, ...] | None = None
    """Paths, or base names without suffix; None if the file contains none."""
    classes: tuple[str, ...] | None = None
    """Names of the classes, if the file contains them."""
    is_regression: bool = False
    """Whether the scores are values rather than those of classes."""
    view_count_V: NDArray[np.int64] | None = None
    """Different views per video; None if the file contains means only."""
    duplicates: int = 0
    """Views that were dropped because an earlier line has the same video, clip and crop."""
    unreadable: tuple[str, ...] = ()
    """Paths of the videos that could not be decoded, if the file names them."""
    remarks: tuple[str, ...] = ()
    """One sentence for each thing in the file that the user should know."""

    @property
    def is_probability(self) -> bool:
        """Whether each row of finite scores can be the probabilities of K classes, which sum to 1.

        Otherwise the scores can be ranked, but have no log loss and no calibration.
        """
        score_VK = self.probability_VK[np.isfinite(self.probability_VK).all(axis=1)]
        sum_V = score_VK.sum(axis=1, dtype=np.float64)
        return bool((score_VK >= 0).all() and (np.abs(sum_V - 1) <= SUM_TOLERANCE).all())

    def with_labels(self, label_V: Sequence[int], source: str) -> "ScoreTable":
        """Return the table with the labels of a list, whose rows are in the same order.

        Args:
            label_V: One label per row.
            source: The list, for messages.

        Raises:
            DataError: The list has another number of videos, a label is no class, or the table
                has other labels itself.
        """
        count, classes = self.probability_VK.shape
        if len(label_V) != count:
            raise DataError(
                f"{source} lists {len(label_V):,} videos, but there are scores of {count:,}",
                "give the list that the scores were computed for",
            )
        given_V = np.asarray(label_V, dtype=np.int64)
        check_labels(given_V, classes, source)
        if self.label_V is not None and not np.array_equal(self.label_V, given_V):
            row = int(np.argmax(self.label_V != given_V))
            raise DataError(
                f"{source}: the label of video {row + 1} is {given_V[row]}, but"
                f" {self.label_V[row]} beside its scores",
                "give the list that the scores were computed for, in the same order",
            )
        return self._replace(label_V=given_V)


def check_labels(label_V: NDArray[np.int64], classes: int, source: str) -> None:
    """Check that labels are numbers of classes, 0 to `classes` - 1.

    Raises:
        DataError: One is not; the message gives its row.
    """
    is_wrong_V = (label_V < 0) | (label_V >= classes)
    if is_wrong_V.any():
        row = int(np.argmax(is_wrong_V))
        raise DataError(
            f"{source}: the label of video {row + 1} is {label_V[row]}, but there are scores of"
            f" {classes} classes, 0 to {classes - 1}",
            "number the classes from 0, as when the scores were computed",
        )
