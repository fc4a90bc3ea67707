"""RandAugment as timm applies it: frame by frame, to Pillow images, with the same seed."""

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from timm.data import auto_augment
from timm.data.auto_augment import RandAugment, rand_augment_transform

TEXT = "rand-m7-n4-mstd0.5-inc1"
OPTIONS = {"fillcolor": (128, 128, 128), "resample": Image.Resampling.BICUBIC}


def timm_policy(text: str) -> RandAugment:
    """Return timm's policy with grey fill and bicubic interpolation."""
    hparams = {"img_mean": (128, 128, 128), "interpolation": Image.Resampling.BICUBIC}
    policy: RandAugment = rand_augment_transform(text, hparams)
    for op in policy.ops:
        if op.aug_fn is auto_augment.posterize:
            op.aug_fn = posterize
    return policy


def posterize(image: Image.Image, bits: int, **options: Any) -> Image.Image:
    """Keep some bits; without any, all is black, as in Pillow until it refused 0 bits."""
    if bits < 1:
        return Image.new(image.mode, image.size)
    return auto_augment.posterize(image, bits, **options)


def apply_timm(
    frames: NDArray[np.uint8], policy: RandAugment, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Apply a policy of timm to each frame, with the draws of the first one."""
    seed = int(rng.integers(2**32))
    out = []
    for frame in frames:
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        out.append(np.asarray(policy(Image.fromarray(frame))))
    return np.stack(out)


def apply_function(
    frames: NDArray[np.uint8], function: Any, arguments: tuple[Any, ...]
) -> NDArray[np.uint8]:
    """Apply one function of timm to each frame."""
    if function is auto_augment.posterize:
        function = posterize
    return np.stack(
        [np.asarray(function(Image.fromarray(frame), *arguments, **OPTIONS)) for frame in frames]
    )


def make_clip(seed: int, frames: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return frames of a kind that depends on the seed: smooth, blocks, noise, few values, one."""
    rng = np.random.default_rng(seed)
    size = frames, height, width, 3
    kind = seed % 5
    if kind == 2:
        return rng.integers(0, 256, size, dtype=np.uint8)
    if kind == 4:
        one = rng.integers(0, 256, (frames, 1, 1, 3), dtype=np.uint8)
        return np.ascontiguousarray(np.broadcast_to(one, size))
    resample = Image.Resampling.BICUBIC if kind == 0 else Image.Resampling.NEAREST
    small = rng.integers(0, 256, (frames, -(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    clip = np.stack(
        [np.asarray(Image.fromarray(x).resize((width, height), resample)) for x in small]
    )
    return clip & 0xC0 if kind == 3 else clip
