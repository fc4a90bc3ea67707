"""Small files with properties that few files have: sizes that change, mirrors, HDR, deep grey."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.data.make_clips import moving_square


def write_video(
    path: Path,
    frames: NDArray[np.uint8],
    *,
    codec: str,
    pixels: str,
    given: str = "rgb24",
    times: list[int] | None = None,
    **properties: object,
) -> Path:
    """Write frames; `times` in milliseconds, `properties` of the codec context."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        is_planar = given == "yuv444p"  # (T, 3, H, W)
        stream.height, stream.width = frames.shape[2:] if is_planar else frames.shape[1:3]
        stream.pix_fmt = pixels
        stream.codec_context.thread_count = 1
        for name, value in properties.items():
            setattr(stream.codec_context, name, value)
        if times:
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for number, values in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(values, format=given)
            if times:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_size_change(path: Path, first: int, sizes: tuple[tuple[int, int], ...]) -> Path:
    """Write VP8 in Matroska: `first` frames of each size (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("libvpx", rate=25)
        (stream.height, stream.width), stream.pix_fmt = sizes[0], "yuv420p"
        for part, (height, width) in enumerate(sizes):
            encoder = av.CodecContext.create("libvpx", "w")
            encoder.height, encoder.width, encoder.pix_fmt = height, width, "yuv420p"
            encoder.time_base, encoder.options = Fraction(1, 25), {"lag-in-frames": "0"}
            frames = [
                av.VideoFrame.from_ndarray(values, format="rgb24")
                for values in moving_square(first, height, width)
            ]
            for packet in [*(p for frame in frames for p in encoder.encode(frame))]:
                packet.stream = stream
                packet.pts = packet.dts = packet.pts + part * first
                packet.time_base = Fraction(1, 25)
                container.mux(packet)
    return path


def set_matrix(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Overwrite the display matrix of an MP4 file with one track."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    data[start : start + 36] = struct.pack(
        ">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30
    )
    path.write_bytes(data)
    return path
