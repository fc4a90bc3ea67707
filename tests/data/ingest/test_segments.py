"""Segments become the frames that are shown in them, and those without any are rejected."""

import itertools
from pathlib import Path

import pytest

from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo
from videomae_cli.data.ingest.random_split import random_split
from videomae_cli.data.ingest.segments import Span, place_segment, place_segments
from videomae_cli.data.layouts.video_entry import Segment, VideoEntry
from videomae_cli.errors import DataError

VIDEO = ReadableVideo(100, 25.0, 64, 48, "pyav")  # 4 seconds
VARIABLE = VIDEO._replace(frames=5, times=(0.0, 0.1, 0.5, 0.6, 2.0))


@pytest.mark.parametrize(
    ("segment", "start", "frames"),
    [
        (Segment(0, None, "frames"), 0, 100),
        (Segment(10, 30, "frames"), 10, 20),
        (Segment(0, 1, "seconds"), 0, 25),
        (Segment(1, 2, "seconds"), 25, 25),
        (Segment(0.3, 0.7, "seconds"), 8, 10),  # frames 8 (0.32 s) to 17 (0.68 s)
        (Segment(3.96, None, "seconds"), 99, 1),
        (Segment(0.001, 0.002, "seconds"), 0, 1),  # no frame starts in it: the one shown
    ],
)
def test_segment_has_the_frames_that_start_in_it(segment: Segment, start: int, frames: int) -> None:
    assert place_segment(segment, VIDEO) == (Span(start, frames), False)


def test_neighbouring_segments_share_no_frame_at_any_rate() -> None:
    for fps in (23.976, 25.0, 29.97, 30.0, 59.94):
        video = VIDEO._replace(fps=fps, frames=200)
        bounds = [number / 3 for number in range(10)]
        spans = [
            place_segment(Segment(start, end, "seconds"), video)[0]
            for start, end in itertools.pairwise(bounds)
        ]
        assert spans[0].start == 0
        for one, two in itertools.pairwise(spans):
            assert one.start is not None and two.start == one.start + one.frames


def test_times_of_a_variable_rate_decide() -> None:
    assert place_segment(Segment(0.1, 0.6, "seconds"), VARIABLE)[0] == Span(1, 2)
    assert place_segment(Segment(0.7, 1.5, "seconds"), VARIABLE)[0] == Span(3, 1)
    assert place_segment(Segment(0.6, 2.2, "seconds"), VARIABLE)[0] == Span(3, 2)


def test_segment_that_ends_a_little_late_is_cut() -> None:
    assert place_segment(Segment(3, 4.5, "seconds"), VIDEO) == (Span(75, 25), True)
    assert place_segment(Segment(90, 110, "frames"), VIDEO) == (Span(90, 10), True)
    assert place_segment(Segment(3, 4.03, "seconds"), VIDEO) == (Span(75, 25), False)


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        (Segment(4, 5, "seconds"), "the segment from 4 to 5 seconds is not in the file"),
        (Segment(3, 5.5, "seconds"), "which has 4.00 seconds"),
        (Segment(100, 101, "frames"), "which has 100 frames"),
        (Segment(0, 200, "frames"), "is not in the file"),
        (Segment(2, 2, "seconds"), "is empty"),
        (Segment(-1, 2, "seconds"), "starts before the file"),
        (Segment(float("nan"), 2, "seconds"), "is empty or starts before"),
    ],
)
def test_segment_outside_the_file_is_refused(segment: Segment, message: str) -> None:
    with pytest.raises(DataError, match=message):
        place_segment(segment, VIDEO)


def test_seconds_need_a_frame_rate_and_frames_do_not() -> None:
    still = VIDEO._replace(fps=0.0)

    assert place_segment(Segment(5, 10, "frames"), still)[0] == Span(5, 5)
    with pytest.raises(DataError, match="frame rate is unknown"):
        place_segment(Segment(0, 1, "seconds"), still)


def test_results_stay_in_order_and_each_refusal_has_a_reason() -> None:
    def entry(line: int, segment: Segment | None, path: str = "a.mp4") -> VideoEntry:
        return VideoEntry(path, 0, None, Path("list.csv"), line, segment=segment)

    entries = [
        entry(2, None),
        entry(3, Segment(0, 1, "seconds")),
        entry(4, Segment(0, 25, "frames"), "./a.mp4"),
        entry(5, Segment(7, 8, "seconds")),
        entry(6, Segment(2, 4.5, "seconds")),
        entry(7, Segment(0, 1, "seconds"), "b.mp4"),
    ]
    results: list[ReadableVideo | RejectedVideo] = [VIDEO] * 5 + [RejectedVideo("no video")]

    placed, spans, remarks = place_segments(entries, results, Path("/data"))

    assert [isinstance(one, ReadableVideo) for one in placed] == [
        True,
        True,
        False,
        False,
        True,
        False,
    ]
    assert spans[0] == Span(None, 100)
    assert spans[1] == Span(0, 25)
    assert spans[4] == Span(50, 50)
    assert placed[2] == RejectedVideo("the same frames of the file as in list.csv:3")
    assert placed[5] == RejectedVideo("no video")
    assert remarks == ["1 segment ends after its file, and is cut there (list.csv:6: 'a.mp4')"]


def test_segments_of_a_file_are_in_one_split() -> None:
    paths = [f"{number % 10}.mp4" for number in range(40)]
    labels = [number % 2 for number in range(40)]

    splits = random_split(paths, labels, fraction=0.3, seed=0)

    assert set(splits) == {"train", "val"}
    for path in set(paths):
        assert len({split for split, one in zip(splits, paths, strict=True) if one == path}) == 1
    assert len({path for path, split in zip(paths, splits, strict=True) if split == "val"}) == 4
