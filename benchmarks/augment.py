"""Time one core that augments fine-tuning clips, ours against timm on Pillow images.

    python benchmarks/augment.py VIDEO --clips 80 --json augment.json

A clip has 16 frames of 256 x 340 pixels and becomes 224 x 224: RandAugment
(`rand-m7-n4-mstd0.5-inc1`), a random resized crop, mirroring, and with probability 1/4 a rectangle
to erase, as in `k400-vitb-finetune`. Sides, by turns in one process, with the same random choices:

- ours: the code that training reads with; uint8, normalised and erased later on the device;
- timm: each frame becomes a Pillow image for timm's RandAugment, and the rest is ours: the same
  pixels, which is checked;
- floats: after timm's RandAugment the frames become normalised floats, which are cropped, mirrored
  and erased, as VideoMAE describes its loader.

Then each operation of the policy alone, on whole frames, and ours also if the crop takes the middle
half of each side. Without VIDEO the frames are smooth noise.

CPU milliseconds per clip, so that other programs matter less than by the clock. What is drawn for a
clip matters: ratios are those of the means and of the medians over the clips.
"""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring.runner import Result, make_parser, run_rounds
from PIL import Image
from timm.data.auto_augment import rand_augment_transform
from torch import Tensor
from torch.nn import functional

from videomae_cli.config.clip import IMAGENET_MEAN, IMAGENET_STD
from videomae_cli.data import transforms
from videomae_cli.data.augmentation.randaugment import draw_steps, randaugment_policy
from videomae_cli.data.augmentation.steps import apply_steps
from videomae_cli.data.decode import read_frames
from videomae_cli.data.erasing import draw_erase_box, erase_
from videomae_cli.data.resize import Frames, resize_linear

TEXT = "rand-m7-n4-mstd0.5-inc1"
FRAMES, HEIGHT, WIDTH, SIZE = 16, 256, 340, 224
AREA, ERASING = (0.08, 1.0), 0.25
MEAN, STD = (torch.tensor(x).view(3, 1, 1) for x in (IMAGENET_MEAN, IMAGENET_STD))
TIMM = rand_augment_transform(
    TEXT, {"img_mean": (128, 128, 128), "interpolation": Image.Resampling.BICUBIC}
)
OURS = randaugment_policy(TEXT)
MAGNITUDE = 7


def read_clip(path: Path | None) -> Frames:
    """Return the frames of a video, scaled to the size of a Kinetics clip, or of noise."""
    if path is not None:
        frames = read_frames(path, range(0, 4 * FRAMES, 4), decoder="pyav")
        return np.ascontiguousarray(resize_linear(frames, HEIGHT, WIDTH))
    small = np.random.default_rng(0).integers(0, 256, (FRAMES, 32, 43, 3), dtype=np.uint8)
    images = [Image.fromarray(x).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC) for x in small]
    return np.stack([np.asarray(image) for image in images])


def apply_timm(frames: Frames, rng: np.random.Generator) -> list[Image.Image]:
    """Apply timm's RandAugment to each frame as a Pillow image, with the draws of the first."""
    seed = int(rng.integers(2**32))
    images = []
    for frame in frames:
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        images.append(TIMM(Image.fromarray(frame)))
    return images


def finish(frames: Frames, rng: np.random.Generator) -> Frames:
    """Mirror, and draw a rectangle and the seed of its noise."""
    if rng.random() < 0.5:
        frames = transforms.flip(frames)
    if rng.random() < ERASING:
        draw_erase_box(rng, SIZE, SIZE)
    rng.integers(2**62)
    return np.ascontiguousarray(frames)


def ours(frames: Frames, seed: int) -> Frames:
    """Augment as training does."""
    rng = np.random.default_rng(seed)
    take = partial(apply_steps, steps=draw_steps(OURS, rng))
    return finish(transforms.random_resized_crop(frames, SIZE, SIZE, rng, AREA, take), rng)


def timm(frames: Frames, seed: int) -> Frames:
    """Augment by timm and Pillow; all else is ours."""
    rng = np.random.default_rng(seed)
    frames = np.stack([np.asarray(image) for image in apply_timm(frames, rng)])
    return finish(transforms.random_resized_crop(frames, SIZE, SIZE, rng, AREA), rng)


def floats(frames: Frames, seed: int) -> Tensor:
    """Augment by timm and Pillow; crop, mirror and erase normalised floats."""
    rng = np.random.default_rng(seed)
    images = [np.asarray(image) for image in apply_timm(frames, rng)]
    pixels = [torch.from_numpy(x.copy()).permute(2, 0, 1).float().div(255) for x in images]
    pixels_TCHW = torch.stack([(x - MEAN) / STD for x in pixels])
    top, left, height, width = transforms._draw_box(rng, HEIGHT, WIDTH, AREA, 1.0)
    cut_TCHW = pixels_TCHW[:, :, top : top + height, left : left + width]
    clip_TCHW = functional.interpolate(cut_TCHW, (SIZE, SIZE), mode="bilinear")
    if rng.random() < 0.5:
        clip_TCHW = clip_TCHW.flip(3)
    box = draw_erase_box(rng, SIZE, SIZE) if rng.random() < ERASING else (0, 0, 0, 0)
    seeds = torch.tensor([int(rng.integers(2**62))])
    return erase_(clip_TCHW.transpose(0, 1)[None], torch.tensor([box]), seeds)


def measure(work: Callable[[], Any]) -> float:
    """Return CPU milliseconds."""
    began = time.process_time()
    work()
    return 1e3 * (time.process_time() - began)


def compare_clips(frames: Frames, clips: int) -> dict[str, list[float]]:
    """Return milliseconds of each clip on each side; the first clip is left out."""
    for seed in range(clips + 1):
        assert (ours(frames, seed) == timm(frames, seed)).all(), seed
    sides = {"ours": ours, "timm": timm, "floats": floats}
    return run_rounds(
        {name: partial(measure_next, augment, frames, count()) for name, augment in sides.items()},
        clips,
    )


def measure_next(
    augment: Callable[[Frames, int], Any], frames: Frames, seeds: Iterator[int]
) -> float:
    """Return CPU milliseconds of a clip with the next seed."""
    return measure(partial(augment, frames, next(seeds)))


def compare_operations(frames: Frames, rounds: int) -> dict[str, dict[str, float]]:
    """Return median milliseconds of each operation."""
    half = transforms.Box(HEIGHT // 4, WIDTH // 4, HEIGHT // 2, WIDTH // 2)
    rows = {}
    for op in OURS.ops:
        random.seed(0)
        arguments = () if op.level_fn is None else op.level_fn(MAGNITUDE, op.hparams)
        steps = op.aug_fn((), *arguments, **op.kwargs)

        def by_pillow(step: Any = steps[0]) -> Frames:
            images = (Image.fromarray(frame) for frame in frames)
            images = (step.function(x, *step.arguments, **step.options) for x in images)
            return np.stack([np.asarray(image) for image in images])

        assert (apply_steps(frames, None, steps) == by_pillow()).all()
        sides: dict[str, Callable[[], Any]] = {
            "ours": partial(apply_steps, frames, None, steps),
            "ours_half": partial(apply_steps, frames, half, steps),
            "timm": by_pillow,
        }
        works = {name: partial(measure, work) for name, work in sides.items()}
        spent = run_rounds(works, rounds, warm_up=False)
        rows[op.name] = {name: statistics.median(times) for name, times in spent.items()}
    return rows


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__, has_device=False)
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--clips", type=int, default=80, help="rounds are of each operation alone")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    result = Result("augment", chosen, "torch", "timm", "pillow", refuses=False)
    frames = read_clip(chosen.video)
    clips = compare_clips(frames, chosen.clips)
    result.add_sides(clips, "ms")
    for name in ("timm", "floats"):
        for average in (statistics.mean, statistics.median):
            ratio = average(clips[name]) / average(clips["ours"])
            result.add_ratio(f"{name}_{average.__name__}", ratio)
    operations = compare_operations(frames, chosen.rounds)
    result.content["mean_ms"] = {name: statistics.mean(times) for name, times in clips.items()}
    result.content["operations"] = operations
    for name, row in operations.items():
        result.note(f"{name:22s} " + "  ".join(f"{side} {ms:6.1f}" for side, ms in row.items()))
    result.finish()


if __name__ == "__main__":
    main()
