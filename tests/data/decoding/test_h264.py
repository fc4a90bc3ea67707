"""H.264 pictures that no other picture needs are not decoded, and the others stay the same."""

from pathlib import Path

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from videomae_cli.data.decoding import h264, pyav

FRAMES = 90
TELLS_INTERLACED = hasattr(VideoCodecContext, "field_order")  # since PyAV 18


def write_clip(path: Path, **options: str) -> Path:
    """Write moving noise, so that a frame in the wrong place is seen."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(FRAMES):
            moved = np.ascontiguousarray(np.roll(picture, 3 * number, axis=1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        container.mux(stream.encode())
    return path


def decode_all(path: Path) -> NDArray[np.uint8]:
    with pyav.open_video(path) as (container, stream):
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])


def copy_from_second_key(source: Path, target: Path) -> None:
    """Copy packets from the second key frame on, which those before it in time follow."""
    with av.open(str(source)) as given, av.open(str(target), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        keys = 0
        for packet in given.demux(video=0):
            keys += packet.is_keyframe and packet.size > 0
            if keys > 1 and packet.size:
                packet.stream = stream
                container.mux(packet)


def count_unneeded(path: Path) -> int:
    with pyav.open_video(path) as (container, stream):
        length_bytes = h264.find_length_bytes(stream.codec_context)
        assert length_bytes is not None
        packets = [packet for packet in container.demux(stream) if packet.size]
        return sum(not h264.is_reference(packet, length_bytes) for packet in packets)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(
    "options",
    [
        {"bf": "3", "g": "30"},
        {"bf": "3", "g": "250", "x264-params": "b-pyramid=none"},
        {"bf": "2", "g": "12", "x264-params": "open-gop=1"},
        {"bf": "2", "g": "40", "x264-params": "slices=4"},
    ],
)
def test_frames_equal_those_of_a_whole_decode(
    tmp_path: Path, suffix: str, options: dict[str, str]
) -> None:
    path = write_clip(tmp_path / f"clip{suffix}", **options)
    every = decode_all(path)
    rng = np.random.default_rng(1)
    assert len(every) == FRAMES
    assert not TELLS_INTERLACED or count_unneeded(path) > FRAMES // 4

    for _ in range(12):
        indices = sorted({int(number) for number in rng.integers(0, FRAMES, rng.integers(1, 17))})
        assert np.array_equal(pyav.read(path, indices), every[indices]), indices
    assert np.array_equal(pyav.read(path, range(FRAMES)), every)


def test_a_video_of_references_alone_loses_nothing(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", bf="0", g="16")

    assert not TELLS_INTERLACED or count_unneeded(path) == 0
    assert np.array_equal(pyav.read(path, [3, 40, 89]), decode_all(path)[[3, 40, 89]])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_no_picture_of_interlaced_video_is_left_out(tmp_path: Path, suffix: str) -> None:
    path = write_clip(tmp_path / f"clip{suffix}", bf="3", **{"x264-params": "interlaced=1"})
    every = decode_all(path)

    with pyav.open_video(path) as (_, stream):
        assert h264.find_length_bytes(stream.codec_context) is None
    assert np.array_equal(pyav.read(path, [3, 40, 89]), every[[3, 40, 89]])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_recording_that_starts_inside_a_group_of_pictures_is_counted(
    tmp_path: Path, suffix: str
) -> None:
    options = {"bf": "3", "g": "24", "x264-params": "open-gop=1:scenecut=0"}
    whole, cut = write_clip(tmp_path / f"whole{suffix}", **options), tmp_path / f"cut{suffix}"
    copy_from_second_key(whole, cut)
    every = decode_all(cut)

    assert len(every) < FRAMES - 20
    for number in range(0, len(every), 3):
        assert np.array_equal(pyav.read(cut, [number])[0], every[number]), number
    assert np.array_equal(pyav.read(cut, [2, 9, 44]), every[[2, 9, 44]])


def test_real_clips_give_the_frames_of_a_whole_decode(shared: Path) -> None:
    names = ("kinetics_b.mp4", "kinetics_c.mp4", "bikes.mp4")
    for path in (shared / "videos" / "misc" / name for name in names):
        every = decode_all(path)
        for start in (0, 61, 118):
            indices = range(start, start + 64, 4)
            assert np.array_equal(pyav.read(path, indices), every[list(indices)]), (path, start)
