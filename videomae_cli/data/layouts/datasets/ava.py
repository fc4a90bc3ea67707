"""Layout `ava`: the videos of AVA, without labels, and their boxes in a table beside the manifest.

    ava_train_v2.2.csv, ava_val_v2.2.csv    VIDEO,SECOND,X1,Y1,X2,Y2,ACTION,PERSON  (no header)
    ava_train_excluded_timestamps_v2.2.csv  VIDEO,SECOND, which are not evaluated
    VIDEO.mp4 (or .mkv, .webm)

An action belongs to a person in one second, not to a video: the manifest has one row for each whole
video, and `boxes.csv` one for each box and action. Coordinates are shares of width and height, from
the upper left corner; seconds count from the start of the film, which matters if the files were cut
to minutes 15 to 30; actions are numbered as in AVA's list of actions, from 1. Boxes in seconds that
are excluded are left out. Source: https://research.google.com/ava/download.html.
"""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from videomae_cli.data.layouts.datasets.file_lookup import Listed, Name, locate_videos
from videomae_cli.data.layouts.datasets.source_files import SourceFiles
from videomae_cli.data.layouts.file_search import join_some
from videomae_cli.data.layouts.text import read_text
from videomae_cli.data.layouts.video_entry import Listing, Reading, SideTable, VideoEntry
from videomae_cli.errors import DataError

LAYOUT, BOXES = "ava", "boxes.csv"
HEADER = ("path", "second", "x1", "y1", "x2", "y2", "action", "person")
_LIST = re.compile(r"ava_(?P<split>train|val)_(?P<version>v2\.\d)\.csv")
_EXCLUDED = "ava_{split}_excluded_timestamps_{version}.csv"
Box = tuple[str, ...]


def recognise(files: SourceFiles, _: Reading) -> dict[str, str]:
    """Return the layout if one of the lists is there."""
    names = [path.name for path, _ in files.match(_LIST)]
    return {LAYOUT: f"AVA, boxes in {BOXES} ({join_some(names)})"} if names else {}


def scan(files: SourceFiles, layout: str, _: Reading) -> Listing:
    """List the videos and their boxes; a DataError names a wrong row."""
    lists = files.match(_LIST)
    if len({match["version"] for _, match in lists}) > 1 or len(lists) > 2:
        raise DataError(
            f"{files.source} contains several versions of AVA's lists: "
            f"{join_some(path.name for path, _ in lists)}",
            "keep the lists of one version, such as v2.2",
        )
    boxes: dict[str, list[Box]] = {}
    listed, left_out = [], 0
    for path, match in lists:
        excluded = _read_excluded(path.with_name(_EXCLUDED.format(**match.groupdict())))
        for line, video, box in _read_boxes(path):
            if video not in boxes:
                entry = VideoEntry(f"{video}.mp4", None, match["split"], path, line)
                listed.append(Listed(entry, [Name(video)]))
            rows = boxes.setdefault(video, [])
            if (video, int(box[0])) in excluded:
                left_out += 1
            elif box[1]:  # a second without persons has no box
                rows.append(box)
    if not listed:
        return Listing([])
    remarks = [f"{left_out:,} boxes in excluded seconds are left out"] * bool(left_out)
    listing = locate_videos(listed, files.root, [], remarks)
    table = SideTable(
        HEADER,
        [(e.path, *box) for e in listing.entries for box in boxes[PurePosixPath(e.path).stem]],
    )
    return listing._replace(side_tables={BOXES: table})


def _read_boxes(path: Path) -> Iterator[tuple[int, str, Box]]:
    """Yield line, video and the other cells of each row, checked."""
    reader = csv.reader(io.StringIO(read_text(path).content, newline=""))
    for cells in reader:
        if not cells:
            continue
        if not _is_box(cells):
            raise DataError(
                f"{path}:{reader.line_num}: not a video, a second, four shares of the size, an "
                "action and a person",
                "download the list again",
            )
        yield reader.line_num, cells[0], tuple(cells[1:])


def _is_box(cells: list[str]) -> bool:
    if len(cells) != len(HEADER):
        return False
    video, second, *numbers = cells
    if not any(numbers):
        return bool(video) and second.isdecimal()
    try:
        x1, y1, x2, y2 = map(float, numbers[:4])
    except ValueError:
        return False
    is_inside = 0 <= x1 <= x2 <= 1 and 0 <= y1 <= y2 <= 1
    return bool(video) and is_inside and all(map(str.isdecimal, (second, *numbers[4:])))


def _read_excluded(path: Path) -> set[tuple[str, int]]:
    """Return video and second of each row; empty without the file."""
    if not path.is_file():
        return set()
    rows = csv.reader(io.StringIO(read_text(path).content, newline=""))
    try:
        return {(video, int(second)) for video, second in filter(None, rows)}
    except ValueError as error:
        raise DataError(f"{path}: not rows of a video and a second", "download it again") from error
