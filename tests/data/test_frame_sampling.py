"""Frame numbers of a clip equal the published rules exactly."""

import numpy as np
import pytest

from videomae_cli.data.frame_sampling import (
    dense_end_range,
    dense_test_indices,
    dense_train_indices,
    mmaction2_test_indices,
    pretrain_indices,
    pretrain_start_range,
    segment_test_indices,
    segment_train_indices,
)

LENGTHS = [*range(1, 200), 250, 299, 300, 301, 600, 1999, 2000]


def test_pretraining_steps_by_the_stride_from_the_start() -> None:
    assert pretrain_indices(300, 16, 4, 7) == list(range(7, 7 + 64, 4))
    assert pretrain_start_range(300, 16, 4) == range(237)


def test_pretraining_on_a_short_video_repeats_the_last_frame_it_reaches() -> None:
    assert pretrain_indices(40, 16, 4, 0) == [*range(0, 37, 4), *[36] * 6]
    assert pretrain_indices(20, 16, 4, 0) == [0, 4, 8, 12, *[16] * 12]
    assert pretrain_indices(10, 16, 4, 0) == [0, 4, *[8] * 14]
    assert pretrain_indices(9, 16, 4, 0) == [0, *[4] * 15]  # frame 8 is never reached
    assert pretrain_indices(1, 16, 4, 0) == [0] * 16
    assert pretrain_start_range(40, 16, 4) == range(1)


def test_dense_training_spreads_over_the_span() -> None:
    offsets = [0, 4, 8, 12, 17, 21, 25, 29, 34, 38, 42, 46, 51, 55, 59, 63]

    assert dense_train_indices(300, 16, 4, 228) == [164 + offset for offset in offsets]
    assert dense_end_range(300, 16, 4) == range(64, 300)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (50, [0, 4, 9, 13, 18, 22, 27, 31, 36, 40, 45, *[49] * 5]),
        (30, [0, 5, 10, 15, 20, 25, *[29] * 10]),
        (10, [0, *[9] * 15]),
        (3, [2] * 16),
    ],
)
def test_dense_training_on_a_short_video_stretches_then_repeats(
    frames: int, expected: list[int]
) -> None:
    assert dense_train_indices(frames, 16, 4, 64) == expected
    assert dense_end_range(frames, 16, 4) == range(64, 65)


@pytest.mark.parametrize(
    ("frames", "starts", "last"),
    [
        (50, [0, 0, 0, 0, 0], 48),
        (65, [0, 0, 0, 0, 4], 64),
        (150, [0, 20, 44, 64, 88], 148),
        (250, [0, 44, 92, 140, 188], 248),
        (300, [0, 56, 116, 176, 236], 296),
        (301, [0, 60, 120, 180, 240], 300),
    ],
)
def test_dense_test_clips_begin_where_the_published_ones_do(
    frames: int, starts: list[int], last: int
) -> None:
    clips = dense_test_indices(frames, 16, 4, 5)

    assert [clip[0] for clip in clips] == starts
    assert clips[-1][-1] == last


def test_one_dense_test_clip_comes_from_the_middle() -> None:
    assert dense_test_indices(300, 16, 4, 1) == [list(range(116, 180, 4))]
    assert dense_test_indices(10, 4, 4, 1) == [[0, 4, 8, 8]]


def test_dense_test_equals_the_rule_as_published_with_floats() -> None:
    for frames in LENGTHS:
        for clips in (2, 5, 7, 10):
            entries = list(range(0, frames, 4))
            entries += [entries[-1]] * (16 - len(entries))
            step = max((len(entries) - 16) / (clips - 1), 0)
            expected = [entries[int(k * step) : int(k * step) + 16] for k in range(clips)]

            assert dense_test_indices(frames, 16, 4, clips) == expected


def test_segment_test_clips_interleave() -> None:
    assert segment_test_indices(48, 16, 2) == [list(range(0, 48, 3)), list(range(1, 48, 3))]
    first, second = segment_test_indices(33, 16, 2)
    assert first == list(range(0, 32, 2))
    assert second == list(range(1, 33, 2))


def test_segment_training_takes_one_frame_from_each_part() -> None:
    rng = np.random.default_rng(0)

    drawn = np.array([segment_train_indices(47, 16, rng) for _ in range(200)])

    assert (drawn // 2 == np.arange(16)).all()  # parts of 2 frames; the tail from 32 on is unseen
    assert (drawn.min(axis=0) == np.arange(16) * 2).all()
    assert (drawn.max(axis=0) == np.arange(16) * 2 + 1).all()
    assert segment_train_indices(15, 16, rng) == [0] * 16


def test_mmaction2_rounds_half_to_even_and_wraps() -> None:
    starts = [clip[0] for clip in mmaction2_test_indices(76, 16, 4, 5)]

    assert starts == [0, 4, 8, 11, 15]
    assert mmaction2_test_indices(10, 6, 4, 1) == [[0, 4, 8, 2, 6, 0]]


@pytest.mark.parametrize("stride", [1, 2, 4, 5])
@pytest.mark.parametrize("length", [2, 8, 16])
def test_every_rule_stays_inside_the_video_and_fills_the_clip(length: int, stride: int) -> None:
    rng = np.random.default_rng(0)
    for frames in LENGTHS:
        starts = pretrain_start_range(frames, length, stride)
        ends = dense_end_range(frames, length, stride)
        sampled = [
            *(pretrain_indices(frames, length, stride, start) for start in (starts[0], starts[-1])),
            *(dense_train_indices(frames, length, stride, end) for end in (ends[0], ends[-1])),
            segment_train_indices(frames, length, rng),
            *(clip for n in (1, 3, 5) for clip in dense_test_indices(frames, length, stride, n)),
            *(clip for n in (1, 2, 3) for clip in segment_test_indices(frames, length, n)),
        ]

        for clip in sampled:
            assert len(clip) == length
            assert min(clip) >= 0
            assert max(clip) < frames
            assert clip == sorted(clip)
        for clip in mmaction2_test_indices(frames, length, stride, 5):
            assert len(clip) == length
            assert all(0 <= frame < frames for frame in clip)
