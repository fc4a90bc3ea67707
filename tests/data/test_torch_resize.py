"""Resizing with torch draws the same crops, and differs from Pillow by roundings only."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.data.make_clips import write_clip
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.training import FinetuneAugmentSpec, PretrainAugmentSpec, Resize
from videomae_cli.data import transforms
from videomae_cli.data.dataset import FinetuneClips, PretrainClips
from videomae_cli.data.decode import read_frames
from videomae_cli.data.loader import load_each
from videomae_cli.data.manifest import Video
from videomae_cli.data.transforms import Box, cut
from videomae_cli.errors import RecipeError

Frames = NDArray[np.uint8]
RNG = np.random.default_rng
CLIP = ClipSpec(frames=4, stride_frames=2, size=32, patch=8)
# height and width before and after: reduced, enlarged, one of each, one axis only, rectangles
SIZES = [
    *((256, 256, 224, 224), (272, 238, 224, 224), (168, 168, 224, 224), (147, 224, 224, 224)),
    *((224, 192, 224, 224), (720, 475, 112, 160), (40, 300, 96, 64), (7, 5, 33, 61)),
    *((128, 68, 163, 238), (8, 8, 200, 16), (300, 301, 9, 8), (1, 1, 5, 4), (5, 6, 1, 1)),
]


def noise(height: int, width: int, channels: int = 3, frames: int = 2) -> Frames:
    return RNG(height).integers(0, 256, (frames, height, width, channels), dtype=np.uint8)


def smooth(height: int, width: int, channels: int = 3) -> Frames:
    """Return frames like those of a camera: edges, shades and little noise."""
    y, x = np.arange(height)[:, None, None], np.arange(width)[:, None]
    shade = 110 + 50 * np.sin(x / 17 + np.arange(channels)) + 40 * np.cos(y / 23)
    edges = 40 * ((x // 31 + y // 19) % 2)
    frames = shade + edges + RNG(width).normal(0, 2, (2, height, width, channels))
    return frames.clip(0, 255).astype(np.uint8)


def difference(frames: Frames, height: int, width: int) -> NDArray[np.int16]:
    """Return how much torch's values are above Pillow's."""
    ours = transforms._resize_with_torch(frames, height, width, antialias=True)
    pillow = transforms._resize_antialiased(frames, height, width)
    assert ours.shape == pillow.shape and ours.dtype == pillow.dtype
    return ours.astype(np.int16) - pillow


@pytest.mark.parametrize("size", SIZES)
def test_values_differ_from_pillow_by_two_roundings_at_most(size: tuple[int, ...]) -> None:
    before, after = size[:2], size[2:]
    axes = sum(a != b for a, b in zip(before, after, strict=True))
    for frames in (noise(*before), smooth(*before)):
        differences = np.abs(difference(frames, *after))

        assert differences.max() <= axes
        assert (differences > 1).mean() <= 1e-4
        assert (differences > 0).mean() <= 0.3


@pytest.mark.parametrize("channels", range(1, 9))
def test_any_number_of_channels_is_resized_one_by_one(channels: int) -> None:
    frames = smooth(75, 50, channels)

    for antialias in (True, False):
        together = transforms._resize_with_torch(frames, 40, 64, antialias=antialias)
        for channel in range(channels):
            one = frames[..., channel : channel + 1]
            alone = transforms._resize_with_torch(one, 40, 64, antialias=antialias)
            assert (together[..., channel] == alone[..., 0]).all()
    assert np.abs(difference(frames, 40, 64)).max() <= 1


def test_plain_bilinear_of_torch_differs_from_float_by_one_at_most() -> None:
    for frames in (noise(120, 160), smooth(120, 160)):
        for seed in range(20):
            exact, fast = (
                transforms.random_resized_crop(
                    *(frames, 48, 64, RNG(seed), (0.08, 1.0)), resize=resize
                )
                for resize in ("pillow", "torch")
            )
            difference = np.abs(exact.astype(int) - fast)
            assert difference.max() == 1
            assert (difference > 0).mean() < 0.3


def test_a_crop_is_resized_like_a_copy_of_it() -> None:
    frames = noise(90, 120, frames=3)
    before = frames.copy()
    crop = cut(frames, Box(5, 7, 60, 80))

    resized = transforms._resize_with_torch(crop, 40, 40, antialias=True)

    copied = transforms._resize_with_torch(crop.copy(), 40, 40, antialias=True)
    assert (resized == copied).all()
    assert (frames == before).all()


def test_frames_of_the_size_are_not_touched() -> None:
    frames = noise(40, 60)

    for antialias in (True, False):
        assert transforms._resize_with_torch(frames, 40, 60, antialias=antialias) is frames


@pytest.mark.parametrize("crop", ["multiscale", "random-resized"])
def test_the_draws_are_the_same(crop: str) -> None:
    frames, boxes, after = noise(90, 120), [], []

    def take(frames_THWC: Frames, box: Box) -> Frames:
        boxes.append(box)
        return cut(frames_THWC, box)

    for resize in ("pillow", "torch"):
        rng = RNG(3)
        for _ in range(20):
            if crop == "multiscale":
                transforms.multiscale_crop(frames, 32, 48, rng, take, resize)
            else:
                transforms.random_resized_crop(frames, 32, 48, rng, (0.1, 1), take, resize)
        after.append(rng.random())

    assert boxes[:20] == boxes[20:]
    assert after[0] == after[1]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number in range(3):
        write_clip(folder / f"{number}.mp4", 24, height=64, width=80, seed=number)
    return folder


def rows() -> list[Video]:
    return [Video(f"{n}.mp4", n % 2, "train", 24, 25.0, 80, 64, "decord") for n in range(3)]


def pretrain_clips(root: Path, resize: Resize) -> PretrainClips:
    spec = PretrainAugmentSpec(crop="multiscale", flip=True, resize=resize)
    return PretrainClips(rows(), root, CLIP, spec, 0)


def test_samples_are_the_same_but_for_the_pixels(root: Path) -> None:
    pillow, fast = pretrain_clips(root, "pillow"), pretrain_clips(root, "torch")

    pairs = [(pillow[epoch, n], fast[epoch, n]) for epoch in range(8) for n in range(3)]

    assert all(torch.equal(one.noise, other.noise) for one, other in pairs)
    differences = torch.cat([one.clip.int() - other.clip.int() for one, other in pairs]).abs()
    assert 0 < differences.max() <= 2
    assert (differences > 0).float().mean() < 0.05
    assert torch.equal(fast[0, 1].clip, pretrain_clips(root, "torch")[0, 1].clip)


def test_labelled_samples_are_the_same_but_for_the_pixels(root: Path) -> None:
    base = FinetuneAugmentSpec(
        crop="random-resized", flip=True, erasing=0.5, randaugment="rand-m7-n4-mstd0.5-inc1"
    )
    pillow, fast = (
        FinetuneClips(rows(), root, CLIP, base.model_copy(update={"resize": resize}), 0)
        for resize in ("pillow", "torch")
    )

    pairs = [(pillow[epoch, n], fast[epoch, n]) for epoch in range(8) for n in range(3)]

    assert all(torch.equal(one.erase, other.erase) for one, other in pairs)
    differences = torch.cat([one.clip.int() - other.clip.int() for one, other in pairs]).abs()
    assert differences.max() == 1
    assert (differences > 0).float().mean() < 0.2


class Threads(NamedTuple):
    """What a worker process reports after it has read a clip."""

    allowed: int
    started: int
    clip: Tensor


def thread_count() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


class CountedClips:
    """Clips with the number of threads of the process that reads them."""

    def __init__(self, clips: PretrainClips) -> None:
        self.clips = clips
        self.frames = noise(256, 340, frames=16)

    def __getitem__(self, key: tuple[int, int]) -> Threads:
        before = thread_count()
        transforms.multiscale_crop(self.frames, 224, 224, RNG(key[1]), resize="torch")
        started = thread_count() - before
        return Threads(torch.get_num_threads(), started, self.clips[key].clip)

    def path(self, index: int) -> Path:
        return self.clips.path(index)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux to count threads")
def test_a_worker_resizes_with_one_thread_and_gives_the_same_pixels(root: Path) -> None:
    clips = pretrain_clips(root, "torch")

    (found,) = load_each(CountedClips(clips), [(0, 1)], workers=1)

    assert (found.allowed, found.started) == (1, 0)
    assert torch.equal(found.clip, clips[0, 1].clip)


@pytest.mark.parametrize("recipe", ["k400-vitb", "k400-vitb-finetune"])
def test_pillow_is_the_default_and_other_words_are_refused(recipe: str) -> None:
    kind = "finetune" if recipe.endswith("finetune") else "pretrain"

    assert load_recipe(recipe, [], kind).augment.resize == "pillow"
    assert load_recipe(recipe, ["augment.resize=torch"], kind).augment.resize == "torch"
    with pytest.raises(RecipeError, match=r"augment\.resize: 'opencv' is not one of pillow, torch"):
        load_recipe(recipe, ["augment.resize=opencv"], kind)


@pytest.mark.parametrize("name", ["kinetics_b.mp4", "kinetics_c.mp4", "bikes.mp4"])
def test_real_clips_differ_in_few_values(name: str, shared: Path) -> None:
    frames = read_frames(shared / "videos/misc" / name, range(0, 64, 16), decoder="pyav")
    crops = [
        [transforms.multiscale_crop(frames, 224, 224, RNG(n), resize=resize) for n in range(20)]
        for resize in ("pillow", "torch")
    ]

    differences = np.subtract(*(np.stack(each).astype(np.int16) for each in crops))

    assert np.abs(differences).max() <= 2
    assert (np.abs(differences) > 1).mean() < 1e-5
    assert (differences != 0).mean() < 0.03
    assert abs(differences.mean()) < 1e-3
