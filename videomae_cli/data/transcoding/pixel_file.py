"""Uncompressed frames in one NumPy file (`.npy`): an array (T, H, W, C) of uint8.

Only the frames that are needed are read, each with one read at its place: that is faster than
mapping the file into memory, and a file that is cut off while it is read is an error, not a signal
that ends the process. Other programs can map it: `numpy.load(FILE, mmap_mode="r")`.
Not covered: changed bytes; there is no checksum.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from videomae_cli.data.transcoding.damage import damage_error, past_end_error
from videomae_cli.errors import DataError

HEADER_BYTES = 4096  # more than any header of such an array has


class _Layout(NamedTuple):
    shape: tuple[int, ...]
    start: int
    """Bytes before the first pixel."""


def write(frames: Iterable[NDArray[np.uint8]], count: int, file: IO[bytes]) -> None:
    """Write `count` frames (H, W, C); only `file.write` is used."""
    for number, frame_HWC in enumerate(frames):
        if number == 0:
            header = BytesIO()
            facts = {"descr": "|u1", "fortran_order": False, "shape": (count, *frame_HWC.shape)}
            npy.write_array_header_1_0(header, facts)
            file.write(header.getvalue())
        file.write(frame_HWC.tobytes())


def read(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames (T, H, W, C; indices ascending, without duplicates).

    Raises:
        DataError: The file is cut off, or is no array of frames.
    """
    with path.open("rb", buffering=0) as file:
        layout = _read_layout(path, file)
        count, *shape = layout.shape
        if indices[-1] >= count:
            raise past_end_error(path, indices[-1], count)
        frames = np.empty((len(indices), *shape), np.uint8)
        size = prod(shape)
        for frame, number in zip(frames, indices, strict=True):
            file.seek(layout.start + number * size)
            if file.readinto(memoryview(frame).cast("B")) != size:
                raise damage_error(path, f"frame {number} is cut off")
    return frames


def count_frames(path: Path) -> int:
    """Return the number of frames; raises as `read`."""
    with path.open("rb", buffering=0) as file:
        return _read_layout(path, file).shape[0]


def read_all(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield all frames (H, W, C); raises as `read`."""
    for number in range(count_frames(path)):
        yield read(path, [number])[0]


def is_video(path: Path) -> bool:
    """Return whether a file is an array of several frames, by its header."""
    try:
        with path.open("rb", buffering=0) as file:
            _read_layout(path, file)
    except (OSError, DataError):
        return False
    return True


def _read_layout(path: Path, file: IO[bytes]) -> _Layout:
    start = BytesIO(file.read(HEADER_BYTES))
    try:
        version = npy.read_magic(start)
        shape, is_fortran, dtype = npy.read_array_header_1_0(start)
    except ValueError as error:
        raise damage_error(path, f"is not a NumPy array of frames: {error}") from error
    if version != (1, 0) or dtype != np.uint8 or is_fortran or len(shape) != 4 or 0 in shape:
        raise damage_error(path, f"is not an array of frames: {dtype} {shape}")
    size = os.fstat(file.fileno()).st_size
    if size != start.tell() + prod(shape):
        raise damage_error(
            path, f"has {size:,} bytes, not {start.tell() + prod(shape):,}: it is cut off"
        )
    return _Layout(shape, start.tell())
