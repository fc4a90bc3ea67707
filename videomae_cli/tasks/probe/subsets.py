"""Parts of the training labels, for label curves: stratified, nested, seeded."""

import math
from collections.abc import Sequence

import numpy as np

from videomae_cli.errors import UsageError
from videomae_cli.rng import stream
from videomae_cli.tasks.probe.samples import Index, Target

ALL = 100.0  # percent


def parse_fractions(text: str) -> tuple[float, ...]:
    """Return the percentages of `1,5,10,50,100`, ascending and each once; at least two.

    Raises:
        UsageError: One is not a number above 0 and up to 100, or there is only one.
    """
    try:
        values = sorted({float(part) for part in text.replace("%", "").split(",")})
    except ValueError:
        values = []
    if len(values) < 2 or not all(0 < value <= ALL for value in values):
        raise UsageError(
            f"--label-fractions {text}: expected two or more percentages of the training labels,"
            " above 0 and up to 100",
            "for example --label-fractions 1,5,10,50,100",
        )
    return tuple(values)


def draw_subset(target: Target, percent: float, seed: int) -> Index:
    """Return the rows of a random part of the videos, in ascending order.

    A single-label part has the class frequencies of all videos, and at least one video of each
    class that occurs. A part for several labels has at least one video of each label, and one for a
    regression at least two videos. The part for a larger percentage contains that for a smaller one
    of the same seed, unless these minimums require other videos.
    """
    if percent >= ALL:
        return np.arange(target.videos)
    if target.task == "single-label":
        parts = []
        for label in np.unique(target.value):
            rows = np.flatnonzero(target.value == label)
            rng = stream(seed, "label-subset", int(label))
            parts.append(rng.permutation(rows)[: max(_round(percent, len(rows)), 1)])
        return np.sort(np.concatenate(parts))
    order = stream(seed, "label-subset").permutation(target.videos)
    minimum = 2 if target.task == "regression" else 1
    rows = order[: max(_round(percent, target.videos), minimum)]
    if target.task == "multi-label":
        has_VK = target.as_matrix()[order] > 0
        first_K = has_VK.argmax(axis=0)[has_VK.any(axis=0)]
        rows = np.union1d(rows, order[first_K])
    return np.sort(rows)


def describe_minimum(target: Target, percent: float, labels: Sequence[int]) -> str:
    """Return a remark if a percentage is less than one video of some class; else ""."""
    wanted = _round(percent, target.videos)
    if target.task == "single-label":
        counts = target.class_counts()
        small = sum(_round(percent, int(count)) < 1 for count in counts if count)
        if not small:
            return ""
        what = f"less than one video of {small:,} of {int((counts > 0).sum()):,} classes"
    elif min(labels) > wanted:
        what = f"{wanted:,} videos, too few"
    else:
        return ""
    return (
        f"{percent:g} % of {target.videos:,} labels is {what}: at least one of each is used, so"
        f" {describe_count(labels)} labels"
    )


def describe_count(labels: Sequence[int]) -> str:
    """Return a number of labels, or the range over the seeds."""
    low, high = min(labels), max(labels)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _round(percent: float, count: int) -> int:
    """Round half up, so that 2.5 videos are 3."""
    return math.floor(percent * count / 100 + 0.5)
