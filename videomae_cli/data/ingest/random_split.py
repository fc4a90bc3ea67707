"""A seeded random split, stratified by class, that hardly changes when videos are added.

The files of a class are sorted by a hash of the seed and their path; the first `fraction` of them
goes to val. A new file moves at most one other file between train and val. All segments of a file
go to the same split; its class is that of the first of them.
"""

from collections import defaultdict
from collections.abc import Sequence

from videomae_cli.rng import stream_seed


def random_split(
    paths: Sequence[str], labels: Sequence[int | None], *, fraction: float, seed: int
) -> list[str]:
    """Return "train" or "val" for each video; a path that occurs again is a segment of its file.

    Of n files of a class round(n * fraction) go to val: at least one if n is 2 or more, and never
    all. With a fraction of 0 all go to train.
    """
    label_of = dict(zip(reversed(paths), reversed(labels), strict=True))  # that of the first one
    by_class: dict[int | None, list[str]] = defaultdict(list)
    for path in sorted(label_of, key=lambda path: (stream_seed(seed, "split", path), path)):
        by_class[label_of[path]].append(path)
    in_val: set[str] = set()
    for files in by_class.values():
        count = min(max(round(len(files) * fraction), 1), len(files) - 1) if fraction > 0 else 0
        in_val.update(files[:count])
    return ["val" if path in in_val else "train" for path in paths]
