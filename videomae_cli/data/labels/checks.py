"""Recognise labels that are no classes: several labels per video, scores, and identifiers."""

import re
from collections import Counter
from collections.abc import Sequence

from videomae_cli.data.layouts.list_file import MULTI_LABEL, REGRESSION
from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.errors import DataError

MIN_VIDEOS = 6  # with fewer videos, one class for each can be meant
MOST = 0.8  # classes per video from which labels are no classes
SEPARATOR = re.compile(r"\s*[,;|/+&]\s*")
_LIST = re.compile(r"\[.*\]|\{.*\}|\(.*\)")
_NUMBERS = re.compile(r"-?\d+(?:[\s,;|]+-?\d+)+")
CLASSES_HINT = "if these are the names of classes, give all of them: --classes FILE"


def check_labels(entries: Sequence[VideoEntry]) -> None:
    """Raise a DataError if labels are not classes; called if the user gives no classes."""
    labels = [(entry, str(entry.label)) for entry in entries if entry.label is not None]
    _check_scores(labels)
    _check_several(labels)
    _check_identifiers(labels)


def _check_scores(labels: Sequence[tuple[VideoEntry, str]]) -> None:
    numbers = [(entry, text) for entry, text in labels if _is_number(text)]
    if len(numbers) == len(labels) and any(not float(text).is_integer() for _, text in numbers):
        entry, text = next(pair for pair in numbers if not float(pair[1]).is_integer())
        raise DataError(
            f"{entry.where}: label {text} is a number with a fraction: scores, not classes",
            f"to predict values: {REGRESSION}; for classification, write the class of each video, "
            "or give another column: --label-column",
        )


def _check_several(labels: Sequence[tuple[VideoEntry, str]]) -> None:
    parts_of = {text: SEPARATOR.split(text.strip()) for _, text in labels}
    counts = Counter(part for parts in parts_of.values() for part in set(parts))
    joined = [text for text, parts in parts_of.items() if len(parts) > 1]
    recurring = [text for text in joined if all(counts[part] > 1 for part in parts_of[text])]
    for entry, text in labels:
        is_list = _LIST.fullmatch(text) and len(parts_of[text]) > 1
        is_tight = re.search(r"\S[,;|]\S", text) and " " not in text
        if (
            is_list
            or is_tight
            or _NUMBERS.fullmatch(text)
            or (text in recurring and 2 * len(recurring) > len(joined))
        ):
            raise DataError(
                f"{entry.where}: {text!r}: several labels per video",
                f"to predict several: {MULTI_LABEL}; else write one label for each video; "
                f"{CLASSES_HINT}",
            )


def _check_identifiers(labels: Sequence[tuple[VideoEntry, str]]) -> None:
    different = {text for _, text in labels}
    if len(different) < MOST * len(labels) or len(labels) < MIN_VIDEOS:
        return
    entry, text = labels[0]
    raise DataError(
        f"{entry.where}: {len(labels)} videos have {len(different)} labels ({text!r}, ...): "
        "is this a score, an identifier or a description instead of a class?",
        f"give the column of the classes: --label-column; {CLASSES_HINT}; to predict values: "
        f"{REGRESSION}; to use the videos "
        "without labels, give a list of paths",
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
