"""The `preprocessor_config.json` of a Hugging Face folder, read and written."""

import math
from collections.abc import Mapping
from typing import Any

from videomae_cli.config.clip import IMAGENET_MEAN, IMAGENET_STD, reduce_to_luma
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError

Json = Mapping[str, Any]

HALF = 0.5  # default of image processors for a missing mean or std


def make_processor_json(config: ModelConfig) -> dict[str, Any]:
    """Return the content of `preprocessor_config.json` for a model's clips.

    A processor cannot resize until a frame covers a rectangle. For rectangles it therefore only
    normalises: the model refuses clips of another size.
    """
    height, width = config.grid.height, config.grid.width
    is_square = height == width
    return {
        "image_processor_type": "VideoMAEImageProcessor",
        "do_resize": is_square,
        "size": {"shortest_edge": height} if is_square else {"height": height, "width": width},
        "resample": 2,  # bilinear
        "do_center_crop": is_square,
        "crop_size": {"height": height, "width": width},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(config.mean),
        "image_std": list(config.std),
    }


def read_statistics(
    processor: Json | None, channels: int
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[str, ...]]:
    """Return mean and standard deviation of pixels, and the assumptions in them."""
    defaults = [
        values if channels == len(values) else (reduce_to_luma(values),) * channels
        for values in (IMAGENET_MEAN, IMAGENET_STD)
    ]
    if processor is None:
        note = "no preprocessor_config.json: pixels normalised by ImageNet's mean and std"
        return defaults[0], defaults[1], (note,)
    is_old = "feature_extractor_type" in processor and "image_processor_type" not in processor
    values, assumed = [], []
    for name, imagenet in zip(("image_mean", "image_std"), defaults, strict=True):
        value = processor.get(name)
        if value is None:
            value = imagenet if is_old else (HALF,) * channels
            assumed.append(
                f"{name} {value}: default of the processor, not in preprocessor_config.json"
            )
        if not _are_numbers(value, channels) or (name == "image_std" and not min(value) > 0):
            count = {1: "one valid number", 3: "three valid numbers"}
            raise CheckpointError(
                f"preprocessor_config.json: {name} {value!r} is not a list of"
                f" {count.get(channels, f'{channels} valid numbers')}"
            )
        values.append(tuple(float(x) for x in value))
    return values[0], values[1], tuple(assumed)


def _are_numbers(value: object, count: int) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == count
        and all(type(x) in (int, float) and math.isfinite(x) for x in value)
    )
