"""Frames as JPEG images in one file, with an index at its end.

The images follow each other from the first byte, so that other programs show the file as Motion
JPEG (`ffplay FILE.mjpeg`). After the last one: for N frames N + 1 positions (64 bits; the last is
where the images end), N checksums (CRC-32, 32 bits), and a footer with N and the checksum of all
that. A clip needs one read for the index and one for each of its frames; every byte that is used is
checked. All numbers are little-endian.

Shapes: T frames, N frames of the file, H height, W width, C channels (1 or 3), uint8.
"""

import os
import struct
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videomae_cli.data.transcoding.damage import damage_error, past_end_error

MAGIC = b"VMAEJPG1"
QUALITY = 90
SUBSAMPLING = "4:2:0"
FOOTER = struct.Struct("<8sII")  # MAGIC, N, checksum of index and N
TAIL_BYTES = 16384  # read at once from the end: the index of 1,300 frames


class _Index(NamedTuple):
    positions: NDArray[np.uint64]
    """N + 1 positions."""
    checksums: NDArray[np.uint32]


def write(frames: Iterable[NDArray[np.uint8]], file: IO[bytes]) -> None:
    """Write frames (H, W, C); only `file.write` is used."""
    positions, checksums = [0], []
    for frame_HWC in frames:
        image = BytesIO()
        pixels = frame_HWC if frame_HWC.shape[2] == 3 else frame_HWC[:, :, 0]
        Image.fromarray(pixels).save(image, "JPEG", quality=QUALITY, subsampling=SUBSAMPLING)
        content = image.getvalue()
        file.write(content)
        positions.append(positions[-1] + len(content))
        checksums.append(crc32(content))
    index = np.array(positions, "<u8").tobytes() + np.array(checksums, "<u4").tobytes()
    file.write(index + FOOTER.pack(MAGIC, len(checksums), _check_index(index, len(checksums))))


def read(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames (T, H, W, C; indices ascending, without duplicates).

    Raises:
        DataError: The file is damaged, too short, or was not written here.
    """
    frames: NDArray[np.uint8] | None = None
    decode = _find_decoder()
    with path.open("rb", buffering=0) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torchvision 0.29 gives one
        index = _read_index(path, file)
        if indices[-1] >= len(index.checksums):
            raise past_end_error(path, indices[-1], len(index.checksums))
        for place, number in enumerate(indices):
            frame_HWC = decode(_read_image(path, file, index, number))
            if frames is None:
                frames = np.empty((len(indices), *frame_HWC.shape), np.uint8)
            frames[place] = frame_HWC
    assert frames is not None, "indices are not empty"
    return frames


def has_index(path: Path) -> bool:
    """Return whether a file ends as those that are written here; Motion JPEG files do not."""
    try:
        with path.open("rb", buffering=0) as file:
            return _read_tail(file, os.fstat(file.fileno()).st_size, FOOTER.size).startswith(MAGIC)
    except OSError:
        return False


def count_frames(path: Path) -> int:
    """Return the number of frames; a DataError if the index is damaged."""
    with path.open("rb", buffering=0) as file:
        return len(_read_index(path, file).checksums)


def read_all(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield all frames (H, W, C), decoded by Pillow, which loads no further library.

    Raises:
        DataError: The file is damaged.
    """
    with path.open("rb", buffering=0) as file:
        index = _read_index(path, file)
        for number in range(len(index.checksums)):
            yield decode_with_pillow(_read_image(path, file, index, number))


@lru_cache
def _find_decoder() -> Callable[[bytearray], NDArray[np.uint8]]:
    """Return torchvision's decoder, or Pillow's, which takes longer, where there is none.

    Both give the same pixels. torchvision 0.29 announces that it will lose its own.
    """
    try:
        import torch
        from torchvision.io import decode_jpeg
    except ImportError:
        return decode_with_pillow

    def decode_with_torchvision(content: bytearray) -> NDArray[np.uint8]:
        image_CHW = decode_jpeg(torch.frombuffer(content, dtype=torch.uint8))
        frame_HWC: NDArray[np.uint8] = image_CHW.permute(1, 2, 0).numpy()
        return frame_HWC

    return decode_with_torchvision


def decode_with_pillow(content: bytearray) -> NDArray[np.uint8]:
    """Decode a JPEG image to a frame (H, W, C)."""
    with Image.open(BytesIO(content), formats=("JPEG",)) as image:
        return np.atleast_3d(np.asarray(image))


def _read_image(path: Path, file: IO[bytes], index: _Index, number: int) -> bytearray:
    start, end = (int(position) for position in index.positions[number : number + 2])
    file.seek(start)
    content = bytearray(file.read(end - start))
    if crc32(content) != index.checksums[number]:
        raise damage_error(path, f"frame {number} is damaged: its checksum is wrong")
    return content


def _read_index(path: Path, file: IO[bytes]) -> _Index:
    size = os.fstat(file.fileno()).st_size
    tail = _read_tail(file, size, TAIL_BYTES)
    if len(tail) < FOOTER.size or not tail[-FOOTER.size :].startswith(MAGIC):
        raise damage_error(path, "has no index of frames at its end: it is cut off or damaged")
    _, count, checksum = FOOTER.unpack(tail[-FOOTER.size :])
    length = 8 * (count + 1) + 4 * count
    if FOOTER.size + length > size:
        raise damage_error(path, "its index of frames is damaged")
    if FOOTER.size + length > len(tail):
        tail = _read_tail(file, size, FOOTER.size + length)
    index = tail[-FOOTER.size - length : -FOOTER.size]
    if len(index) < length or _check_index(index, count) != checksum:
        raise damage_error(path, "its index of frames is damaged")
    positions = np.frombuffer(index, "<u8", count + 1)
    return _Index(positions, np.frombuffer(index, "<u4", count, offset=positions.nbytes))


def _read_tail(file: IO[bytes], size: int, length: int) -> bytes:
    file.seek(max(0, size - length))
    return file.read(length)


def _check_index(index: bytes, count: int) -> int:
    return crc32(struct.pack("<I", count), crc32(index))
