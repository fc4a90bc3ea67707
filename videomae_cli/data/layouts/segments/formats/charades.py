"""Layout `charades`: Charades, `Charades_v1_train.csv` and `Charades_v1_test.csv`.

    id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length
    46GP8,...,c092 11.90 21.20;c147 0.00 12.60,24.83

A row is a video, `ID.mp4`; each of its actions is a class with a start and an end in seconds, and
actions overlap. With `--task multi-label` a row stays one whole video with all its classes, as the
data set is evaluated; a video may have none. Otherwise each action is a segment with one class.
Folders of frames (`Charades_v1_rgb/ID`) have 24 frames per second.

The 157 classes are named by `Charades_v1_classes.txt` (`c000 Holding some clothes`), if it is
beside the table or given by `--classes`; otherwise by their codes, from `c000` to `c156`.

Source: README.txt of prior.allenai.org/projects/data/charades.
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from videomae_cli.data.layouts.segments.annotated_rows import Annotations, Format, Row
from videomae_cli.data.layouts.segments.csv_rows import CsvRow, read_csv, read_header
from videomae_cli.data.layouts.text import read_text
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError

COLUMNS = {"id", "scene", "script", "actions", "length"}
CLASSES = "Charades_v1_classes.txt"
COUNT = 157
FRAME_RATE = 24  # of the folders of frames
_ACTION = re.compile(r"(c\d{3}) (\d+(?:\.\d+)?) (\d+(?:\.\d+)?)")


def recognise(data: bytes) -> bool:
    """Return whether a file has the columns of the data set."""
    return read_header(data) >= COLUMNS


def read(paths: Sequence[Path], reading: Reading) -> Annotations:
    """Return a row for each video with several labels, or for each action of a video."""
    names = _read_names(paths[0], reading)
    is_whole = reading.task == "multi-label"
    rows: list[Row] = []
    empty = 0
    for path in paths:
        for row in read_csv(path, reading.encoding):
            actions = _make_rows(row, names)
            empty += not actions
            rows += [_join(row, actions)] if is_whole else actions
    if is_whole:
        remarks = ["each row is a whole video with all its classes; their times are not used"]
    else:
        remarks = [
            "each row is one action, a part of a video; for whole videos with all their classes: "
            "--task multi-label"
        ]
        remarks += [f"videos without actions are not used ({empty:,})"] * bool(empty)
    return Annotations(rows, remarks, is_published=True, classes=[*names.values()])


def _read_names(path: Path, reading: Reading) -> Mapping[str, str]:
    """Return the code and name of each class by its code; the code alone without the file."""
    file = reading.classes if reading.classes and reading.classes.is_file() else None
    file = file or path.parent / CLASSES
    if not file.is_file():
        return {code: code for code in map("c{:03}".format, range(COUNT))}
    lines = read_text(file, reading.encoding).content.splitlines()
    return {line.split()[0]: line.strip() for line in lines if line.strip()}


def _make_rows(row: CsvRow, names: Mapping[str, str]) -> list[Row]:
    """Return a row for each action of a video."""
    rows = []
    for text in filter(None, row.get("actions").split(";")):
        match = _ACTION.fullmatch(text.strip())
        if match is None or match[1] not in names:
            raise DataError(
                f"{row.where}: {text!r} is not an action of one of {len(names)} classes",
                "such as c092 11.90 21.20",
            )
        start, end = float(match[2]), float(match[3])
        rows.append(
            Row(
                row.file,
                row.line,
                (row.get("id"),),
                names[match[1]],
                (start, end),
                frames=(math.floor(start * FRAME_RATE), math.ceil(end * FRAME_RATE)),
            )
        )
    return rows


def _join(row: CsvRow, actions: Sequence[Row]) -> Row:
    """Return a whole video with the classes of its actions, in a cell like a list of Python."""
    labels = sorted({str(action.label) for action in actions})
    return Row(row.file, row.line, (row.get("id"),), None, cells=(str(labels),))


FORMAT = Format("actions of Charades", (".csv",), recognise, read, has_label_column=False)
