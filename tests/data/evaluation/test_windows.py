"""Windows cover a video from its start to its end, and know their frames."""

import numpy as np
import pytest

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.evaluation.windows import (
    WINDOWS_AT_ONCE,
    Window,
    group_windows,
    plan_window_requests,
    plan_windows,
    select_window_clips,
)
from videomae_cli.data.manifest import Video
from videomae_cli.data.time_sampling import FrameTimes, compute_times

CLIP = ClipSpec(frames=4, stride_frames=2, size=32, tubelet=2, patch=8)
TIMED = ClipSpec(frames=4, fps=2, size=32, tubelet=2, patch=8)


def video(frames: int, *, width: int = 64) -> Video:
    return Video("a.mp4", None, "test", frames, 10.0, width, 48, "pyav")


def windows(frames: int, seconds: float, hop: float) -> list[Window]:
    return plan_windows(compute_times("a", frames, 10.0), seconds, hop)


def test_windows_are_side_by_side_and_the_last_one_is_cut_off() -> None:
    assert windows(25, 1.0, 1.0) == [(0, 1, 0, 10), (1, 2, 10, 10), (2, 2.5, 20, 5)]
    assert windows(20, 1.0, 1.0) == [(0, 1, 0, 10), (1, 2, 10, 10)]
    assert windows(3, 1.0, 1.0) == [(0, 0.3, 0, 3)]


def test_overlapping_windows_end_with_the_first_that_reaches_the_end() -> None:
    assert windows(20, 1.0, 0.5) == [(0, 1, 0, 10), (0.5, 1.5, 5, 10), (1, 2, 10, 10)]


def test_a_longer_hop_leaves_gaps() -> None:
    assert windows(30, 0.5, 2.0) == [(0, 0.5, 0, 5), (2, 2.5, 20, 5)]


def test_an_hour_has_no_drift_and_every_frame_is_in_one_window() -> None:
    plan = plan_windows(compute_times("a", 108_000, 30.0), 0.7, 0.7)

    assert plan[-1].end == 3600 and len(plan) == 5143
    assert sum(window.frames for window in plan) == 108_000
    assert all(now.first + now.frames == then.first for now, then in zip(plan, plan[1:]))  # noqa: B905, RUF007


def test_real_times_decide_and_a_window_without_a_new_frame_shows_the_last_one() -> None:
    times = FrameTimes(np.array([0.0, 0.1, 0.2, 2.5]), 3.0)

    assert plan_windows(times, 1.0, 1.0) == [(0, 1, 0, 3), (1, 2, 2, 1), (2, 3, 3, 1)]


def test_the_clip_of_a_window_is_centred_in_it() -> None:
    window = Window(2.0, 4.0, 20, 20)

    # ten frames 2 apart: those of the window's middle
    assert select_window_clips(Protocol(1, 1), CLIP, video(60), {}, window) == [[26, 28, 30, 32]]
    assert select_window_clips(Protocol(1, 1), TIMED, video(60), {}, window) == [[20, 25, 30, 35]]


def test_a_short_window_is_sampled_as_a_short_video() -> None:
    window = Window(2.0, 2.4, 20, 4)

    assert select_window_clips(Protocol(1, 1), CLIP, video(60), {}, window) == [[20, 21, 22, 23]]
    loop = CLIP.model_copy(update={"short": "loop"})
    assert select_window_clips(Protocol(1, 1), loop, video(60), {}, window) == [[20, 22, 20, 22]]


def test_clips_in_time_follow_the_real_times_in_the_window() -> None:
    starts = np.concatenate([np.arange(20) / 10, 2 + np.arange(40) / 20])
    window = Window(2.0, 4.0, 20, 40)

    clips = select_window_clips(Protocol(1, 1), TIMED, video(60), {"a.mp4": starts}, window)

    assert clips == [[20, 30, 40, 50]]


def test_what_is_read_in_one_go_is_bounded() -> None:
    clips = [[[4 * n, 4 * n + 1, 4 * n + 2, 4 * n + 3]] for n in range(50)]

    small = group_windows(3, video(200), clips, views=1)
    several = group_windows(3, video(200), clips, views=3)
    huge = group_windows(3, video(200, width=1_000_000), clips, views=1)

    assert [len(places) for places, _ in small] == [WINDOWS_AT_ONCE] * 3 + [2]
    assert max(len(places) for places, _ in several) == 5
    assert [len(places) for places, _ in huge] == [1] * 50
    for groups in (small, several, huge):
        assert [place for places, _ in groups for place in places] == list(range(50))
        assert [one for _, request in groups for one in request.clips or ()] == [
            one for window in clips for one in window
        ]


def test_a_last_window_that_is_refused_is_named(caplog: pytest.LogCaptureFixture) -> None:
    clip = ClipSpec(frames=4, stride_frames=2, size=32, patch=8, short="refuse")
    video = Video("long.mp4", None, "test", 25, 10.0, 64, 48, "pyav")

    requests = plan_window_requests(0, video, clip, Protocol(1, 1), {}, (1.0, 1.0))

    assert [(w.start, w.end) for _, windows in requests for w in windows] == [(0, 1), (1, 2)]
    assert "long.mp4: its last window is left out: a video of 5 frames is shorter" in caplog.text
