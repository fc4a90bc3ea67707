"""Layout `hacs-clips`: HACS Clips, `HACS_clips_v1.1.csv` (HACS Segments is in `activitynet`).

    classname,youtube_id,subset,start,end,label
    Archery,a2X2hz1G6i8,training,15.5,17.5,1
    Archery,NUdji_CqvcY,training,77.5,79.5,-1

A row is a clip of 2 seconds. `label` is 1 if it shows the class, and -1 if it does not: a clip
without the class has no label of its own, and is not used. Files are called `v_ID.mp4` or `ID.mp4`.

Source: README.md of github.com/hangzhaomit/HACS-dataset.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from videomae_cli.data.layouts.segments.annotated_rows import (
    Annotations,
    Format,
    Row,
    count_problems,
)
from videomae_cli.data.layouts.segments.csv_rows import CsvRow, read_csv, read_header
from videomae_cli.data.layouts.segments.times import parse_time
from videomae_cli.data.layouts.split_names import parse_split
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError

COLUMNS = {"classname", "youtube_id", "subset", "start", "end", "label"}
POSITIVE, NEGATIVE = "1", "-1"


def recognise(data: bytes) -> bool:
    """Return whether a file has the columns of the data set."""
    return read_header(data) == COLUMNS


def read(paths: Sequence[Path], reading: Reading) -> Annotations:
    """Return a row for each clip that shows its class."""
    counts: Counter[str] = Counter()
    rows = [
        row
        for path in paths
        for cells in read_csv(path, reading.encoding)
        for row in _make_rows(cells, counts)
    ]
    return Annotations(
        rows,
        ["each row is a clip that shows its class", *count_problems(counts)],
        is_published=True,
    )


def _make_rows(row: CsvRow, counts: Counter[str]) -> Iterator[Row]:
    """Yield the row of a clip; none if it does not show its class."""
    label, subset, name = row.get("label"), row.get("subset"), row.get("youtube_id")
    split = parse_split(subset)
    if split is None or label not in (POSITIVE, NEGATIVE, ""):
        raise DataError(
            f"{row.where}: {subset!r} is not a split, or {label!r} is not 1 or -1",
            "download the file again",
        )
    if label != POSITIVE:
        counts["clips that do not show their class, or have no label, are not used"] += 1
        return
    start, end = (parse_time(row.where, row.get(side)) for side in ("start", "end"))
    names = (f"v_{name}", name)
    yield Row(row.file, row.line, names, row.get("classname"), (start, end), split=split)


FORMAT = Format("clips of HACS", (".csv",), recognise, read, has_label_column=False)
