"""The rows of a manifest as a sequence of videos that are parsed when they are used.

A manifest of millions of rows is kept as the bytes of its file, with the place of each row and a
few columns as arrays: about 130 bytes per video, a quarter of what objects take. A file with the
digest that `prepare` wrote contains rows that were checked then; each is checked again when it is
used.

Shapes: B bytes of the file, R rows, V videos of a table.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from videomae_cli.config.model import Task
from videomae_cli.data.manifest_rows import COLUMNS, SEGMENT_COLUMNS, SPLITS, Video, parse_row
from videomae_cli.errors import DataError

QUOTE, COMMA, NEWLINE, DIGIT_0 = b'",\n0'
SECOND_LETTERS = np.array([ord(name[1]) for name in SPLITS], np.uint8)  # differ: r, a, e
NUMBERS = ("frames", "width", "height")
Places = NDArray[np.int64]


class _File(NamedTuple):
    """A whole `manifest.csv`, with what its rows are parsed with."""

    content: bytes
    start_R: Places
    """Where each row starts."""
    end_R: Places
    """Where its line end is."""
    split_R: NDArray[np.int8]
    """Number of its split in `SPLITS`."""
    number_RN: dict[str, NDArray[np.int64]]
    """The columns `NUMBERS`."""
    classes: Sequence[str] | None
    task: Task
    path: Path
    encoding: tuple[str, str]


class VideoTable(Sequence[Video]):
    """The videos of a manifest, or some of them, in the order of the file.

    It is equal to any sequence of the same videos.
    """

    def __init__(self, file: _File, row_V: Places) -> None:
        self._file, self._row_V = file, row_V

    def __len__(self) -> int:
        return len(self._row_V)

    @overload
    def __getitem__(self, index: int) -> Video: ...
    @overload
    def __getitem__(self, index: slice) -> "VideoTable": ...
    def __getitem__(self, index: int | slice) -> "Video | VideoTable":
        """Return a video, or the table of a slice; a DataError if its row is wrong."""
        if isinstance(index, slice):
            return VideoTable(self._file, self._row_V[index])
        return next(self._parse(self._row_V[[index]]))

    def __iter__(self) -> Iterator[Video]:
        return self._parse(self._row_V)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(
            one == two for one, two in zip(self, other, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def split(self, name: str) -> "VideoTable":
        """Return the videos of "train", "val" or "test"."""
        is_in = self._file.split_R[self._row_V] == SPLITS.index(name)
        return VideoTable(self._file, self._row_V[is_in])

    def column(self, name: str) -> NDArray[np.int64]:
        """Return one of `NUMBERS` of all videos, (V,)."""
        number_V: NDArray[np.int64] = self._file.number_RN[name][self._row_V]
        return number_V

    def contains(self, text: str) -> bool:
        """Return whether a text occurs in the file."""
        return text.encode(*self._file.encoding) in self._file.content

    def _parse(self, row_N: Places) -> Iterator[Video]:
        file = self._file
        bounds = zip(file.start_R[row_N].tolist(), file.end_R[row_N].tolist(), strict=True)
        # a line of this reader is a whole row: it may contain line ends in quotes
        lines = (file.content[start:end].decode(*file.encoding) for start, end in bounds)
        for row, cells in zip(row_N.tolist(), csv.reader(lines), strict=True):
            yield parse_row(cells, file.classes, file.task, f"{file.path}, row {row + 1}")


def read_column(videos: Sequence[Video], name: str) -> NDArray[np.int64]:
    """Return one of `NUMBERS` of videos, (V,)."""
    if isinstance(videos, VideoTable):
        return videos.column(name)
    return np.array([getattr(video, name) for video in videos], np.int64)


def uses_decoder(videos: Sequence[Video], name: str) -> bool:
    """Return whether a video is read with a decoder.

    A table is searched as a whole file: a path that contains a comma and the name counts as well.
    """
    if isinstance(videos, VideoTable):
        return videos.contains(f",{name}")
    return any(video.decoder == name for video in videos)


def index_rows(
    content: bytes,
    classes: Sequence[str] | None,
    task: Task,
    path: Path,
    encoding: tuple[str, str],
) -> VideoTable:
    """Return the videos of a `manifest.csv`, without a check of each row.

    Args:
        content: The file.
        classes: The class names.
        task: What the labels are.
        path: The file, for messages.
        encoding: Of its text, and what is done with bytes that are not in it.

    Raises:
        DataError: The header is wrong, or a row has too many or too few cells.
    """
    byte_B = np.frombuffer(content, np.uint8)
    quotes = np.flatnonzero(byte_B == QUOTE)
    end_R = _outside_quotes(np.flatnonzero(byte_B == NEWLINE), quotes)
    header = content[: end_R[0]].decode(*encoding) if len(end_R) else ""
    columns = next((one for one in (COLUMNS, SEGMENT_COLUMNS) if header == ",".join(one)), None)
    if columns is None or end_R[-1] != len(content) - 1:
        raise DataError(f"{path}: not a manifest as videomae prepare writes it")
    commas = _outside_quotes(np.flatnonzero(byte_B == COMMA), quotes)[len(columns) - 1 :]
    start_R, end_R = end_R[:-1] + 1, end_R[1:]
    comma_RC = _group_commas(commas, start_R, end_R, len(columns), path)

    def bounds(name: str) -> tuple[Places, Places]:
        place = columns.index(name)
        return comma_RC[:, place - 1] + 1, comma_RC[:, place]

    letter_R = byte_B[bounds("split")[0] + 1]
    split_R = np.argmax(letter_R[:, None] == SECOND_LETTERS, axis=1).astype(np.int8)
    numbers = {name: _parse_numbers(byte_B, *bounds(name)) for name in NUMBERS}
    file = _File(content, start_R, end_R, split_R, numbers, classes, task, path, encoding)
    return VideoTable(file, np.arange(len(end_R)))


def _group_commas(
    commas: Places, start_R: Places, end_R: Places, columns: int, path: Path
) -> Places:
    """Return the places of the commas of each row, (R, columns - 1); a DataError if some differ."""
    rows, count = len(end_R), columns - 1
    if len(commas) == rows * count:
        comma_RC = commas.reshape(rows, count)
        if (comma_RC[:, 0] >= start_R).all() and (comma_RC[:, -1] < end_R).all():
            return comma_RC
    raise DataError(f"{path}: a row has not {columns} cells")


def _outside_quotes(places: Places, quotes: Places) -> Places:
    """Return the places that are not in a quoted cell: an even number of quotes is before them."""
    if not len(quotes):
        return places
    outside: Places = places[np.searchsorted(quotes, places) % 2 == 0]
    return outside


def _parse_numbers(byte_B: NDArray[np.uint8], start_R: Places, end_R: Places) -> NDArray[np.int64]:
    """Return the numbers that stand at places as decimal digits."""
    number_R: NDArray[np.int64] = np.zeros(len(start_R), np.int64)
    place_R = start_R.copy()
    while (is_inside_R := place_R < end_R).any():
        number_R[is_inside_R] *= 10
        number_R[is_inside_R] += byte_B[place_R[is_inside_R]] - DIGIT_0
        place_R += is_inside_R
    return number_R
