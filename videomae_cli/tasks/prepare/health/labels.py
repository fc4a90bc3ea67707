"""Findings about classes: missing in a split, or much rarer than others."""

from collections import Counter
from collections.abc import Iterator, Sequence

from videomae_cli.data.manifest import SPLITS
from videomae_cli.tasks.prepare.health.finding import DataSet, Example, Finding, Item, first
from videomae_cli.units import plural

IMBALANCE = 10


def count_classes(data: DataSet) -> dict[str, list[int]]:
    """Return the number of videos of each class, by split; {} without classes."""
    if data.classes is None or data.task == "regression":
        return {}
    counts = {}
    for split in SPLITS:
        items = [item for item in data.split(split) if item.video.is_labelled]
        if items:
            seen = Counter(label for item in items for label in _labels(item))
            counts[split] = [seen[label] for label in range(len(data.classes))]
    return counts


def find_missing_classes(data: DataSet) -> Iterator[Finding]:
    """Report classes without a video in train, and classes of train without one in val."""
    counts, classes = count_classes(data), data.classes or ()
    train, val = counts.get("train"), counts.get("val")
    if train is None:
        return
    untrained = [name for name, count in zip(classes, train, strict=True) if not count]
    if untrained:
        yield _missing("train", "error", untrained, len(classes), "a model cannot learn them")
    if val is None:
        return
    pairs = zip(classes, train, val, strict=True)
    unseen = [name for name, trained, count in pairs if trained and not count]
    if unseen:
        yield _missing("val", "warning", unseen, len(classes), "their accuracy is not measured")


def _missing(
    split: str, severity: str, names: Sequence[str], total: int, consequence: str
) -> Finding:
    return Finding(
        f"classes-missing-in-{split}",
        "error" if severity == "error" else "warning",
        len(names),
        f"{len(names):,} of {plural(total, 'class')} without a video in {split}: {consequence}",
        f"add videos of them to {split}, or take them out of the class names",
        first(Example(name, "0 videos") for name in names),
    )


def find_imbalance(data: DataSet) -> Iterator[Finding]:
    """Report training classes with far fewer videos than the most frequent one."""
    counts = count_classes(data).get("train")
    if not counts or data.classes is None or not max(counts):
        return
    most = max(counts)
    rare = sorted(
        (count, name)
        for count, name in zip(counts, data.classes, strict=True)
        if 0 < count * IMBALANCE <= most
    )
    if rare:
        yield Finding(
            "class-imbalance",
            "warning",
            len(rare),
            f"{plural(len(rare), 'class')} with at most 1/{IMBALANCE} of the {plural(most)} of the"
            " most frequent class",
            "judge by the mean class accuracy (eval reports it), and add videos of the rare"
            " classes",
            first(Example(name, plural(count)) for count, name in rare),
        )


def _labels(item: Item) -> list[int]:
    if item.video.target is not None:
        return [label for label, value in enumerate(item.video.target) if value]
    return [] if item.video.label is None else [item.video.label]
