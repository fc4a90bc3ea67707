"""Layout `something-something-v2`: the JSON lists of Something-Something V2.

    train.json, validation.json    [{"id", "label", "template", "placeholders"}, ...]
    test.json                      [{"id"}, ...]
    labels.json                    {CLASS: NUMBER, ...}
    test-answers.csv               ID;CLASS
    20bn-something-something-v2/ID.webm

The names of the lists may begin with `something-something-v2-`. The class of a video is its
template without brackets; its label is the sentence of one video, and is not used. Source: the
data set's page, https://www.qualcomm.com/developer/software/something-something-v-2-dataset.
"""

import re
from pathlib import Path

from videomae_cli.data.layouts.datasets.file_lookup import Listed, Name, locate_videos
from videomae_cli.data.layouts.datasets.source_files import (
    SourceFiles,
    load_json,
    load_records,
    read_head,
)
from videomae_cli.data.layouts.file_search import join_some
from videomae_cli.data.layouts.list_file import parse_integer
from videomae_cli.data.layouts.split_names import find_split_in_name
from videomae_cli.data.layouts.text import read_text
from videomae_cli.data.layouts.video_entry import Listing, Reading, VideoEntry
from videomae_cli.errors import DataError

LAYOUT = "something-something-v2"
_PREFIX = r"(?:(?:20bn-)?something-something-v2-)?"
_LIST = re.compile(_PREFIX + r"(?:train|validation|test)\.json", re.IGNORECASE)
_LABELS = re.compile(_PREFIX + r"labels\.json", re.IGNORECASE)
_ANSWERS = re.compile(_PREFIX + r"test-answers\.csv", re.IGNORECASE)


def recognise(files: SourceFiles, _: Reading) -> dict[str, str]:
    """Return the layout if a list has templates with placeholders."""
    lists = [path for path, _ in files.match(_LIST)]
    heads = [read_head(path) for path in lists]
    if not any('"template"' in head and '"placeholders"' in head for head in heads):
        return {}
    names = join_some(path.name for path in lists)
    return {LAYOUT: f"{names}: entries with a template and placeholders"}


def scan(files: SourceFiles, layout: str, _: Reading) -> Listing:
    """List the videos; a DataError if a template is no class of labels.json."""
    lists = [path for path, _ in files.match(_LIST)]
    if not lists:
        return Listing([])
    _check_one_folder(files, lists)
    classes = _read_classes(files, lists[0].parent)
    answers = _read_answers(lists[0].parent)
    order = {"train": 0, "val": 1, "test": 2}
    lists.sort(key=lambda path: order[find_split_in_name(path.name) or "train"])
    listed = [
        video for path in lists for video in _read(path, files.encoding, set(classes), answers)
    ]
    return locate_videos(listed, files.root, classes)


def _check_one_folder(files: SourceFiles, lists: list[Path]) -> None:
    folders = sorted({path.parent for path in lists})
    splits = [find_split_in_name(path.name) for path in lists]
    if len(folders) > 1 or len(set(splits)) < len(splits):
        raise DataError(
            f"{files.source} contains several lists for a split, or lists in several folders: "
            f"{join_some(path.relative_to(files.source) for path in lists)}",
            f"give one folder as SOURCE, and the folder of the videos: --root {files.root}",
        )


def _find_beside(folder: Path, pattern: re.Pattern[str]) -> Path | None:
    return next((path for path in sorted(folder.iterdir()) if pattern.fullmatch(path.name)), None)


def _read_classes(files: SourceFiles, folder: Path) -> tuple[str, ...]:
    """Return the classes in the order of their numbers in labels.json, from 0."""
    path = _find_beside(folder, _LABELS)
    if path is None:
        raise DataError(
            f"{folder}: no labels.json, which gives the numbers of the classes",
            "put labels.json (or something-something-v2-labels.json) beside the lists",
        )
    value = load_json(path, files.encoding)
    numbers = (
        {name: parse_integer(str(number)) for name, number in value.items()}
        if isinstance(value, dict)
        else {}
    )
    if not numbers or sorted(map(str, numbers.values())) != sorted(map(str, range(len(numbers)))):
        raise DataError(
            f"{path}: not an object of class names and numbers from 0 without gaps",
            "copy or download the file again",
        )
    return tuple(sorted(numbers, key=lambda name: numbers[name] or 0))


def _read_answers(folder: Path) -> dict[str, str]:
    """Return the class of each test video, by its ID; empty without the file of answers."""
    path = _find_beside(folder, _ANSWERS)
    if path is None:
        return {}
    answers = {}
    for line, text in enumerate(read_text(path).content.splitlines(), start=1):
        number, separator, label = text.partition(";")
        if text.strip() and not separator:
            raise DataError(f"{path}:{line}: {text!r} is not `ID;CLASS`", "download it again")
        if text.strip():
            answers[number.strip()] = label.strip()
    return answers


def _read(
    path: Path, encoding: str | None, classes: set[str], answers: dict[str, str]
) -> list[Listed]:
    split = find_split_in_name(path.name)
    listed = []
    for number, record in enumerate(load_records(path, encoding), start=1):
        name, template = record.get("id"), record.get("template")
        where = f"{path}: entry {number}"
        if not isinstance(name, str | int) or (template is None and split != "test"):
            raise DataError(f"{where} has no id or no template", "download the list again")
        label = None if template is None else re.sub(r"[\[\]]", "", str(template)).strip()
        label = answers.get(str(name)) if label is None else label
        if label is not None and label not in classes:
            raise DataError(
                f"{where}, id {name}: {label!r} is no class of labels.json",
                "use the lists, labels.json and the answers of one download",
            )
        if label is None and split == "test" and answers:
            raise DataError(f"{where}: id {name} is not in the answers", "download them again")
        entry = VideoEntry(f"{name}.webm", label, split, path, number)
        listed.append(Listed(entry, [Name(str(name))]))
    return listed
