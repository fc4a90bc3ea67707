"""The files that complete a directory of features: which clip each row is, and what is in there.

`manifest.csv` has one line per row of features, in the order of shards; `rejected.csv` the videos
that could not be decoded; `features.json` the facts. They are written when all shards are there.

Shapes: R rows, then those of a feature.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from videomae_cli import atomic
from videomae_cli.data.manifest import csv_text, write_text
from videomae_cli.errors import DataError
from videomae_cli.report import printable
from videomae_cli.tasks.features.data import Rejected
from videomae_cli.tasks.features.rows import Items, Row
from videomae_cli.tasks.features.shard_files import Floats, ShardItem
from videomae_cli.tasks.features.store import FORMATS, ShardStore

ROWS, REJECTED, FACTS = "manifest.csv", "rejected.csv", "features.json"
COLUMNS = (
    *("row", "file", "position", "path", "split", "label", "class", "clip", "crop"),
    *("first_frame", "last_frame", "start_seconds", "end_seconds", "frames", "decoder"),
)


class FeatureRow(NamedTuple):
    """A line of `manifest.csv`."""

    row: int
    file: str
    """Relative to the directory."""
    position: int
    """Position in the file."""
    path: str
    split: str
    label: int | None
    class_name: str
    clip: int | None
    start_seconds: float | None
    end_seconds: float | None
    frames: tuple[tuple[int, ...], ...]
    decoder: str
    """The key in `DECODERS` that reads the video; "" in a table of an earlier version."""


class StoredFeatures(NamedTuple):
    """A complete directory of features."""

    folder: Path
    rows: list[FeatureRow]
    facts: dict[str, Any]
    """The content of `features.json`."""

    def read(self) -> Floats:
        """Return the features of all rows, (R, ...)."""
        files = list(dict.fromkeys(row.file for row in self.rows))
        if not files:
            return np.zeros((0, *self.facts["shape"]), np.float32)
        return np.concatenate([self._read_file(self.folder / name) for name in files])

    def _read_file(self, path: Path) -> Floats:
        try:
            if path.suffix == ".npy":
                feature: Floats = np.load(path)
                return feature
            return FORMATS[path.suffix[1:]].read(path)
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"{path} cannot be read: {error}",
                "delete it and run the same `videomae features` command again",
            ) from error


class Finished(NamedTuple):
    """What all shards together contain."""

    items: list[tuple[int, ShardItem]]
    """The number of the shard, and the item."""

    @property
    def rejected(self) -> list[ShardItem]:
        """The items whose video could not be decoded."""
        return [item for _, item in self.items if item.error]

    @property
    def nonfinite(self) -> list[ShardItem]:
        """The items that have a feature that is not finite."""
        return [item for _, item in self.items if item.has_nonfinite]


def read_finished(store: ShardStore, parts: int) -> Finished | None:
    """Return the items of all shards; None if shards are missing."""
    items: list[tuple[int, ShardItem]] = []
    for part in range(parts):
        found = store.read_items(part)
        if found is None:
            return None
        items += [(part, item) for item in found]
    return Finished(items)


def write_table(
    folder: Path,
    items: Items,
    classes: Sequence[str] | None,
    located: Sequence[tuple[str, int, Row]],
    rejected: Sequence[Rejected],
) -> None:
    """Write `manifest.csv` and `rejected.csv`.

    Args:
        folder: The directory.
        items: What features are computed of.
        classes: Class names by label.
        located: File, position in it, and what it is, of each row.
        rejected: The videos without features.
    """
    lines = [_line(number, place, items, classes) for number, place in enumerate(located)]
    write_text(folder / ROWS, csv_text(COLUMNS, lines))
    write_text(folder / REJECTED, csv_text(Rejected._fields, rejected))


def locate_rows(store: ShardStore, finished: Finished) -> Iterator[tuple[str, int, Row]]:
    """Yield the shard of each row, its position there, and the row."""
    counts: dict[int, int] = {}
    for part, item in finished.items:
        if item.error:
            continue
        for row in store.items.list_rows(item.number):
            yield store.path(part).name, counts.get(part, 0), row
            counts[part] = counts.get(part, 0) + 1


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Write `features.json`, which makes the directory complete."""
    atomic.write_json(folder / FACTS, facts)


def read_features(folder: Path) -> StoredFeatures:
    """Read the table of a complete directory of features.

    Raises:
        DataError: It is not one, or not complete yet.
    """
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        with (folder / ROWS).open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = [_parse(row) for row in csv.DictReader(io.StringIO(file.read(), newline=""))]
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} contains no complete features: {Path(str(error.filename)).name} is missing",
            "run `videomae features ... --out` to its end first (all shards of an array)",
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder}: {printable(str(error))}", "compute the features again"
        ) from error
    return StoredFeatures(folder, rows, facts)


def _line(
    number: int,
    place: tuple[str, int, Row],
    items: Items,
    classes: Sequence[str] | None,
) -> tuple[object, ...]:
    file, position, row = place
    video = items.views.videos[row.video]
    name = "" if video.label is None or classes is None else classes[video.label]
    all_frames = [frame for clip in row.frames for frame in clip]
    span = items.time_span(row)
    return (
        *(number, file, position, video.name, video.split, video.label, name, row.clip, row.crop),
        *(min(all_frames), max(all_frames)),
        *(("", "") if span is None else (round(seconds, 6) for seconds in span)),
        ";".join(" ".join(map(str, clip)) for clip in row.frames),
        video.decoder,
    )


def _parse(row: dict[str, str]) -> FeatureRow:
    frames = tuple(tuple(map(int, clip.split())) for clip in row["frames"].split(";"))
    return FeatureRow(
        row=int(row["row"]),
        file=row["file"],
        position=int(row["position"]),
        path=row["path"],
        split=row["split"],
        label=int(row["label"]) if row["label"] else None,
        class_name=row["class"],
        clip=int(row["clip"]) if row["clip"] else None,
        start_seconds=float(row["start_seconds"]) if row["start_seconds"] else None,
        end_seconds=float(row["end_seconds"]) if row["end_seconds"] else None,
        frames=frames,
        decoder=row.get("decoder") or "",
    )
