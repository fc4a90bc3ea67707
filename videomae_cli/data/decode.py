"""Read frames of a video by number; its file or folder is opened and closed inside the call.

No reader is kept between calls: readers that cross a fork hang (dmlc/decord#294), and open ones of
decord decode ahead without a limit (dmlc/decord#157). If decord cannot read a file (some widths:
"The size must exactly match"), PyAV reads it instead and a warning is logged.
Not covered: damage that decodes without an error (flipped bits).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.manifest_rows import Video
from videomae_cli.errors import DataError, VideoMAEError

# what libraries write before an error message: the time of day, or a line of their own source
PREFIX = re.compile(r"^\[\d\d:\d\d:\d\d\] |^\w+, \S+\.(cpp|h):\d+, ")
FILE_DECODERS = ("decord", "pyav")
TORCHCODEC = "torchcodec"  # decoder of files, which needs the extra of its name
SHARD_INDEX = "shards.sqlite"  # the data root of files in shards, see data/shards/index.py
STORED_SUFFIXES = (".mjpeg", ".npy")  # of files of `prepare --jpeg` and `--uint8`
FRAMES = "frames"  # the decoder of folders, which have no other
Guard = Callable[[Path], AbstractContextManager[Any]]
_guard: Guard = nullcontext
_copies: dict[Path, Path] = {}  # of the files in shards that are open: the path of each copy

# text files that make FFmpeg open further files, and web pages saved under the name of a video
TEXT_STARTS = (b"#EXTM3U", b"ffconcat", b"<", b"v=0", b"[playlist]")


def read_frames(
    path: Path, indices: Sequence[int], *, decoder: str = "decord", channels: int | None = 3
) -> NDArray[np.uint8]:
    """Read upright frames (T, H, W, C) by number, in any order; a number may occur twice.

    `channels` is C: 3 for RGB, 1 for grey, None for as many as the decoder returns.

    Raises:
        DataError: The file is missing or cannot be decoded, whatever its decoder raises, a number
            is out of range, or the file has other channels.
        UsageError: The decoder is not installed.
    """
    unique = sorted(set(indices))
    if not unique or unique[0] < 0:
        raise DataError(f"{path}: {list(indices)} are not valid frame numbers")
    if decoder not in DECODERS:
        raise DataError(
            f"{path}: decoder {decoder!r} is not one of {', '.join(DECODERS)}",
            "run videomae prepare again",
        )
    with refuse_any_failure(path), _guard(path), open_source(path) as source:
        check_file(source, decoder)
        frames = DECODERS[decoder](source, unique)
    if channels is not None and frames.shape[3] != channels:
        from videomae_cli.data.decoding.channels import convert_channels  # videos are RGB

        frames = convert_channels(path, frames, channels)
    if unique == list(indices):
        return frames
    return frames[np.searchsorted(unique, indices)]


@contextmanager
def guard_reads(guard: Guard) -> Iterator[None]:
    """Read each file inside a context of its own, made of its path, while this block lasts."""
    global _guard
    before, _guard = _guard, guard
    try:
        yield
    finally:
        _guard = before


@contextmanager
def open_source(path: Path) -> Iterator[Path]:
    """Yield the path to open: that of a file or folder, or of the copy of a file in a shard.

    A DataError of the block names `path`.
    """
    if SHARD_INDEX not in path.parts:
        yield path
        return
    from videomae_cli.data.shards.index import open_member

    with open_member(path) as copy:
        _copies[copy] = path
        try:
            yield copy
        except DataError as error:
            message = error.message.replace(str(copy), str(path))
            raise DataError(message, error.hint) from error
        finally:
            del _copies[copy]


def read_video(
    path: Path, video: Video, indices: Sequence[int], *, channels: int | None = 3
) -> NDArray[np.uint8]:
    """Read frames (T, H, W, C) of a row of a manifest, numbered from its own first frame.

    `path` is that of its file. Raises as `read_frames`, and for a number that is not in a segment.
    """
    if video.start is not None:
        if indices and max(indices) >= video.frames:
            raise DataError(f"{path}: frame {max(indices)} is not in a segment of {video.frames}")
        indices = [video.start + index if index >= 0 else index for index in indices]
    return read_frames(path, indices, decoder=video.decoder, channels=channels)


def reference_decoder(path: Path) -> str:
    """Return the decoder that decides what a video contains.

    It is "frames" for a folder, that of the form for a file of `prepare --jpeg` or `--uint8`, and
    "pyav" for any other.
    """
    if path.is_dir():
        return FRAMES
    if path.suffix in STORED_SUFFIXES:
        from videomae_cli.data.transcoding import given_file

        return given_file.find_decoder(path) or "pyav"
    return "pyav"


@contextmanager
def refuse_any_failure(path: Path) -> Iterator[None]:
    """Turn any exception of a decoder in this block into a DataError that names its class."""
    try:
        yield
    except VideoMAEError:  # a UsageError if a decoder is not installed
        raise
    except Exception as error:
        name, reason = type(error).__name__, first_line(error)
        raise DataError(
            f"{path} cannot be decoded: {name if reason == name else f'{name}: {reason}'}",
            "replace the file or leave it out",
        ) from error


def check_file(path: Path, decoder: str = "pyav") -> None:
    """Raise a DataError unless a decoder may open a path: a binary file, or a folder of frames."""
    is_folder = path.is_dir()
    if is_folder and decoder == FRAMES:
        return
    if is_folder or (decoder == FRAMES and path.exists()):
        kind = "a folder" if is_folder else "a file"
        raise DataError(
            f"{path} is {kind}, which the decoder {decoder!r} cannot read",
            "run videomae prepare again",
        )
    try:
        with path.open("rb") as file:
            start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", "check the data root") from error
    if not start:
        raise DataError(f"{path} is empty", "download or copy the file again")
    if start.startswith(TEXT_STARTS):
        raise DataError(f"{path} is text (a playlist or a web page), not a video")


def read_with_decord(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames (ascending, without duplicates) with decord, or with PyAV if decord cannot."""
    from videomae_cli.data.decoding.readers import decord_reader

    return decord_reader.read(path, indices)


def read_with_pyav(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames (ascending, without duplicates) with PyAV, which is loaded only if it is used."""
    from videomae_cli.data.decoding import pyav

    return pyav.read(path, indices)


def read_with_torchcodec(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames (ascending, without duplicates) with torchcodec, which may not be installed."""
    from videomae_cli.data.decoding.readers import torchcodec_reader

    return torchcodec_reader.read(path, indices)


def read_frame_folder(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames (ascending, without duplicates) of a folder of images."""
    from videomae_cli.data.decoding import frame_folder

    return frame_folder.read(path, indices)


def read_transcoded_video(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames (ascending, without duplicates) of H.264 from `prepare --transcode`."""
    from videomae_cli.data.transcoding import video_file

    return video_file.read(path, indices)


def read_jpeg_file(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames (ascending, without duplicates) of a file from `prepare --jpeg`."""
    from videomae_cli.data.transcoding import jpeg_file

    return jpeg_file.read(path, indices)


def read_pixel_file(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames (ascending, without duplicates) of a file from `prepare --uint8`."""
    from videomae_cli.data.transcoding import pixel_file

    return pixel_file.read(path, indices)


DECODERS: dict[str, Callable[[Path, Sequence[int]], NDArray[np.uint8]]] = {
    "decord": read_with_decord,
    "pyav": read_with_pyav,
    TORCHCODEC: read_with_torchcodec,
    FRAMES: read_frame_folder,
    "h264": read_transcoded_video,
    "jpeg": read_jpeg_file,
    "uint8": read_pixel_file,
}


def past_end_error(path: Path, number: int, count: int) -> DataError:
    """Return the error for a frame number that a video does not have."""
    return DataError(
        f"{path}: frame {number} is past the end: the video has {count} frames",
        "the file is shorter than recorded in the manifest; run videomae prepare again",
    )


def describe_source(path: Path) -> str:
    """Return the path of a file; for the copy of one in a shard, its name and the shard."""
    if path not in _copies:
        return str(path)
    from videomae_cli.data.shards.index import describe_member

    return describe_member(_copies[path])


def first_line(error: Exception) -> str:
    """Return the first line of the message of an error, without what `PREFIX` is, or its class."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return PREFIX.sub("", lines[0])[:160] if lines else type(error).__name__
