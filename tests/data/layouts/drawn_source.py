"""A source with a known truth, and the comparison of what `prepare` makes of it with that truth."""

import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from tests.data.layouts.prepared import Outcome, place_clips, place_texts, prepare_source

ROOT = "@ROOT@"  # in a list: the absolute path of the folder of the clips
EITHER = ("val", "test")  # of words whose split is a matter of opinion: eval, holdout
RANDOM = ("train", "val")
ENCODING = r"encoding|code page|\b(cp|windows)\W?\d|latin|\biso|shift|gb\d|gbk|big5|euc|mac_"


class Truth(NamedTuple):
    """What may become of one clip."""

    names: tuple[str | None, ...]
    """Each a right class name; None: no label."""
    splits: tuple[str, ...]
    word: str = ""
    """The word that gives the split; all clips of one word must have one split."""
    left_out: str = ""
    """If not empty: the clip may be left out, if a line matches this pattern."""


class DrawnSource(NamedTuple):
    """Files below a folder: clips in `clips/`, texts anywhere."""

    kind: str
    texts: dict[str, tuple[str, str]]
    """Text and encoding of each file."""
    truth: dict[str, Truth]
    """By path below `clips/`."""
    source: str
    others: tuple[str, ...] = ()
    """Clips that may not become rows."""
    options: dict[str, object] = {}  # noqa: RUF012  (never changed)
    """Fields of `PrepareOptions`; `root` and `classes` are paths below the folder."""
    patterns: tuple[str, ...] = ()
    """Each must be found in a line: what is not used is named."""
    classes: tuple[str, ...] | None = None
    """The class names in their order, where the source decides it."""
    is_guess: bool = False
    """Whether no program can know the code page for sure."""

    def prepare(self, folder: Path) -> Outcome:
        """Write all files and run `prepare`."""
        clips = folder / "clips"
        paths = [*self.truth, *self.others]
        place_clips(clips, paths)
        place_texts(
            folder,
            {
                name: text.replace(ROOT, str(clips)).encode(encoding)
                for name, (text, encoding) in self.texts.items()
            },
        )
        options = dict(self.options)
        if "root" in options:
            options["root"] = folder / str(options["root"])
        if "classes" in options:
            options["classes"] = str(folder / str(options["classes"]))
        return prepare_source(folder / self.source, folder / "out", clips, paths, **options)

    def __str__(self) -> str:
        """Return everything that is needed to understand a failure."""
        texts = [
            f"  {name} ({encoding}):\n    " + text.replace("\n", "\n    ")
            for name, (text, encoding) in self.texts.items()
        ]
        clips = ", ".join([*self.truth, *(f"{path} (not listed)" for path in self.others)])
        return "\n".join(
            [f"{self.kind}: prepare {self.source} {self.options}", f"  clips: {clips}", *texts]
        )


def find_differences(drawn: DrawnSource, outcome: Outcome) -> list[str]:
    """Return how the manifest differs from the truth, and what is left unused in silence."""
    found = []
    for path, truth in drawn.truth.items():
        if path in outcome.rows:
            name, split = outcome.rows[path]
            if name not in truth.names and not _is_printed_guess(drawn, outcome):
                found.append(f"{path}: class {name!r}, not {truth.names}")
            if split not in truth.splits:
                found.append(f"{path}: split {split!r}, not {truth.splits}")
        elif not (truth.left_out and _matches(outcome, truth.left_out)):
            found.append(f"{path}: left out")
    found += [f"{path}: not in the truth" for path in outcome.rows if path not in drawn.truth]
    found += [f"no line has {text!r}" for text in drawn.patterns if not _matches(outcome, text)]
    is_ordered = drawn.classes in (None, outcome.classes) or _is_printed_guess(drawn, outcome)
    if not is_ordered:
        found.append(f"classes {outcome.classes}, not {drawn.classes}")
    return found + _find_torn_splits(drawn, outcome)


def _find_torn_splits(drawn: DrawnSource, outcome: Outcome) -> list[str]:
    """Return an error if one word for a split became two splits."""
    became = defaultdict(set)
    for path, truth in drawn.truth.items():
        if truth.word and path in outcome.rows:
            became[truth.word].add(outcome.rows[path][1])
    return [f"{word!r} became {splits}" for word, splits in became.items() if len(splits) > 1]


def _is_printed_guess(drawn: DrawnSource, outcome: Outcome) -> bool:
    """Return whether the names differ only in their letters, by a guess that is printed."""
    if not drawn.is_guess or not _matches(outcome, ENCODING):
        return False
    names = defaultdict(set)
    for path, (name, _) in outcome.rows.items():
        names[drawn.truth[path].names].add(name)
    return all(len(one) == 1 for one in names.values()) and len(set.union(*names.values())) == len(
        names
    )


def _matches(outcome: Outcome, pattern: str) -> bool:
    return any(re.search(pattern, line, re.IGNORECASE) for line in outcome.lines)
