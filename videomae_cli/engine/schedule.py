"""The learning rate as a pure function of the step."""

import math


def lr_at(
    step: int, *, total: int, warmup: int, peak: float, floor: float, start: float = 0.0
) -> float:
    """Return the rate of optimizer step `step`, counted from 0.

    Rises linearly from `start` at step 0 to `peak` at step `warmup - 1`, both met exactly; then
    falls along half a cosine from `peak` at step `warmup` towards `floor`, met at step `total`.

    Args:
        step: Optimizer step.
        total: Steps of the run.
        warmup: Steps of linear warm-up.
        peak: Highest rate.
        floor: Rate after the last step.
        start: Rate of the first step, if there is a warm-up.

    Source: VideoMAE V1.
    """
    if step < warmup:
        return start + (peak - start) * step / max(warmup - 1, 1)
    if step >= total:
        return floor
    done = (step - warmup) / (total - warmup)
    return floor + (peak - floor) * (1 + math.cos(math.pi * done)) / 2
