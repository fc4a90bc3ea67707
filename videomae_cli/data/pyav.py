"""Frames through PyAV: the reference decoder, which takes over where decord cannot read.

A frame's number is its place in the order in which the decoder puts frames out. Where the
container's timestamps can be trusted we seek to the last key frame before the first wanted frame;
AVI stores none, so there (packed B-frames of DivX files!) we decode from the start. Rotation flags
are applied; of several video streams FFmpeg's "best" is read.

FFmpeg is kept on a leash: local files only, and no format that names other files (playlists, image
sequences).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from videomae_cli.errors import DataError

FORMATS = "mov,matroska,avi,mpegts,mpeg,flv,ogg,asf,gif,m4v,mpegvideo,ivf,mxf"
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
    with open_video(path) as (container, stream):
        numbers = _seek(container, stream, wanted[0])
        frames = _collect(container, stream, wanted, numbers)
        if frames is None:  # the seek went past the first wanted frame
            container.seek(0)
            frames = _collect(container, stream, wanted, None)
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


def _seek(container: Any, stream: Any, first: int) -> Mapping[int, int] | None:
    """Go to the last key frame at or before frame `first`.

    Returns:
        Frame number by timestamp, or None where frames have to be counted from the start.
    """
    if first == 0 or container.format.name == "avi":
        return None
    times: list[int | None] = []
    keys: list[int] = []
    for packet in container.demux(stream):
        if packet.size and not packet.is_discard:
            times.append(packet.pts)
            if packet.is_keyframe and packet.pts is not None:
                keys.append(packet.pts)
    known = sorted(time for time in times if time is not None)
    trusted = len(set(known)) == len(times)
    entry = max(
        (key for key in keys if trusted and first < len(known) and key <= known[first]),
        default=None,
    )
    if entry is None or entry == known[0]:
        container.seek(0)
        return None
    container.seek(entry, stream=stream)
    return {time: number for number, time in enumerate(known)}


def _collect(
    container: Any, stream: Any, wanted: Sequence[int], numbers: Mapping[int, int] | None
) -> list[NDArray[np.uint8]] | None:
    """Decode on from here and keep the wanted frames; None when the first of them has gone by."""
    remaining = list(reversed(wanted))
    frames: list[NDArray[np.uint8]] = []
    for count, frame in enumerate(container.decode(stream)):
        number = count if numbers is None else numbers.get(frame.pts, -1)
        if number > remaining[-1]:
            return None
        if number == remaining[-1]:
            frames.append(pixels(frame))
            remaining.pop()
            if not remaining:
                break
    return frames
