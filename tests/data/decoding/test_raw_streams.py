"""Streams without a container: FFmpeg says 25 frames per second for all of them."""

from pathlib import Path

import av
import pytest

from tests.data.make_clips import moving_square
from videomae_cli.data.decoding.timing import ASSUMED_RATE
from videomae_cli.data.decoding.video_info import probe_video

FRAMES = 12


def write_raw(path: Path, codec: str, format_name: str) -> Path:
    """Write a stream of 20 frames per second without a container."""
    with av.open(str(path), "w", format=format_name) as container:
        stream = container.add_stream(codec, rate=20)
        stream.width, stream.height = 64, 64
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for frame in moving_square(FRAMES, 64, 64):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("codec", "format_name", "fps"),
    [
        ("libx264", "h264", 20.0),
        ("mpeg4", "m4v", 20.0),
        ("mpeg2video", "mpeg2video", 20.0),
        ("mjpeg", "mjpeg", 25.0),
    ],
)
def test_the_rate_is_that_of_the_bit_stream_or_a_note_says_that_there_is_none(
    tmp_path: Path, codec: str, format_name: str, fps: float
) -> None:
    info = probe_video(write_raw(tmp_path / "a.bin", codec, format_name))

    assert (info.frames, info.fps, info.times) == (FRAMES, fps, ())
    assert (ASSUMED_RATE in info.notes) == (codec == "mjpeg")


def test_motion_jpeg_in_a_container_has_its_rate(tmp_path: Path) -> None:
    info = probe_video(write_raw(tmp_path / "a.avi", "mjpeg", "avi"))

    assert (info.frames, info.fps) == (FRAMES, 20.0) and ASSUMED_RATE not in info.notes
