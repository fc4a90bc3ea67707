"""Statistics of pixels are those of the frames that the rule names."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.data.make_clips import write_clip
from videomae_cli.data.decode import read_frames
from videomae_cli.data.decoding.channels import compute_luma
from videomae_cli.data.decoding.pixel_moments import PixelMoments
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.pixel_statistics import read_statistics, summarize_pixels
from videomae_cli.errors import DataError


def expected_moments(frames_THWC: NDArray[np.uint8]) -> list[float]:
    pixels = np.concatenate([frames_THWC, compute_luma(frames_THWC)], axis=3) / 255.0
    pixels = pixels.reshape(-1, 4)
    return [*pixels.mean(axis=0), *np.square(pixels).mean(axis=0)]


@pytest.mark.parametrize(("count", "used"), [(1, 1), (5, 5), (8, 8), (9, 5), (30, 8), (33, 5)])
def test_at_most_eight_frames_evenly_spread_are_measured_while_a_video_is_decoded(
    count: int, used: int, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "a.mkv", count, codec="ffv1")
    frames = read_frames(clip, range(count), decoder="pyav")
    step = next(step for step in (1, 2, 4, 8) if len(frames[::step]) <= 8)

    moments = probe_video(clip).moments

    assert len(frames[::step]) == used
    np.testing.assert_allclose(moments, expected_moments(frames[::step]), rtol=1e-12)


def test_large_frames_are_measured_on_a_grid_of_at_most_128_rows_and_columns() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (300, 100, 3), dtype=np.uint8)
    moments = PixelMoments()

    moments.add(0, lambda: frame)

    np.testing.assert_allclose(moments.conclude(), expected_moments(frame[None, ::3]), rtol=1e-12)


@pytest.mark.parametrize("expected", [0, 3, 64, 100])
def test_a_wrong_frame_count_in_a_header_changes_the_number_of_frames_only(expected: int) -> None:
    read: list[int] = []
    moments = PixelMoments(expected)
    for number in range(64):

        def frame(number: int = number) -> NDArray[np.uint8]:
            read.append(number)
            return np.full((2, 2, 1), number, np.uint8)

        moments.add(number, frame)

    step = 16 if expected == 100 else 8
    mean, square = moments.conclude()
    assert mean == pytest.approx(np.arange(0, 64, step).mean() / 255)
    assert square == pytest.approx(np.square(np.arange(0, 64, step) / 255).mean())
    assert len(read) <= 24


def test_a_frame_that_cannot_be_measured_leaves_the_video_out_and_stops_nothing() -> None:
    def fail() -> NDArray[np.uint8]:
        raise MemoryError("no memory")

    moments = PixelMoments()
    moments.add(0, lambda: np.zeros((2, 2, 3), np.uint8))
    moments.add(1, fail)

    assert moments.conclude() == ()
    assert PixelMoments().conclude() == ()
    assert summarize_pixels([(), ()], 3) == {"channels": 3, "measured_videos": 0}


def test_every_video_counts_the_same_and_differences_between_videos_are_in_the_std() -> None:
    dark, bright = np.zeros((1, 8, 8, 3), np.uint8), np.full((1, 8, 8, 3), 255, np.uint8)
    rows = [expected_moments(frames) for frames in (dark, bright, bright)]

    facts = summarize_pixels([rows[0], (), *rows[1:]], 3)

    assert facts["measured_videos"] == 3
    assert facts["channel_mean"] == [0.666667] * 3 and facts["luma_mean"] == 0.666667
    assert facts["channel_std"] == [round(np.std([0, 1, 1]), 6)] * 3


def test_statistics_are_chosen_by_the_channels_of_a_clip(tmp_path: Path) -> None:
    facts = {"channels": 3, "channel_mean": [0.1, 0.2, 0.3], "channel_std": [0.4, 0.5, 0.6]}
    file = tmp_path / "dataset.json"
    file.write_text(json.dumps({**facts, "luma_mean": 0.25, "luma_std": 0.45}))

    statistics = read_statistics(tmp_path)

    assert statistics.select(3) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert statistics.select(1) == ((0.25,), (0.45,))
    assert statistics.select(2) is None
    file.write_text("{}")
    assert read_statistics(tmp_path).select(3) is None
    for damaged in ({"channel_mean": [0.1]}, {"channel_mean": "x"}, {"channels": None}):
        file.write_text(json.dumps({**facts, **damaged}))
        with pytest.raises(DataError, match=r"dataset\.json: "):
            read_statistics(tmp_path)
