"""Read the frames of a stream or a camera, one after the other, until it ends.

Only what a user names with `--stream` is read here: unlike `pyav.py`, this file lets FFmpeg use the
network and devices. Frames are upright and over white, see `pixels.py`.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.decoding.pixels import convert_to_rgb, make_upright, read_orientation
from videomae_cli.errors import DataError

OPEN_SECONDS, READ_SECONDS = 20.0, 20.0
USUAL_RATE = 25.0  # of a stream that states none, until its times are known
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://.")
_PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")
_NETWORK = "http,https,tcp,tls,udp,rtp,rtsp,rtmp,rtmps,srt,hls,httpproxy,crypto"
_CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}:none")}


class StreamFrame(NamedTuple):
    """A frame of a stream."""

    seconds: float
    """From the first frame; ascending."""
    pixels: NDArray[np.uint8]
    """(H, W, 3)"""
    rate: float
    """Frames per second that the stream states."""


def hide_password(source: str) -> str:
    """Return the name of a stream without the user and the password in it."""
    return _PASSWORD.sub("", source)


def read_stream(source: str) -> Iterator[StreamFrame]:
    """Yield the frames of a stream until it ends.

    Args:
        source: A URL, a device, the number of a camera, or a local file or pipe.

    Raises:
        DataError: It cannot be opened, has no video, or sends nothing for `READ_SECONDS`.
    """
    name = hide_password(source)
    with _explain(name), av.open(**_arguments(source, name)) as container:
        stream = container.streams.best("video")
        if stream is None or stream.codec_context is None:
            raise DataError(f"{name}: no video in this stream")
        rate = float(stream.average_rate or stream.guessed_rate or USUAL_RATE)
        offset, last = None, -1 / rate
        for frame in container.decode(stream):
            time = last + 1 / rate if frame.time is None else frame.time
            if offset is None or time - offset <= last:  # the first frame, or the clock was reset
                offset = time - last - 1 / rate
            last = time - offset
            pixels = make_upright(convert_to_rgb(frame), read_orientation(frame))
            yield StreamFrame(last, pixels, rate)


@contextmanager
def _explain(name: str) -> Iterator[None]:
    """Turn errors of FFmpeg and of the system in this block into a DataError."""
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"{name}: the stream cannot be read: {reason}",
            "check the address, and that no other program uses the device",
        ) from error


def _arguments(source: str, name: str) -> dict[str, Any]:
    """Return the arguments of `av.open`."""
    arguments: dict[str, Any] = {
        "timeout": (OPEN_SECONDS, READ_SECONDS),
        "metadata_errors": "replace",
    }
    if _URL.match(source):
        options = {"protocol_whitelist": _NETWORK}
        if source.lower().startswith("rtsp"):
            options["rtsp_transport"] = "tcp"  # lost packets of UDP are grey blocks in the frames
        return {**arguments, "file": source, "container_options": options}
    if source.isdecimal() or source.startswith("/dev/video"):
        if sys.platform not in _CAMERAS:
            raise DataError(f"{name}: cameras are read on Linux and macOS only", "give a URL")
        kind, pattern = _CAMERAS[sys.platform]
        device = pattern.format(source) if source.isdecimal() else source
        return {**arguments, "file": device, "format": kind}
    if not Path(source).exists():
        raise DataError(f"{name}: no such file or device")
    return {**arguments, "file": source, "container_options": {"protocol_whitelist": "file,pipe"}}
