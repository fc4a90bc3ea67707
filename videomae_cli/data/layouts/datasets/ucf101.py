"""Layouts `ucf101-split1`, `2`, `3`: UCF101 with its official lists.

    UCF-101/CLASS/NAME.avi
    ucfTrainTestlist/classInd.txt       NUMBER CLASS, from 1
    ucfTrainTestlist/trainlist01.txt    CLASS/NAME.avi NUMBER
    ucfTrainTestlist/testlist01.txt     CLASS/NAME.avi

The test list is val: UCF101 has no other, and papers report the accuracy on it. Source:
https://www.crcv.ucf.edu/data/UCF101.php.
"""

import re
from pathlib import Path, PurePosixPath

from videomae_cli.data.labels.class_files import read_classes
from videomae_cli.data.layouts.datasets.file_lookup import Listed, Name, locate_videos
from videomae_cli.data.layouts.datasets.official_splits import (
    ask_split,
    find_lists,
    name_layouts,
    read_number,
)
from videomae_cli.data.layouts.datasets.source_files import SourceFiles
from videomae_cli.data.layouts.text import read_text
from videomae_cli.data.layouts.video_entry import Listing, Reading, VideoEntry
from videomae_cli.errors import DataError

LAYOUTS = name_layouts("ucf101")
_LIST = re.compile(r"(?P<kind>train|test)list0(?P<split>[123])\.txt")
_CLASSES = "classInd.txt"
_LINE = re.compile(r"(?P<path>(?P<label>[^/]+)/\S+)(?:\s+(?P<number>\d+))?")


def recognise(files: SourceFiles, _: Reading) -> dict[str, str]:
    """Raise a DataError that asks for the split if there are the lists of several."""
    pairs = _find_pairs(files)
    if len(pairs) > 1:
        raise ask_split(files, "UCF101", "ucf101", pairs)
    return {}


def scan(files: SourceFiles, layout: str, _: Reading) -> Listing:
    """List the videos of one split; a DataError if a line names an unknown class."""
    pair = _find_pairs(files).get(read_number(layout))
    if pair is None:
        return Listing([])
    classes = read_classes(str(pair[0].with_name(_CLASSES)), files.encoding).names
    listed = [video for path in sorted(pair, reverse=True) for video in _read(path, classes)]
    return locate_videos(listed, files.root, classes)


def _find_pairs(files: SourceFiles) -> dict[int, list[Path]]:
    lists = {
        number: [path for path in paths if path.with_name(_CLASSES).is_file()]
        for number, paths in find_lists(files, _LIST).items()
    }
    return {number: paths for number, paths in lists.items() if len(paths) == 2}


def _read(path: Path, classes: tuple[str, ...]) -> list[Listed]:
    split = "train" if path.name.startswith("train") else "val"
    listed = []
    for line, text in enumerate(read_text(path).content.split("\n"), start=1):
        if not text.strip():
            continue
        match = _LINE.fullmatch(text.strip().replace("\\", "/"))
        if match is None or match["label"] not in classes:
            raise DataError(
                f"{path}:{line}: {text.strip()!r} is not the path of a video in the folder of a "
                f"class of {_CLASSES}",
                "copy or download the list again",
            )
        label = match["label"]
        if match["number"] and classes[int(match["number"]) - 1 : int(match["number"])] != (label,):
            raise DataError(
                f"{path}:{line}: class {match['number']} is not {label} in {_CLASSES}",
                "use the lists and the file of the classes of one download",
            )
        stem = PurePosixPath(match["path"]).stem
        listed.append(Listed(VideoEntry(match["path"], label, split, path, line), [Name(stem)]))
    return listed
