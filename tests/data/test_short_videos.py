"""`clip.short` decides what a clip of a short video is, in training and tests alike."""

from pathlib import Path

import numpy as np
import pytest

from tests.data.make_clips import write_clip
from tests.notes import Notes
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.protocols import Protocol
from videomae_cli.config.training import FinetuneAugmentSpec
from videomae_cli.data.dataset import FinetuneClips
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.frame_sampling import (
    is_short,
    part_train_indices,
    sample_finetune_clip,
    sample_pretrain_clip,
    select_test_clips,
    spread_indices,
)
from videomae_cli.data.manifest import Manifest, Video
from videomae_cli.data.short_videos import find_short_videos, report_short_videos
from videomae_cli.errors import DataError


def spec(short: str, frames: int = 8, stride: int = 2, **more: object) -> ClipSpec:
    return ClipSpec(
        frames=frames, stride_frames=stride, size=32, patch=8, **{"short": short, **more}
    )


def every_clip(clip: ClipSpec, frames: int) -> list[list[int]]:
    """Return a clip of pretraining, one of fine-tuning, and three test clips."""
    rng = np.random.default_rng(0)
    return [
        sample_pretrain_clip(clip, frames, rng),
        sample_finetune_clip(clip, frames, rng),
        *select_test_clips(clip, frames, 1),
        *select_test_clips(clip, frames, 2),
    ]


@pytest.mark.parametrize(
    ("short", "sampling", "frames", "expected"),
    [
        ("spread", "dense", 6, [0, 1, 1, 2, 3, 4, 4, 5]),
        ("spread", "dense", 11, [0, 1, 3, 4, 6, 7, 9, 10]),
        ("spread", "dense", 15, [0, 2, 4, 6, 8, 10, 12, 14]),
        ("spread", "dense", 1, [0] * 8),
        ("spread", "segment", 6, [0, 1, 1, 2, 3, 4, 4, 5]),
        ("repeat-last", "dense", 6, [0, 2, 4, 5, 5, 5, 5, 5]),
        ("repeat-last", "dense", 15, [0, 2, 4, 6, 8, 10, 12, 14]),
        ("repeat-last", "segment", 6, [0, 1, 2, 3, 4, 5, 5, 5]),
        ("loop", "dense", 6, [0, 2, 4, 0, 2, 4, 0, 2]),
        ("loop", "dense", 5, [0, 2, 4, 1, 3, 0, 2, 4]),
        ("loop", "segment", 6, [0, 1, 2, 3, 4, 5, 0, 1]),
    ],
)
def test_a_short_video_has_the_same_clip_in_training_and_tests(
    short: str, sampling: str, frames: int, expected: list[int]
) -> None:
    assert every_clip(spec(short, sampling=sampling), frames) == [expected] * 5


def test_the_rules_of_v1_are_kept_under_their_name() -> None:
    pretrain, finetune, *tests = every_clip(spec("videomae-v1", 16, 4), 10)
    assert pretrain == [0, 4, *[8] * 14]
    assert finetune == [0, *[9] * 15]
    assert tests == [[0, 4, *[8] * 14]] * 3

    pretrain, finetune, one, *two = every_clip(spec("videomae-v1", sampling="segment"), 6)
    assert pretrain == finetune == [0] * 8
    assert one == [0, 0, 1, 2, 3, 3, 4, 5]
    assert two == [one, [0, 1, 1, 2, 3, 4, 4, 5]]


@pytest.mark.parametrize("short", ["spread", "repeat-last", "loop", "refuse"])
@pytest.mark.parametrize("sampling", ["dense", "segment"])
def test_longer_videos_have_the_clips_of_v1(short: str, sampling: str) -> None:
    for frames in (16, 17, 24, 40) if sampling == "dense" else (8, 16, 40):
        ours, v1 = spec(short, sampling=sampling), spec("videomae-v1", sampling=sampling)
        assert not is_short(ours, frames)
        assert every_clip(ours, frames) == every_clip(v1, frames)


def test_segments_of_training_cover_the_whole_video() -> None:
    rng = np.random.default_rng(0)

    drawn = np.array([part_train_indices(15, 8, rng) for _ in range(200)])

    # V1 takes frames 0 to 7 of 15
    assert drawn.min(axis=0).tolist() == [0, 1, 3, 5, 7, 9, 11, 13]
    assert drawn.max(axis=0).tolist() == [0, 2, 4, 6, 8, 10, 12, 14]


def test_spread_frames_are_even_and_reach_both_ends() -> None:
    for frames in range(1, 70):
        for length in (2, 8, 16):
            indices = spread_indices(frames, length)
            even = np.linspace(0, frames - 1, length)
            assert indices == sorted(indices)
            assert (indices[0], indices[-1]) == (0, frames - 1)
            assert np.abs(even - indices).max() <= 0.5
    assert spread_indices(9, 1) == [4]


@pytest.mark.parametrize("sampling", ["dense", "segment"])
def test_training_reads_the_frames_of_a_short_video_that_evaluation_reads(
    sampling: str, tmp_path: Path
) -> None:
    write_clip(tmp_path / "a.mp4", 6, seed=1)
    row = Video("a.mp4", 0, "train", 6, 25.0, 64, 64, "decord")
    clip = spec("spread", sampling=sampling)
    augment = FinetuneAugmentSpec(crop="center", flip=False)

    trained = FinetuneClips([row], tmp_path, clip, augment, 0)[3, 0].clip
    views = EvalViews([row], tmp_path, clip, Protocol(2, 1))[0].views

    frames = [np.asarray(trained[0, :, t]).tobytes() for t in range(8)]
    assert len(set(frames)) == 6
    assert all(bool((view == trained[0]).all()) for view in views)


def manifest(*frames: int) -> Manifest:
    """Return training videos of so many frames, and half of them for validation again."""
    rows = [
        Video(f"{n}.mp4", 0, "train", count, 25.0, 64, 64, "decord")
        for n, count in enumerate(frames)
    ]
    rows += [row._replace(split="val", path=f"val/{row.path}") for row in rows[::2]]
    return Manifest(Path(), tuple(rows), ("a",), "")


def test_the_short_videos_of_each_split_are_counted() -> None:
    notes = Notes()

    report_short_videos(spec("spread"), manifest(6, 15, 16, 300), ("train", "val"), notes)

    assert notes.said == [
        "2 of 4 train videos are shorter than a clip (8 frames, 2 apart: 16 frames of the video):"
        " the frames of their clips are spread evenly over the whole video"
        " (clip.short: spread)",
        "1 of 2 val videos are shorter than a clip (8 frames, 2 apart: 16 frames of the video):"
        " the frames of their clips are spread evenly over the whole video"
        " (clip.short: spread)",
    ]
    assert notes.warned == []


def test_nothing_is_said_if_no_video_is_short() -> None:
    notes = Notes()

    report_short_videos(spec("refuse"), manifest(16, 300), ("train", "val"), notes)

    assert (notes.said, notes.warned) == ([], [])


def test_the_rules_of_v1_warn() -> None:
    notes = Notes()

    v1 = spec("videomae-v1", sampling="segment")
    report_short_videos(v1, manifest(6, 300), ("train", "val"), notes)

    assert (
        "a training clip is their first frame, 8 times (clip.short: videomae-v1)"
        in (notes.warned[0])
    )
    assert notes.warned[0].endswith(
        "--set clip.short=spread spreads their frames over the whole video"
    )
    assert "spread evenly" in notes.warned[1] and "1 of 1 val" in notes.warned[1]


def test_an_evaluation_does_not_offer_what_it_cannot_change() -> None:
    notes = Notes()

    report_short_videos(spec("videomae-v1"), manifest(6), ("val",), notes, is_training=False)

    assert notes.warned[0].endswith(
        "their clips repeat one of their last frames (clip.short: videomae-v1)"
    )
    with pytest.raises(DataError) as caught:
        report_short_videos(spec("refuse"), manifest(6), ("val",), notes, is_training=False)
    assert caught.value.hint == "leave them out"


def test_refused_videos_are_counted_and_the_first_is_named() -> None:
    with pytest.raises(DataError, match=r"2 of 4 train videos .* the first is '1\.mp4' with 6 fra"):
        report_short_videos(spec("refuse"), manifest(16, 6, 15, 300), ("train",), Notes())


def test_candidate_slices_count_as_part_of_the_clip() -> None:
    clip = spec("spread", oversample=1.5)

    assert [v.frames for v in find_short_videos(clip, manifest(16, 23, 24).split("train"))] == [
        16,
        23,
    ]
