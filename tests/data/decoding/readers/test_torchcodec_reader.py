"""torchcodec finds the frames of PyAV, or the comparison with PyAV notices it."""

import multiprocessing
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.data.decoding.odd_clips import set_matrix, write_video
from tests.data.make_clips import moving_square, write_clip
from videomae_cli.data.decode import TORCHCODEC, read_frames, read_video
from videomae_cli.data.decoding.readers.torchcodec_reader import (
    torchcodec_frames,
)
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.ingest.decoder_choice import torchcodec_is_right
from videomae_cli.data.manifest import Video
from videomae_cli.errors import DataError

ORDERS = [[0], [29], [3, 4, 5], [1, 9, 17, 25], [20, 21, 29], [25, 3, 3, 14, 0]]
PIXELS = "yuv420p"


@pytest.mark.usefixtures("_torchcodec")
@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "libx264", PIXELS),
        ("a.mkv", "libx264", PIXELS),
        ("odd.mkv", "libx264", "yuv444p"),
        ("a.avi", "mpeg4", PIXELS),
        ("a.mp4", "mpeg4", PIXELS),
        ("a.webm", "libvpx-vp9", PIXELS),
        ("odd.mkv", "ffv1", "bgr0"),
    ],
)
def test_frames_are_those_of_pyav_in_the_order_asked_for(
    name: str, codec: str, pixels: str, tmp_path: Path
) -> None:
    height, width = (67, 99) if name.startswith("odd") else (64, 80)
    source = moving_square(30, height, width)
    path = write_video(tmp_path / name, source, codec=codec, pixels=pixels, gop_size=8)

    for order in ORDERS:
        frames = read_frames(path, order, decoder=TORCHCODEC)

        assert frames.dtype == np.uint8
        assert np.array_equal(frames, read_frames(path, order, decoder="pyav"))
    assert torchcodec_is_right(path, probe_video(path))


@pytest.mark.usefixtures("_torchcodec")
def test_variable_rates_and_rotation_are_right(tmp_path: Path) -> None:
    times = [40 * number + number**2 % 17 for number in range(30)]
    frames = moving_square(30, 48, 80)
    paths = [write_video(tmp_path / "v.mkv", frames, codec="libx264", pixels=PIXELS, times=times)]
    for number, matrix in enumerate([(0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)]):
        paths.append(set_matrix(write_clip(tmp_path / f"{number}.mp4", frames), *matrix))

    for path in paths:
        found = read_frames(path, [7, 29, 0], decoder=TORCHCODEC)

        assert np.array_equal(found, read_frames(path, [7, 29, 0], decoder="pyav"))
        assert torchcodec_is_right(path, probe_video(path))


@pytest.mark.usefixtures("_torchcodec")
def test_other_frames_are_noticed(tmp_path: Path) -> None:
    frames = moving_square(40, 64, 96)
    stream = write_clip(tmp_path / "stream.ts", frames)
    others = [
        stream,
        write_clip(tmp_path / "b_frames.avi", frames),  # which AVI cannot time
        write_clip(tmp_path / "last.flv", 49),  # the last frame is an error after a seek
        write_video(tmp_path / "deep.mkv", frames, codec="libx264", pixels="yuv420p10le"),
        set_matrix(write_clip(tmp_path / "mirror.mp4", frames), -1, 0, 0, 1),
    ]

    right = [path.name for path in others if torchcodec_is_right(path, probe_video(path))]

    assert right == []
    info = probe_video(stream)
    assert info.pyav_reason == "its format is mpegts"
    assert not torchcodec_is_right(stream, info._replace(pyav_reason=""))  # the pixels show it


@pytest.mark.usefixtures("_torchcodec")
def test_frames_of_a_segment_and_of_a_file_of_any_name(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 30).rename(tmp_path / "caf\udce9, 100 %d.mp4")
    segment = Video(path.name, None, "train", 10, 25.0, 64, 64, TORCHCODEC, start=12)

    frames = read_video(path, segment, [0, 9])

    assert np.array_equal(frames, read_frames(path, [12, 21], decoder="pyav"))
    with pytest.raises(DataError, match="frame 10 is not in a segment of 10"):
        read_video(path, segment, [10])


@pytest.mark.usefixtures("_torchcodec")
def test_files_that_cannot_be_read_are_errors_with_their_path(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", 30, key_every=30)
    stream = write_clip(tmp_path / "whole.mkv", 30, key_every=30)
    contents = {
        "empty": b"",
        "noise": bytes(range(256)) * 40,
        "page": b"<!DOCTYPE html><html>not found</html>",
        "list": b"\0#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nwhole.mp4\n",
        "cut": whole.read_bytes()[: whole.stat().st_size // 2],
        "short": stream.read_bytes()[: stream.stat().st_size // 2],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)

    reasons = {}
    for name in ("missing", *contents):
        with pytest.raises(DataError) as caught:
            read_frames(tmp_path / name, [0, 29], decoder=TORCHCODEC)
        assert str(tmp_path / name) in caught.value.message
        reasons[name] = caught.value.message

    assert "torchcodec cannot decode it: Failed to open input buffer" in reasons["noise"]
    assert ".cpp" not in reasons["noise"]
    assert "is past the end" in reasons["short"]
    for numbers in ([0, 30], [-1], []):
        with pytest.raises(DataError, match=r"whole\.mp4"):
            read_frames(whole, numbers, decoder=TORCHCODEC)


@pytest.mark.usefixtures("_torchcodec")
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="this system has no /proc")
@pytest.mark.parametrize("width", [320, 322])  # converted by swscale, and by filters of FFmpeg
def test_no_thread_is_started(width: int, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 60, height=240, width=width)
    tasks, counts = Path("/proc/self/task"), list[int]()
    is_read = threading.Event()

    def count() -> None:
        while not is_read.is_set():
            counts.append(len(list(tasks.iterdir())))

    torchcodec_frames(path, [0])
    watcher = threading.Thread(target=count)
    watcher.start()
    while not counts:
        time.sleep(0.001)
    torchcodec_frames(path, range(60))
    is_read.set()
    watcher.join()

    assert set(counts) == {counts[0]}


@pytest.mark.usefixtures("_torchcodec")
@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork"
)
def test_reading_works_on_both_sides_of_a_fork(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 20)
    read_frames(path, [3, 10], decoder=TORCHCODEC)
    child = multiprocessing.get_context("fork").Process(
        target=read_frames, args=(path, [3, 10]), kwargs={"decoder": TORCHCODEC}
    )

    child.start()
    child.join(timeout=60)

    assert child.exitcode == 0
    read_frames(path, [3, 10], decoder=TORCHCODEC)


# real files for which torchcodec must not be chosen
WRONG_IN_TORCHCODEC = ("hmdb51_", "packed_b_frames", "h264_10bit", "hd_1080p")
NOT_COMPARED = ("corrupted",)


@pytest.mark.usefixtures("_torchcodec")
@pytest.mark.parametrize("files", ["misc/[dhu]*", "trouble/*"])
def test_torchcodec_agrees_with_pyav_on_real_files_or_is_not_chosen(
    shared: Path, files: str
) -> None:
    for path in sorted((shared / "videos").glob(files)):
        if path.name.startswith(NOT_COMPARED):
            continue
        info = probe_video(path)

        is_right = torchcodec_is_right(path, info)

        assert is_right == (not path.name.startswith(WRONG_IN_TORCHCODEC)), path
        if is_right:
            numbers = [info.frames * 2 // 3, info.frames - 1, info.frames // 5]
            one, other = (read_frames(path, numbers, decoder=n) for n in (TORCHCODEC, "pyav"))
            assert one.shape == (3, info.height, info.width, 3)
            assert np.array_equal(one, other), path
