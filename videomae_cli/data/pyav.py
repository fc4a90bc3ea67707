"""Frames through PyAV: the reference decoder, which takes over where decord cannot read.

A frame's number is its place in the order in which the decoder puts frames out. Where the container
holds an index (mp4, mkv) we seek to the last key frame before the first wanted frame. Elsewhere we
decode from the start: AVI stores no timestamps (packed B-frames of DivX files!), and a seek in a
transport stream may land anywhere. Rotation flags are applied; of several video streams FFmpeg's
"best" is read.

FFmpeg is kept on a leash: local files only, and no format that names other files (playlists, image
sequences).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from videomae_cli.errors import DataError

FORMATS = "mov,matroska,avi,mpegts,mpeg,flv,ogg,asf,gif,m4v,mpegvideo,ivf,mxf"
SEEKABLE = ("mov", "matroska")  # they hold an index of key frames; others guess
METADATA_ERRORS_UNTIL = (
    18  # PyAV-Org/PyAV#2386: later releases replace undecodable text by themselves
)


@contextmanager
def open_video(path: Path, *, threads: int = 1) -> Iterator[tuple[Any, Any]]:
    """Open a file and its best video stream; yield (container, stream), valid in the block.

    Raises:
        DataError: FFmpeg cannot read the file, now or in the block, or it has no video stream.
    """
    lenient: dict[str, Any] = {}
    if int(av.__version__.split(".")[0]) <= METADATA_ERRORS_UNTIL:
        lenient["metadata_errors"] = "replace"
    leash = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    try:
        with av.open(str(path.absolute()), container_options=leash, **lenient) as container:
            stream = container.streams.best("video")
            if stream is None:
                raise DataError(f"{path}: no video stream", "is this a sound file?")
            if stream.codec_context is None:
                raise DataError(f"{path}: a codec that FFmpeg does not know", "is it damaged?")
            stream.codec_context.thread_count = threads
            yield container, stream
    except av.FFmpegError as error:
        raise DataError(
            f"{path}: FFmpeg cannot decode it: {error.strerror}",
            "the file is damaged, cut off or not a video; replace it or leave it out",
        ) from error


def read(path: Path, wanted: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames by number (ascending, no doubles).

    Raises:
        DataError: The file cannot be decoded or has fewer frames.
    """
    entry = _entry(path, wanted[0]) if wanted[0] else None
    frames = _collect(path, wanted, entry)
    if frames is None:  # the seek went past the first wanted frame
        frames = _collect(path, wanted, None)
    if frames is None or len(frames) < len(wanted):
        found = 0 if frames is None else len(frames)
        raise DataError(
            f"{path}: {found} of {len(wanted)} wanted frames decode (last wanted: {wanted[-1]})",
            "the file is shorter than the manifest says or damaged; run videomae prepare again",
        )
    return np.stack(frames)


def pixels(frame: Any) -> NDArray[np.uint8]:
    """Return one decoded frame as RGB, upright."""
    rgb: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    return np.rot90(rgb, k=round(frame.rotation / 90) % 4) if frame.rotation else rgb


class _Entry(NamedTuple):
    """A key frame to start from, by its timestamp, and the number of every frame by its own."""

    time: int
    numbers: Mapping[int, int]


def _entry(path: Path, first: int) -> _Entry | None:
    """Return the last key frame at or before frame `first`; None where all must be decoded."""
    times: list[int | None] = []
    keys: list[int] = []
    with open_video(path) as (container, stream):
        if not container.format.name.startswith(SEEKABLE):
            return None
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:
                times.append(packet.pts)
                if packet.is_keyframe and packet.pts is not None:
                    keys.append(packet.pts)
    known = sorted(time for time in times if time is not None)
    if len(set(known)) < len(times) or first >= len(known):
        return None
    time = max((key for key in keys if key <= known[first]), default=known[0])
    if time == known[0]:
        return None
    return _Entry(time, {time: number for number, time in enumerate(known)})


def _collect(
    path: Path, wanted: Sequence[int], entry: _Entry | None
) -> list[NDArray[np.uint8]] | None:
    """Decode from the entry, or the start, and keep the wanted frames; None when one went by."""
    remaining = list(reversed(wanted))
    frames: list[NDArray[np.uint8]] = []
    with open_video(path) as (container, stream):
        if entry is not None:
            container.seek(entry.time, stream=stream)
        for count, frame in enumerate(container.decode(stream)):
            number = count if entry is None else entry.numbers.get(frame.pts, -1)
            if number > remaining[-1]:
                return None
            if number == remaining[-1]:
                frames.append(pixels(frame))
                remaining.pop()
                if not remaining:
                    break
    return frames
