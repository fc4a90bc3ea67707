"""A row that is a segment of a file is read, sampled and evaluated as a video of its own."""

from pathlib import Path

import numpy as np
import pytest

from tests.data.make_clips import write_clip
from videomae_cli.data.decode import read_frames, read_video
from videomae_cli.data.manifest import Video, read_manifest, write_manifest
from videomae_cli.data.manifest_rows import split_name
from videomae_cli.data.time_sampling import times_of, with_times
from videomae_cli.data.training_videos import TrainingVideos
from videomae_cli.errors import DataError

SEGMENT = Video("a.mp4", 1, "train", 20, 25.0, 64, 48, "pyav", None, 30)
WHOLE = Video("a.mp4", 0, "train", 60, 25.0, 64, 48, "pyav")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "a.mp4", 60, height=48, width=64)


def test_segments_are_two_columns_that_only_manifests_with_segments_have(tmp_path: Path) -> None:
    later = SEGMENT._replace(start=0)
    written = write_manifest(
        tmp_path, root=tmp_path, videos=[WHOLE, SEGMENT, later], classes=("no", "yes"), facts={}
    )
    text = (tmp_path / "manifest.csv").read_text()

    assert read_manifest(tmp_path) == written
    assert text.splitlines() == [
        "path,label,split,frames,fps,width,height,decoder,start,end",
        "a.mp4,0,train,60,25.0,64,48,pyav,,",
        "a.mp4,1,train,20,25.0,64,48,pyav,30,50",
        "a.mp4,1,train,20,25.0,64,48,pyav,0,20",
    ]
    assert [video.name for video in written.videos] == ["a.mp4", "a.mp4#30-50", "a.mp4#0-20"]

    write_manifest(tmp_path, root=tmp_path, videos=[WHOLE], classes=("no", "yes"), facts={})
    assert (tmp_path / "manifest.csv").read_text().splitlines()[0].endswith("height,decoder")


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ("30,51", "start 30 and end 51 are not those of 20 frames"),
        ("-5,15", "start -5 and end 15"),
        ("30,", "invalid literal"),
        ("30", "9 cells, expected 10"),
    ],
)
def test_wrong_segments_are_refused(tmp_path: Path, span: str, message: str) -> None:
    write_manifest(tmp_path, root=tmp_path, videos=[SEGMENT], classes=("no", "yes"), facts={})
    file = tmp_path / "manifest.csv"
    file.write_text(file.read_text().replace("30,50", span))

    with pytest.raises(DataError, match=message) as failure:
        read_manifest(tmp_path)
    assert failure.value.message.startswith(f"{file}:2: ")


def test_same_segment_twice_is_refused(tmp_path: Path) -> None:
    twice = [SEGMENT, SEGMENT._replace(label=0)]
    with pytest.raises(DataError, match=r"'a\.mp4#30-50' is twice in the data set"):
        write_manifest(tmp_path, root=tmp_path, videos=twice, classes=("no", "yes"), facts={})

    write_manifest(tmp_path, root=tmp_path, videos=[SEGMENT], classes=("no", "yes"), facts={})
    file = tmp_path / "manifest.csv"
    file.write_text(file.read_text() + file.read_text().splitlines()[1] + "\n")
    with pytest.raises(DataError, match=r"'a\.mp4#30-50' is already in line 2"):
        read_manifest(tmp_path)


def test_frames_of_a_segment_are_those_of_the_file_from_its_start(clip: Path) -> None:
    frames = read_video(clip, SEGMENT, [0, 7, 19, 7])

    np.testing.assert_array_equal(frames, read_frames(clip, [30, 37, 49, 37], decoder="pyav"))
    for number in (20, -1):
        with pytest.raises(DataError):
            read_video(clip, SEGMENT, [number])


@pytest.mark.parametrize("is_cached", [True, False])
def test_training_never_leaves_a_segment(
    clip: Path, is_cached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_cached:
        monkeypatch.setattr("videomae_cli.data.training_videos.CACHE_BYTES", 0)
    videos = [SEGMENT, SEGMENT._replace(start=0)]
    clips = TrainingVideos(videos, clip.parent, lambda video, _: [0, video.frames - 1], seed=0)

    for index, numbers in enumerate(([30, 49], [0, 19])):
        expected = read_frames(clip, numbers, decoder="pyav")
        np.testing.assert_array_equal(clips.read(0, index).frames, expected)


def test_times_of_a_segment_start_at_its_first_frame(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.5, 0.6, 2.0, 2.1]
    inner = SEGMENT._replace(start=2, frames=2)
    last = SEGMENT._replace(start=4, frames=2)
    beyond = SEGMENT._replace(start=5, frames=4)
    write_manifest(
        tmp_path,
        root=tmp_path,
        videos=[inner, last, beyond],
        classes=("no", "yes"),
        facts={},
        times={"a.mp4": times},
    )
    manifest = with_times(read_manifest(tmp_path))

    measured = times_of(inner, manifest.times)
    np.testing.assert_allclose(measured.starts, [0, 0.1])
    assert measured.end == pytest.approx(1.5)  # when the next frame of the file is shown
    measured = times_of(last, manifest.times)
    np.testing.assert_allclose(measured.starts, [0, 0.1])
    assert measured.end == pytest.approx(2.1 * 6 / 5 - 2)  # when the file ends
    with pytest.raises(DataError, match="only 6 measured frame times"):
        times_of(beyond, manifest.times)
    assert times_of(inner, {}).end == pytest.approx(2 / 25)


def test_last_segment_of_a_variable_rate_ends_with_the_file(tmp_path: Path) -> None:
    times = {"a.mp4": np.array([0.0, 0.1, 0.5, 0.6])}
    last = SEGMENT._replace(start=3, frames=1)

    measured = times_of(last, times)

    np.testing.assert_allclose(measured.starts, [0])
    assert measured.end == pytest.approx(0.2)  # the mean of the others


def test_file_that_cannot_be_read_costs_all_its_segments_one_attempt(clip: Path) -> None:
    gone = [SEGMENT._replace(path="gone.mp4", start=number) for number in range(12)]
    clips = TrainingVideos([*gone, SEGMENT], clip.parent, lambda *_: [0, 1], seed=0)

    found = clips.read(0, 0)

    assert found.video == SEGMENT and found.failed == 1
    np.testing.assert_array_equal(found.frames, read_frames(clip, [30, 31], decoder="pyav"))


def test_names_lead_back_to_the_file() -> None:
    for video in (SEGMENT, WHOLE, SEGMENT._replace(path="odd #1,\n.mp4")):
        assert split_name(video.name) == (video.path, video.start or 0)
