"""Read frames with PyAV: the reference decoder, which also reads the files that decord cannot.

The number of a frame is its position in the output order of the decoder. If the container has an
index (mp4, mkv), reading starts with a seek to the last key frame before the first frame to read,
and H.264 pictures that no frame to read depends on are not decoded. Otherwise decoding starts at
the beginning: AVI stores no timestamps (packed B-frames of DivX files), and a seek in a transport
stream is not exact. Frames are upright and over white, see `pixels.py`. FFmpeg is restricted to
local files, and to formats that do not refer to other files.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from videomae_cli.data.decoding import h264
from videomae_cli.data.decoding.format_names import find_refusal
from videomae_cli.data.decoding.limits import MAX_PIXELS
from videomae_cli.data.decoding.pixels import convert_to_rgb, make_upright, read_orientation
from videomae_cli.errors import DataError

FORMATS = (
    "mov,matroska,avi,mpegts,mpeg,flv,ogg,asf,gif,m4v,mpegvideo,ivf,mxf,"
    "h264,hevc,dv,yuv4mpegpipe,mjpeg,apng,nut"
)
SEEKABLE = ("mov", "matroska")  # formats with an index of key frames
METADATA_ERRORS_UNTIL = 18  # PyAV-Org/PyAV#2386: later releases replace undecodable text themselves


@contextmanager
def open_video(path: Path, *, threads: int = 1) -> Iterator[tuple[Any, Any]]:
    """Open a file and its best video stream; yield (container, stream), valid in the block.

    Raises:
        DataError: FFmpeg cannot read the file, now or in the block, or it has no video stream.
    """
    metadata: dict[str, Any] = {}
    if int(av.__version__.split(".")[0]) <= METADATA_ERRORS_UNTIL:
        metadata["metadata_errors"] = "replace"
    restrictions = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    try:
        with av.open(str(path.absolute()), container_options=restrictions, **metadata) as container:
            stream = container.streams.best("video")
            if stream is None:
                raise DataError(f"{path}: no video stream", "is it an audio file?")
            if stream.codec_context is None:
                raise DataError(f"{path}: FFmpeg does not know its codec", "is it damaged?")
            stream.codec_context.thread_count = threads
            # coded frames may be larger than shown ones; `check_size` is exact
            stream.codec_context.options = {"max_pixels": str(2 * MAX_PIXELS)}
            yield container, stream
    except av.FFmpegError as error:
        if refusal := find_refusal(path, FORMATS):
            raise DataError(f"{path}: {refusal}") from error
        raise DataError(
            f"{path}: FFmpeg cannot decode it: {error.strerror}",
            "the file is damaged, cut off or not a video; replace it or leave it out",
        ) from error


def read(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames (T, H, W, 3; indices ascending, without duplicates).

    Raises:
        DataError: A frame cannot be decoded, or the frame size changes between them.
    """
    # without gaps from the beginning: nothing to seek, and no picture to leave out
    is_whole = indices[-1] == len(indices) - 1
    frames = _decode_from(path, indices, None if is_whole else _find_start(path, indices[0]))
    if frames is None:  # the seek went past the first frame to read
        frames = _decode_from(path, indices, None) or []
    if len(frames) < len(indices):
        raise DataError(
            f"{path}: only {len(frames)} of {len(indices)} frames can be decoded (last: "
            f"{indices[-1]})",
            "the file is damaged, or shorter than recorded in the manifest; run videomae prepare "
            "again",
        )
    for number, frame in zip(indices, frames, strict=True):
        if frame.shape != frames[0].shape:
            raise size_change_error(path, number, frames[0].shape[:2], frame.shape[:2])
    return np.stack(frames)


def size_change_error(
    path: Path, number: int, first: tuple[int, int], size: tuple[int, int]
) -> DataError:
    """Return the error for a frame whose size (H, W), upright, is not that of the first frame."""
    (height, width), (other_height, other_width) = first, size
    return DataError(
        f"{path}: the frame size changes at frame {number}: {width} x {height}, then {other_width} "
        f"x {other_height} pixels; encode it with one size: ffmpeg -i IN -vf "
        f"scale={width}:{height} OUT.mp4"
    )


class _Start(NamedTuple):
    """Where to start decoding a file whose frames are known by their timestamps."""

    timestamp: int | None
    """Of a key frame to seek to; None for the beginning."""
    numbers: dict[int, int]
    """The number of every frame by its timestamp."""


def _find_start(path: Path, first: int) -> _Start | None:
    """Return the last key frame at or before frame `first`; None to count from the beginning."""
    timestamps: list[int | None] = []
    keys: list[int] = []
    with open_video(path) as (container, stream):
        if not container.format.name.startswith(SEEKABLE):
            return None
        can_skip = h264.find_length_bytes(stream.codec_context) is not None
        if first == 0 and not can_skip:
            return None
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:
                timestamps.append(packet.pts)
                if packet.is_keyframe and packet.pts is not None:
                    keys.append(packet.pts)
    known = sorted(timestamp for timestamp in timestamps if timestamp is not None)
    if len(set(known)) < len(timestamps) or first >= len(known):
        return None
    if known[0] not in keys:  # a recording that starts inside a group of pictures
        return None
    key = max(key for key in keys if key <= known[first])
    if key == known[0] and not can_skip:
        return None
    numbers = {timestamp: number for number, timestamp in enumerate(known)}
    return _Start(None if key == known[0] else key, numbers)


def _decode_from(
    path: Path, indices: Sequence[int], start: _Start | None
) -> list[NDArray[np.uint8]] | None:
    """Decode from `start`, or the beginning, and collect frames; None if one was missed."""
    remaining = list(reversed(indices))
    frames: list[NDArray[np.uint8]] = []
    reformatter = VideoReformatter()  # one for all frames: each frame would make its own
    with open_video(path) as (container, stream):
        if start is not None and start.timestamp is not None:
            container.seek(start.timestamp, stream=stream)
        for count, frame in enumerate(_decode_needed(container, stream, indices, start)):
            number = count if start is None else start.numbers.get(frame.pts, -1)
            if number > remaining[-1]:
                return None
            if number == remaining[-1]:
                rgb_HWC = convert_to_rgb(frame, reformatter)
                frames.append(make_upright(rgb_HWC, read_orientation(frame)))
                remaining.pop()
                if not remaining:
                    break
    return frames


def _decode_needed(
    container: Any, stream: Any, indices: Sequence[int], start: _Start | None
) -> Iterator[Any]:
    """Yield decoded frames; H.264 pictures are left out if neither asked for nor referred to."""
    length_bytes = h264.find_length_bytes(stream.codec_context)
    if start is None or length_bytes is None:
        yield from container.decode(stream)
        return
    wanted = set(indices)
    for packet in container.demux(stream):
        is_wanted = not packet.size or start.numbers.get(packet.pts) in wanted
        if is_wanted or h264.is_reference(packet, length_bytes):
            yield from packet.decode()
