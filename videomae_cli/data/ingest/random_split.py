"""A seeded random split, stratified by class, that hardly changes when videos are added.

The videos of a class are sorted by a hash of the seed and their path; the first `fraction` of them
goes to val. A new video moves at most one other video between train and val.
"""

from collections import defaultdict
from collections.abc import Sequence

from videomae_cli.rng import stream_seed


def random_split(
    paths: Sequence[str], labels: Sequence[int | None], *, fraction: float, seed: int
) -> list[str]:
    """Return "train" or "val" for each video.

    Of n videos of a class round(n * fraction) go to val: at least one if n is 2 or more, and never
    all. With a fraction of 0 all go to train.
    """
    by_class: dict[int | None, list[int]] = defaultdict(list)
    keys = [(stream_seed(seed, "split", path), path) for path in paths]
    for index in sorted(range(len(paths)), key=keys.__getitem__):
        by_class[labels[index]].append(index)
    splits = ["train"] * len(paths)
    for indices in by_class.values():
        count = min(max(round(len(indices) * fraction), 1), len(indices) - 1) if fraction > 0 else 0
        for index in indices[:count]:
            splits[index] = "val"
    return splits
