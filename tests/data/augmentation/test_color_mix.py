"""Channel mixing: one matrix per clip, exact pixels, and no other draw that changes."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.data.make_clips import write_clip
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.training import FinetuneAugmentSpec, PretrainAugmentSpec
from videomae_cli.data.augmentation.color_mix import draw_matrix, mix_channels
from videomae_cli.data.dataset import FinetuneClips, PretrainClips
from videomae_cli.data.manifest import Video
from videomae_cli.rng import stream

CLIP = ClipSpec(frames=4, stride_frames=2, size=32, patch=8)
KEYS = [(epoch, index) for epoch in range(3) for index in range(2)]
Clips = PretrainClips | FinetuneClips


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number in range(2):
        write_clip(folder / f"{number}.mp4", 24, height=64, width=80, seed=number)
    return folder


def clips_of(kind: str, root: Path, color_mix: float, **augment: Any) -> Clips:
    videos = [Video(f"{n}.mp4", n, "train", 24, 25.0, 80, 64, "decord") for n in range(2)]
    options: dict[str, Any] = {"flip": True, "repeats": 2, "color_mix": color_mix, **augment}
    if kind == "pretrain":
        spec = PretrainAugmentSpec(crop="multiscale", **options)
        return PretrainClips(videos, root, CLIP, spec, 7)
    options = {"randaugment": "rand-m7-n4-mstd0.5-inc1", "erasing": 0.5, **options}
    return FinetuneClips(
        videos, root, CLIP, FinetuneAugmentSpec(crop="random-resized", **options), 7
    )


def mixed(clip_RCTHW: Tensor, epoch: int, index: int, strength: float) -> Tensor:
    """Mix the clips of a batch pixel by pixel in double precision, by the documented draws."""
    out = []
    for repeat, clip_CTHW in enumerate(clip_RCTHW):
        matrix = torch.from_numpy(draw_matrix(stream(7, "color", epoch, index, repeat), strength))
        product = torch.einsum("dc,cthw->dthw", matrix.double(), clip_CTHW.double())
        out.append(product.round().clamp(0, 255).to(torch.uint8))
    return torch.stack(out)


@pytest.mark.parametrize("kind", ["pretrain", "finetune"])
@pytest.mark.parametrize("strength", [0.0, 0.2, 0.5, 1.0])
def test_pixels_are_those_without_mixing_times_one_matrix_and_no_other_draw_changes(
    kind: str, strength: float, root: Path
) -> None:
    plain, colored = clips_of(kind, root, 0.0), clips_of(kind, root, strength)
    for epoch, index in KEYS:
        before, after = plain[epoch, index], colored[epoch, index]

        assert torch.equal(after.clip, mixed(before.clip, epoch, index, strength))
        assert torch.equal(after.clip, before.clip) == (strength == 0)
        assert after.clip.dtype == torch.uint8
        assert after.clip.stride() == before.clip.stride()
        for name in before._fields:
            if name != "clip":
                assert torch.equal(getattr(after, name), getattr(before, name)), name


@pytest.mark.parametrize("kind", ["pretrain", "finetune"])
def test_each_clip_has_a_matrix_of_its_own_that_follows_from_seed_and_key(
    kind: str, root: Path
) -> None:
    """A resumed run or another worker reads the same clips in another order."""
    one, other = clips_of(kind, root, 0.5), clips_of(kind, root, 0.5)
    backwards = {key: other[key].clip for key in reversed(KEYS)}
    for key in KEYS:
        assert torch.equal(one[key].clip, backwards[key])

    matrices = [
        draw_matrix(stream(seed, "color", epoch, index, repeat), 0.5)
        for seed in range(2)
        for epoch, index in KEYS
        for repeat in range(2)
    ]
    assert len({matrix.tobytes() for matrix in matrices}) == len(matrices)


def test_all_frames_of_a_clip_have_the_same_matrix() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (1, 9, 7, 3), dtype=np.uint8)
    matrix = draw_matrix(np.random.default_rng(1), 0.5)

    frames = mix_channels(frame.repeat(5, axis=0), matrix)

    assert not np.array_equal(frames[:1], frame)
    assert all(np.array_equal(before, after) for before, after in pairwise(frames))


def test_the_identity_leaves_all_pixels_as_they_are() -> None:
    frames = np.arange(256, dtype=np.uint8).repeat(3 * 4).reshape(4, 8, 32, 3)
    matrix = draw_matrix(np.random.default_rng(0), 0.0)

    assert np.array_equal(matrix, np.eye(3))
    assert np.array_equal(mix_channels(frames, matrix), frames)


def test_pixels_are_rounded_and_cut_off() -> None:
    frames = np.array([[[[10, 20, 30], [255, 255, 255], [255, 0, 0], [0, 0, 3]]]], np.uint8)
    matrix = np.array([[1.5, 0, 0.125], [-0.5, 0.5, 0], [0, 0, 0.5]], np.float32)

    (pixels,) = mix_channels(frames, matrix)[0].tolist()

    # 18.75, 5, 15; 414.4, 0, 127.5; 382.5, -127.5, 0; 0.375, 0, 1.5 (halves to even)
    assert pixels == [[19, 5, 15], [255, 0, 128], [255, 0, 0], [0, 0, 2]]


def test_entries_are_the_identity_plus_centred_uniform_numbers() -> None:
    rng = np.random.default_rng(0)
    for strength in (0.1, 0.5, 1.0):
        entries = np.stack([draw_matrix(rng, strength) for _ in range(20_000)]).astype(np.float64)
        shifts = (entries - np.eye(3)) / strength

        assert np.abs(shifts.mean(axis=0)).max() < 0.02
        assert shifts.std(axis=0) == pytest.approx(np.sqrt(8 / 27), rel=0.02)
        assert np.abs(shifts).max() <= 16 / 9 + 0.01
        assert np.abs(shifts).max() > 1.4
        assert np.abs(entries.sum(axis=(1, 2)) - 3).max() <= 9 / 8192
        # two entries of one matrix share only the mean that is taken away
        correlation = np.corrcoef(shifts.reshape(-1, 9).T)
        assert correlation[~np.eye(9, dtype=bool)] == pytest.approx(-1 / 8, abs=0.03)


def test_the_draw_is_the_documented_one() -> None:
    uniform = np.random.default_rng(3).uniform(-1, 1, (3, 3))
    matrix = draw_matrix(np.random.default_rng(3), 0.5)

    assert matrix == pytest.approx(np.eye(3) + 0.5 * (uniform - uniform.mean()), abs=1 / 8192)
    assert np.array_equal(matrix * 4096, np.rint(matrix * 4096))


def test_a_grey_clip_gets_a_tint_but_keeps_its_brightness() -> None:
    rng = np.random.default_rng(0)
    grey = np.full((2, 4, 4, 3), 100, np.uint8)
    tints = []
    for _ in range(500):
        pixels = mix_channels(grey, draw_matrix(rng, 0.5)).astype(float)
        assert np.ptp(pixels, axis=(0, 1, 2)).max() == 0
        pixel = pixels[0, 0, 0]
        tints.append(np.ptp(pixel))
        if pixel.min() > 0 and pixel.max() < 255:
            assert pixel.mean() == pytest.approx(100, abs=0.6)

    assert 50 < np.mean(tints) < 100


def test_pixels_do_not_depend_on_the_layout_or_the_number_of_threads() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 33, 31, 3), dtype=np.uint8)
    matrix = draw_matrix(np.random.default_rng(1), 1.0)
    exact = np.rint(frames.astype(np.float64) @ matrix.T.astype(np.float64)).clip(0, 255)
    layouts = [frames, frames[:, :, ::-1].copy()[:, :, ::-1], np.asfortranarray(frames)]
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            for layout in layouts:
                assert np.array_equal(mix_channels(layout, matrix), exact)
    finally:
        torch.set_num_threads(threads)
