"""Layout `epic-kitchens`: EPIC-KITCHENS-100, `EPIC_100_train.csv` and `EPIC_100_validation.csv`.

    narration_id,participant_id,video_id,...,start_timestamp,stop_timestamp,start_frame,stop_frame,
    narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes

A row is an action. Its videos are `P01/videos/P01_01.MP4`, `P01/P01_01.MP4`, or folders of frames
`P01_01/frame_0000000001.jpg`. Of a video, the timestamps (HH:mm:ss.SS) are read; of a folder, the
frame numbers, which count from 1 and include `stop_frame`, "end frame of the action". The action is
a verb and a noun, so the label must be chosen. The classes of a test set are not public. There are
97 verbs and 300 nouns, named by `EPIC_100_verb_classes.csv` and `EPIC_100_noun_classes.csv` (id,
key, ...) if they are beside the table; not all of them occur in training.

Source: README.md of github.com/epic-kitchens/epic-kitchens-100-annotations.
"""

from collections.abc import Sequence
from pathlib import Path

from videomae_cli.data.layouts.list_file import parse_integer
from videomae_cli.data.layouts.segments.annotated_rows import Annotations, Format, Row
from videomae_cli.data.layouts.segments.csv_rows import CsvRow, read_csv, read_header
from videomae_cli.data.layouts.segments.times import parse_time
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError, UsageError

COLUMNS = {"narration_id", "video_id", "start_timestamp", "stop_timestamp"}
LABELS = {"verb_class": 97, "noun_class": 300}
FRAME_COLUMNS = ("start_frame", "stop_frame")


def recognise(data: bytes) -> bool:
    """Return whether a file has the columns of the data set."""
    return read_header(data) >= COLUMNS


def read(paths: Sequence[Path], reading: Reading) -> Annotations:
    """Return a row for each action, with the label of the chosen column."""
    tables = [read_csv(path, reading.encoding) for path in paths]
    header = {name for table in tables for row in table[:1] for name in row.cells}
    label = _choose_label(paths[0], header, reading)
    rows = [_make_row(row, label) for table in tables for row in table]
    return Annotations(
        rows,
        [f"each row is an action, a part of a video, with the label {label or '(none)'}"],
        is_published=True,
        classes=_read_classes(paths[0].parent, label, reading),
    )


def _choose_label(path: Path, header: set[str], reading: Reading) -> str:
    """Return the label column; "" if the file has none, as that of the test set."""
    name = reading.label_column
    if name is None and header.intersection(LABELS):
        raise DataError(
            f"{path}: an action has two labels, verb_class and noun_class",
            "choose one: --label-column verb_class or --label-column noun_class",
        )
    if name is not None and name not in header:
        raise UsageError(
            f"{path}: no column {name!r}", f"the columns are: {', '.join(sorted(header))}"
        )
    return name or ""


def _read_classes(folder: Path, label: str, reading: Reading) -> Sequence[str]:
    """Return the names of the classes of a label, or their numbers; () for another column."""
    if label not in LABELS:
        return ()
    path = folder / f"EPIC_100_{label}es.csv"
    if not path.is_file():
        return [str(number) for number in range(LABELS[label])]
    names = {row.get("id"): row.get("key") for row in read_csv(path, reading.encoding)}
    if [*names] != [str(number) for number in range(len(names))]:
        raise DataError(f"{path}: the column id does not count from 0", "download it again")
    return [*names.values()]


def _make_row(row: CsvRow, label: str) -> Row:
    text = row.cells.get(label, "")
    number = parse_integer(text)
    start, stop = (
        parse_time(row.where, row.get(f"{side}_timestamp")) for side in ("start", "stop")
    )
    first, last = (parse_integer(row.cells.get(name, "")) for name in FRAME_COLUMNS)
    return Row(
        row.file,
        row.line,
        (row.get("video_id"),),
        (text or None) if number is None else number,
        (start, stop),
        frames=None if first is None or last is None else (max(first - 1, 0), last),
    )


FORMAT = Format("actions of EPIC-KITCHENS-100", (".csv",), recognise, read)
