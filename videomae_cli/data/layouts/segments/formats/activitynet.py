"""Layout `activitynet`: ActivityNet's JSON, which HACS, THUMOS14 and FineAction also have.

    {"database": {"ID": {"subset": "training", "duration": 82.7,
                         "annotations": [{"segment": [6.2, 20.1], "label": "Long jump"}]}}}

A segment is in seconds; files are called `v_ID.mp4` or `ID.mp4`, with any suffix and in any folder.
`subset` is the split. Videos without annotations, such as those of a test set whose labels are not
public, are not used. `database` may be missing, as in lists derived from ActivityNet's; then the
split is that of the name of the file.

Source: github.com/activitynet/ActivityNet and github.com/hangzhaomit/HACS-dataset (README.md).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from videomae_cli.data.layouts.segments.annotated_rows import Annotations, Format, Row
from videomae_cli.data.layouts.segments.json_file import get_list, get_number, get_text, read_json
from videomae_cli.data.layouts.split_names import SPLIT_NAMES, parse_split
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError

PREFIX = "v_"


def recognise(data: bytes) -> bool:
    """Return whether JSON has the keys of the data set."""
    return all(key in data for key in (b'"annotations"', b'"segment"', b'"label"')) and (
        b'"database"' in data or b'"subset"' in data or b'"duration_second"' in data
    )


def read(paths: Sequence[Path], reading: Reading) -> Annotations:
    """Return a row for each annotated segment."""
    rows: list[Row] = []
    empty = 0
    for path in paths:
        database = _find_database(path, read_json(path, reading.encoding))
        for number, (name, video) in enumerate(database.items(), start=1):
            found = [row._replace(line=number) for row in _make_rows(path, name, video)]
            empty += not found
            rows += found
    remarks = ["each row is an annotated segment, in seconds"]
    remarks += [f"videos without annotations are not used ({empty:,})"] * bool(empty)
    return Annotations(rows, remarks, is_published=True)


def _find_database(path: Path, value: object) -> Mapping[str, object]:
    database = value.get("database", value) if isinstance(value, dict) else None
    if not isinstance(database, dict):
        raise DataError(f"{path}: no object `database` of videos", "export or download it again")
    return database


def _make_rows(path: Path, name: str, video: object) -> list[Row]:
    where = f"{path}: {name}"
    if not isinstance(video, dict):
        raise DataError(f"{where}: not an object with annotations")
    split = _read_split(where, video)
    names = (name, PREFIX + name) if not name.startswith(PREFIX) else (name, name[len(PREFIX) :])
    rows = []
    for number, annotation in enumerate(get_list(where, video, "annotations")):
        place = f"{where}, annotation {number}"
        segment = get_list(place, annotation, "segment")
        if len(segment) != 2:
            raise DataError(f"{place}: {segment} is not a start and an end")
        start, end = (get_number(place, time) for time in segment)
        label = get_text(place, annotation, "label")
        rows.append(Row(path, 0, names, label, (start, end), split=split, place=place))
    return rows


def _read_split(where: str, video: Mapping[str, object]) -> str | None:
    if "subset" not in video:
        return None
    split = parse_split(str(video["subset"]))
    if split is None:
        raise DataError(
            f"{where}: the subset {video['subset']!r} is not one of {', '.join(SPLIT_NAMES)}",
            "rename the subset in the file",
        )
    return split


FORMAT = Format(
    "segments in the format of ActivityNet", (".json",), recognise, read, has_label_column=False
)
