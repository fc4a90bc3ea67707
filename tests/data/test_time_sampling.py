"""`clip.fps` and `clip.seconds`: each frame of a clip is the one that the video shows then."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.notes import Notes
from videomae_cli.config.clip import ClipSpec
from videomae_cli.data import frame_sampling
from videomae_cli.data.manifest import Video, read_manifest, write_manifest
from videomae_cli.data.short_videos import find_short_videos, report_short_videos
from videomae_cli.data.time_sampling import (
    FrameTimes,
    compute_times,
    is_short,
    sample_clip,
    select_test_clips,
    with_times,
)
from videomae_cli.errors import DataError

# ten frames at 10 per second, then ten at 5 per second
STARTS = [*(k / 10 for k in range(10)), *(1 + k / 5 for k in range(10))]


def spec(frames: int = 4, **step: object) -> ClipSpec:
    return ClipSpec(frames=frames, size=32, patch=8, **step)


def variable() -> FrameTimes:
    return compute_times("a.mp4", 20, 6.9, STARTS)


def starts_drawn(clip: ClipSpec, times: FrameTimes) -> list[list[int]]:
    rng = np.random.default_rng(0)
    drawn = {tuple(sample_clip(clip, times, rng)) for _ in range(1000)}
    return sorted(map(list, drawn))


def test_frames_at_the_rate_of_the_video_are_consecutive() -> None:
    for fps in (10.0, 24.0, 25.0, 30000 / 1001, 59.94005994005994):
        times = compute_times("a", 100, fps)
        assert starts_drawn(spec(8, fps=fps), times) == [
            list(range(start, start + 8)) for start in range(93)
        ]


@pytest.mark.parametrize("stride", [2, 4, 5])
def test_a_constant_rate_gives_the_clips_of_the_stride(stride: int) -> None:
    timed, strided = spec(fps=25 / stride), spec(stride_frames=stride, short="repeat-last")
    times = compute_times("a", 60, 25.0)

    starts = frame_sampling.pretrain_start_range(60, 4, stride)
    assert starts_drawn(timed, times) == [[s + stride * i for i in range(4)] for s in starts]
    assert spec(seconds=4 * stride / 25).step_seconds == pytest.approx(timed.step_seconds)
    for frames in (1, 4 * stride - 1, 4 * stride, 60):
        short = is_short(timed, compute_times("a", frames, 25.0))
        assert short == frame_sampling.is_short(strided, frames)


def test_the_frame_shown_at_each_time_is_taken_whatever_the_rate_of_the_video() -> None:
    # 8 per second from a video at 30 per second: at 0, 0.125, 0.25, 0.375 s
    assert starts_drawn(spec(fps=8.0), compute_times("a", 15, 30.0)) == [[0, 3, 7, 11]]
    # more frames than the video has: each is shown twice
    assert starts_drawn(spec(fps=50.0), compute_times("a", 2, 25.0)) == [[0, 0, 1, 1]]


def test_a_variable_rate_is_followed_exactly() -> None:
    clips = starts_drawn(spec(fps=5.0), variable())

    assert clips[0] == [0, 2, 4, 6]
    assert [4, 6, 8, 10] in clips and [8, 10, 11, 12] in clips and [7, 9, 10, 11] in clips
    assert clips[-1] == [15, 16, 17, 18]  # the last frame is taken to last 0.147 s, the mean
    for clip in clips:
        ideal = STARTS[clip[0]] + np.arange(4) / 5
        for number, second in zip(clip, ideal, strict=True):
            following = STARTS[number + 1] if number < 19 else np.inf
            assert STARTS[number] <= second + 1e-6 and second + 1e-6 < following


def test_test_clips_are_evenly_spread_in_time() -> None:
    times = compute_times("a", 50, 10.0)

    assert select_test_clips(spec(fps=5.0), times, 3) == [
        [0, 2, 4, 6],
        [21, 23, 25, 27],
        [42, 44, 46, 48],
    ]
    assert select_test_clips(spec(seconds=0.8), times, 1) == [[21, 23, 25, 27]]


@pytest.mark.parametrize(
    ("short", "expected"),
    [
        ("spread", [0, 1, 3, 4]),
        ("repeat-last", [0, 2, 4, 4]),
        ("loop", [0, 2, 4, 1]),
    ],
)
def test_a_video_shorter_in_time_follows_clip_short(short: str, expected: list[int]) -> None:
    clip, times = spec(fps=5.0, short=short), compute_times("a", 5, 10.0)

    assert is_short(clip, times)
    assert starts_drawn(clip, times) == [expected]
    assert select_test_clips(clip, times, 2) == [expected] * 2


def test_candidate_slices_keep_the_step() -> None:
    for clip in (spec(fps=5.0, oversample=1.5), spec(seconds=0.8, oversample=1.5)):
        assert clip.candidates().frames == 6
        assert clip.candidates().step_seconds == pytest.approx(0.2)


def test_an_unknown_rate_is_an_error_that_names_the_video(tmp_path: Path) -> None:
    rows = [row("a.mp4", 50, 25.0), row("b.mp4", 50, 0.0)]
    with pytest.raises(DataError, match=r"b\.mp4: its frame rate is unknown"):
        find_short_videos(spec(fps=5.0), rows)
    assert find_short_videos(spec(stride_frames=2), rows) == []


def row(path: str, frames: int = 20, fps: float = 6.9) -> Video:
    return Video(path, None, "train", frames, fps, 64, 48, "pyav")


NOT_UTF8 = os.fsdecode(b"clip-\xe9.mp4")


def prepared(folder: Path, **times: object) -> Path:
    write_manifest(
        folder, root=folder, videos=[row(NOT_UTF8), row("b.mp4")], classes=None, facts={}, **times
    )
    return folder


def test_frame_times_survive_writing_and_reading_with_a_name_that_is_not_utf8(
    tmp_path: Path,
) -> None:
    manifest = read_manifest(prepared(tmp_path, times={NOT_UTF8: STARTS}))

    timed = with_times(manifest)

    assert list(timed.times) == [NOT_UTF8]
    assert timed.times[NOT_UTF8] == pytest.approx(STARTS, abs=1e-6)
    assert manifest.times == {} and timed.digest != manifest.digest
    other = prepared(tmp_path / "other", times={NOT_UTF8: [*STARTS[:-1], 9.0]})
    assert with_times(read_manifest(other)).digest not in (timed.digest, manifest.digest)
    assert read_manifest(other).digest == manifest.digest


def test_without_variable_rates_there_is_no_file_and_the_digest_is_the_manifests(
    tmp_path: Path,
) -> None:
    prepared(tmp_path, times={"b.mp4": STARTS})
    manifest = read_manifest(prepared(tmp_path))

    assert not (tmp_path / "frame_times.jsonl").exists()
    assert with_times(manifest) == manifest


def test_times_that_are_missing_or_wrong_are_an_error_of_their_own(tmp_path: Path) -> None:
    manifest = read_manifest(prepared(tmp_path, times={"b.mp4": STARTS}))
    file = tmp_path / "frame_times.jsonl"
    for text, words in (
        ("{", "frame_times.jsonl:1: not a path and its times"),
        ('{"path": "b.mp4"}\n', "frame_times.jsonl:1: not a path and its times"),
        (json.dumps({"path": "b.mp4", "times": STARTS[:-1]}), "19 times, but 20 frames"),
        (json.dumps({"path": "b.mp4", "times": STARTS[::-1]}), "do not ascend"),
    ):
        file.write_text(text)
        with pytest.raises(DataError, match=words):
            with_times(manifest)
    file.unlink()
    with pytest.raises(DataError, match=r"frame_times\.jsonl cannot be read"):
        with_times(manifest)


def test_data_prepared_before_times_were_measured_are_refused_in_time_only(tmp_path: Path) -> None:
    prepared(tmp_path)
    facts = json.loads((tmp_path / "dataset.json").read_text())
    del facts["times_digest"]
    (tmp_path / "dataset.json").write_text(json.dumps(facts))

    with pytest.raises(DataError, match="prepared by a version that did not measure"):
        with_times(read_manifest(tmp_path))


def test_the_times_of_the_manifest_decide_what_is_short(tmp_path: Path) -> None:
    timed = with_times(read_manifest(prepared(tmp_path, times={NOT_UTF8: STARTS})))
    # 20 / 6.9 = 2.90 s at a constant rate, 2.95 s by the times
    notes = Notes()

    report_short_videos(spec(seconds=2.92), timed, ("train",), notes)

    assert notes.said[0].startswith("1 of 2 train videos are shorter than a clip (4 frames over")
