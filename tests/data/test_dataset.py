"""A sample is a function of (seed, epoch, index, repeat) and of nothing else."""

import logging
import pickle
from bisect import bisect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.data.make_clips import write_clip
from tests.data.short_side import resize_short_side
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.protocols import Protocol
from videomae_cli.config.training import FinetuneAugmentSpec, PretrainAugmentSpec
from videomae_cli.data import decode
from videomae_cli.data.batches import AnyBatch, collate
from videomae_cli.data.dataset import FinetuneClips, PretrainClips
from videomae_cli.data.decode import read_frames
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.frame_sampling import (
    dense_test_indices,
    pretrain_indices,
    pretrain_start_range,
    segment_test_indices,
)
from videomae_cli.data.manifest import Video
from videomae_cli.data.resize import center_crop
from videomae_cli.errors import DataError, RecipeError

CLIP = ClipSpec(frames=4, stride_frames=2, size=32, patch=8)
PLAIN = PretrainAugmentSpec(crop="center", flip=False)
VARIED = PretrainAugmentSpec(crop="multiscale", flip=True)
COUNTS = (30, 12, 5, 24)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number, count in enumerate(COUNTS):
        write_clip(folder / f"{number}.mp4", count, height=64, width=80, seed=number)
    return folder


def rows(*counts: int) -> list[Video]:
    return [
        Video(f"{number}.mp4", number % 2, "train", count, 25.0, 80, 64, "decord")
        for number, count in enumerate(counts or COUNTS)
    ]


def finetune(root: Path, **augment: Any) -> FinetuneClips:
    spec = FinetuneAugmentSpec(**{"crop": "random-resized", "flip": True, **augment})
    return FinetuneClips(rows(), root, CLIP, spec, 0)


def is_equal(one: AnyBatch, other: AnyBatch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_pretraining_sample_has_clip_noise_and_index(root: Path) -> None:
    sample = PretrainClips(rows(), root, CLIP, VARIED, 0)[0, 3]

    assert {key: (tuple(v.shape), v.dtype) for key, v in sample._asdict().items()} == {
        "clip": ((1, 3, 4, 32, 32), torch.uint8),
        "noise": ((1, 2, 32), torch.float32),
        "indices": ((1,), torch.int64),
        "failed": ((1,), torch.int64),
    }
    assert sample.indices.item() == 3
    assert sample.failed.item() == 0
    assert 0 <= sample.noise.min() < sample.noise.max() < 1


def test_the_clip_contains_the_frames_of_the_rule_as_channel_time_row_column(root: Path) -> None:
    clip = PretrainClips(rows(), root, CLIP, PLAIN, 0)[0, 0].clip[0]

    possible = [
        center_crop(read_frames(root / "0.mp4", pretrain_indices(30, 4, 2, start)), 32, 32)
        for start in pretrain_start_range(30, 4, 2)
    ]
    matching = [
        start
        for start, THWC in enumerate(possible)
        if (clip.numpy() == THWC.transpose(3, 0, 1, 2)).all()
    ]
    assert len(matching) == 1


def test_a_sample_is_the_same_every_time_and_differs_by_epoch_index_and_seed(root: Path) -> None:
    first = PretrainClips(rows(), root, CLIP, VARIED, 0)
    again = PretrainClips(rows(), root, CLIP, VARIED, 0)
    other_seed = PretrainClips(rows(), root, CLIP, VARIED, 1)

    first[7, 1], first[2, 0]  # earlier reads must not matter

    assert is_equal(first[0, 0], again[0, 0])
    for different in (first[1, 0], first[0, 3], other_seed[0, 0]):
        assert not torch.equal(first[0, 0].noise, different.noise)
        assert not torch.equal(first[0, 0].clip, different.clip)


def test_masks_and_frames_do_not_depend_on_the_augmentation(root: Path) -> None:
    plain, varied = (PretrainClips(rows(), root, CLIP, spec, 0) for spec in (PLAIN, VARIED))

    assert torch.equal(plain[0, 0].noise, varied[0, 0].noise)
    assert plain.read(5, 0).frames.tobytes() == varied.read(5, 0).frames.tobytes()


def test_repeated_sampling_gives_clips_with_starts_crops_and_masks_of_their_own(
    root: Path,
) -> None:
    spec = PretrainAugmentSpec(crop="center", flip=False, repeats=3)
    one = PretrainClips(rows(), root, CLIP, PLAIN, 0)

    samples = [PretrainClips(rows(), root, CLIP, spec, 0)[epoch, 0] for epoch in range(4)]

    for epoch, sample in enumerate(samples):
        assert {key: tuple(v.shape) for key, v in sample._asdict().items()} == {
            "clip": (3, 3, 4, 32, 32),
            "noise": (3, 2, 32),
            "indices": (3,),
            "failed": (3,),
        }
        assert torch.equal(sample.clip[:1], one[epoch, 0].clip)
        assert len(sample.noise.unique(dim=0)) == 3
    assert sum(len(sample.clip.unique(dim=0)) for sample in samples) > 8


def test_candidates_are_read_at_the_clips_own_stride(root: Path) -> None:
    clip = CLIP.model_copy(update={"oversample": 1.5}).candidates()

    sample = PretrainClips(rows(), root, clip, PLAIN, 0)[0, 0]

    assert sample.clip.shape == (1, 3, 6, 32, 32) and sample.noise.shape == (1, 2, 48)
    assert clip.frames == 6 and clip.stride_frames == 2


def test_half_of_the_clips_are_mirrored_and_only_when_asked(root: Path) -> None:
    plain = PretrainClips(rows(), root, CLIP, PLAIN, 0)
    flips = PretrainClips(rows(), root, CLIP, PretrainAugmentSpec(crop="center", flip=True), 0)

    mirrored = 0
    for epoch in range(40):
        clip, flipped = plain[epoch, 2].clip, flips[epoch, 2].clip
        assert torch.equal(flipped, clip) or torch.equal(flipped, clip.flip(-1))
        mirrored += torch.equal(flipped, clip.flip(-1))
    assert 10 <= mirrored <= 30


def test_segment_sampling_takes_a_frame_from_every_part(root: Path) -> None:
    clip = ClipSpec(frames=4, stride_frames=1, size=32, patch=8, sampling="segment")
    dataset = PretrainClips(rows(), root, clip, PLAIN, 0)

    read = dataset.read(0, 0).frames

    every = read_frames(root / "0.mp4", range(30))
    numbers = [
        int(np.abs(every.astype(int) - frame).sum(axis=(1, 2, 3)).argmin()) for frame in read
    ]
    assert [bisect(numbers, edge - 1) for edge in (7, 15, 22, 30)] == [1, 2, 3, 4]


def test_a_finetuning_sample_has_repeats_that_share_frames_but_not_augmentation(
    root: Path,
) -> None:
    dataset = finetune(root, repeats=3, erasing=1.0, randaugment="rand-m7-n4-mstd0.5-inc1")

    sample = dataset[0, 1]

    assert {key: (tuple(v.shape), v.dtype) for key, v in sample._asdict().items()} == {
        "clip": ((3, 3, 4, 32, 32), torch.uint8),
        "label": ((3,), torch.int64),
        "erase": ((3, 5), torch.int64),
        "noise": ((3, 2), torch.float32),
        "indices": ((3,), torch.int64),
        "failed": ((3,), torch.int64),
    }
    assert sample.label.tolist() == [1, 1, 1]
    assert not torch.equal(sample.clip[0], sample.clip[1])
    assert len(set(sample.erase[:, 4].tolist())) == 3
    assert is_equal(
        sample, finetune(root, repeats=3, erasing=1.0, randaugment="rand-m7-n4-mstd0.5-inc1")[0, 1]
    )


def test_more_repeats_leave_the_first_ones_as_they_were(root: Path) -> None:
    one, three = finetune(root, repeats=1)[0, 0], finetune(root, repeats=3)[0, 0]

    assert torch.equal(one.clip, three.clip[:1])


def test_a_repeated_video_is_read_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, read = [], decode.DECODERS["decord"]

    def counting(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
        calls.append(path.name)
        return read(path, indices)

    monkeypatch.setitem(decode.DECODERS, "decord", counting)

    finetune(root, repeats=4)[0, 2]
    EvalViews(rows(), root, CLIP, Protocol(5, 3))[2]

    assert calls == ["2.mp4", "2.mp4"]


def test_erasing_happens_as_often_as_asked(root: Path) -> None:
    dataset = finetune(root, erasing=0.25)

    boxes = torch.cat([dataset[epoch, 2].erase for epoch in range(100)])

    assert 12 <= int((boxes[:, 2] > 0).sum()) <= 40
    assert not finetune(root)[0, 0].erase[:, :4].any()


def test_the_least_area_of_a_crop_is_that_of_the_recipe(root: Path) -> None:
    whole = finetune(root, flip=False, area=(1.0, 1.0))  # only a centre box is left: 64 x 80 fits

    first, second = whole.read(0, 2).frames, whole[0, 2].clip[0]

    assert first.shape == (4, 64, 80, 3)
    plain = torch.nn.functional.interpolate(
        torch.from_numpy(first).permute(0, 3, 1, 2).float(), (32, 32), mode="bilinear"
    )
    assert (plain.permute(1, 0, 2, 3) - second.float()).abs().max() <= 0.5


def test_a_wrong_randaugment_text_and_a_missing_label_fail_before_training(root: Path) -> None:
    with pytest.raises(RecipeError):
        finetune(root, randaugment="rand-z9")
    spec = FinetuneAugmentSpec(crop="center", flip=False)
    unlabelled = [video._replace(label=None) for video in rows()]
    with pytest.raises(DataError, match=r"0\.mp4 has no label"):
        FinetuneClips(unlabelled, root, CLIP, spec, 0)


def test_no_videos_are_an_error(root: Path) -> None:
    with pytest.raises(DataError, match="no videos"):
        PretrainClips([], root, CLIP, PLAIN, 0)


def test_a_video_that_does_not_decode_is_replaced_by_the_next_and_counted(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    videos = rows()
    videos[0] = videos[0]._replace(path="gone.mp4")
    videos[1] = videos[1]._replace(frames=500)  # fewer in the file
    spec = FinetuneAugmentSpec(crop="center", flip=False, repeats=2)
    dataset = FinetuneClips(videos, root, CLIP, spec, 0)

    with caplog.at_level(logging.WARNING, logger="videomae"):
        sample = dataset[4, 0]

    assert sample.failed.tolist() == [2, 0]
    assert sample.label.tolist() == [0, 0]  # of video 2, whose clip it is
    assert sample.indices.tolist() == [0, 0]
    assert ["gone.mp4" in line for line in caplog.messages] == [True, False]
    assert is_equal(sample, FinetuneClips(videos, root, CLIP, spec, 0)[4, 0])


def test_replacement_wraps_around_at_the_end_of_the_split(root: Path) -> None:
    videos = rows()
    videos[3] = videos[3]._replace(path="gone.mp4")

    sample = PretrainClips(videos, root, CLIP, PLAIN, 0)[0, 3]

    assert sample.failed.tolist() == [1]


def test_a_wrong_root_stops_with_a_hint_instead_of_looping(tmp_path: Path) -> None:
    dataset = PretrainClips(rows(*range(1, 40)), tmp_path, CLIP, PLAIN, 0)

    with pytest.raises(DataError, match="9 videos in a row") as caught:
        dataset[0, 0]

    assert str(tmp_path) in caught.value.hint


def test_data_sets_can_be_sent_to_a_fresh_process(root: Path) -> None:
    train = finetune(root, repeats=2, erasing=0.5, randaugment="rand-m7-n4-mstd0.5-inc1")
    views = EvalViews(rows(), root, CLIP, Protocol(2, 1))

    train_there, views_there = pickle.loads(pickle.dumps((train, views)))

    assert is_equal(train_there[1, 2], train[1, 2])
    assert torch.equal(views_there[2].views, views[2].views)


def test_collating_joins_along_the_first_axis(root: Path) -> None:
    dataset = finetune(root, repeats=2)
    samples = [dataset[0, 0], dataset[0, 1]]

    batch = collate(samples)

    assert batch.clip.shape == (4, 3, 4, 32, 32)
    assert batch.indices.tolist() == [0, 0, 1, 1]
    assert torch.equal(batch.clip[2:], samples[1].clip)


def test_views_come_clip_by_clip_and_then_crop_by_crop(root: Path) -> None:
    dataset = EvalViews(rows(), root, CLIP, Protocol(2, 3))

    item = dataset[0]

    assert item.views.shape == (6, 3, 4, 32, 32)
    assert item.views.dtype == torch.uint8
    assert (item.number, item.error) == (0, "")
    for view, (clip, left) in zip(
        item.views, [(clip, left) for clip in range(2) for left in (0, 4, 8)], strict=True
    ):
        indices = dense_test_indices(30, 4, 2, 2)[clip]
        scaled = resize_short_side(read_frames(root / "0.mp4", indices), 32)
        assert (view.permute(1, 2, 3, 0).numpy() == scaled[:, :, left : left + 32]).all()


def test_one_view_is_the_middle_of_a_short_and_of_a_long_video(root: Path) -> None:
    dataset = EvalViews(rows(), root, CLIP, Protocol(1, 1))

    assert dataset[2].views.shape == (1, 3, 4, 32, 32)
    middle = resize_short_side(read_frames(root / "0.mp4", [10, 12, 14, 16]), 32)[:, :, 4:36]
    assert (dataset[0].views[0].permute(1, 2, 3, 0).numpy() == middle).all()


def test_segment_views_follow_the_segment_rule(root: Path) -> None:
    clip = ClipSpec(frames=4, stride_frames=1, size=32, patch=8, sampling="segment")
    dataset = EvalViews(rows(), root, clip, Protocol(2, 1))

    views = dataset[1].views

    for view, indices in zip(views, segment_test_indices(12, 4, 2), strict=True):
        expected = resize_short_side(read_frames(root / "1.mp4", indices), 32)[:, :, 4:36]
        assert (view.permute(1, 2, 3, 0).numpy() == expected).all()


def test_evaluation_never_replaces_a_video_but_gives_the_reason_for_no_views(root: Path) -> None:
    videos = [rows()[0]._replace(path="gone.mp4", label=None)]

    item = EvalViews(videos, root, CLIP, Protocol(2, 3))[0]

    assert len(item.views) == 0
    assert "gone.mp4" in item.error
