"""A seeded random split, stratified by class, that hardly changes when videos are added.

The files of a class are sorted by a hash of the seed and their path; the first `fraction` of them
goes to val. A new file moves at most one other file between train and val. All segments of a file
go to the same split; its class is that of the first of them. Then each class that no file of train
has, because its segments lie in files of other classes, or because videos have several classes,
gets one: the last of its files in this order moves to train, unless val would be empty.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from videomae_cli.rng import stream_seed


def random_split(
    paths: Sequence[str],
    labels: Sequence[int | None],
    *,
    fraction: float,
    seed: int,
    classes: Sequence[Collection[int]] | None = None,
) -> list[str]:
    """Return "train" or "val" for each video; a path that occurs again is a segment of its file.

    Of n files of a class round(n * fraction) go to val: at least one if n is 2 or more, and never
    all. With a fraction of 0 all go to train.

    Args:
        paths: Of the videos.
        labels: The class of each.
        fraction: Share of val, 0..1.
        seed: Of the draw.
        classes: All classes of each video; None: its label.
    """
    label_of = dict(zip(reversed(paths), reversed(labels), strict=True))  # that of the first one
    order = sorted(label_of, key=lambda path: (stream_seed(seed, "split", path), path))
    by_class: dict[int | None, list[str]] = defaultdict(list)
    for path in order:
        by_class[label_of[path]].append(path)
    in_val: set[str] = set()
    for files in by_class.values():
        count = min(max(round(len(files) * fraction), 1), len(files) - 1) if fraction > 0 else 0
        in_val.update(files[:count])
    if classes is None:
        classes = [() if label is None else (label,) for label in labels]
    classes_of: dict[str, set[int]] = defaultdict(set)
    for path, some in zip(paths, classes, strict=True):
        classes_of[path].update(some)
    _give_each_class_a_file(in_val, order, classes_of)
    return ["val" if path in in_val else "train" for path in paths]


def _give_each_class_a_file(
    in_val: set[str], order: Sequence[str], classes_of: Mapping[str, Collection[int]]
) -> None:
    """Move files from val to train for the classes that train lacks; val keeps a file."""
    trained = {one for path in order if path not in in_val for one in classes_of[path]}
    for lacking in sorted({one for path in in_val for one in classes_of[path]} - trained):
        if lacking in trained or len(in_val) == 1:
            continue
        moved = next(
            path for path in reversed(order) if path in in_val and lacking in classes_of[path]
        )
        in_val.remove(moved)
        trained.update(classes_of[moved])
