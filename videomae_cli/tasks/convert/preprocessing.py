"""Describe in text and numbers how videos are preprocessed, for programs that run a model."""

from typing import Any

from videomae_cli.checkpoints.formats.hugging_face_readme import describe_sampling
from videomae_cli.config.model_config import ModelConfig

DENSE = (
    "of every {stride}th frame, {frames} in a row, the last one repeated where the video is short;"
    " one clip starts at max(n - {frames}, 0) // 2 of these n frames"
)
SEGMENT = "frame (video frames * i) // {frames} for i = 0 .. {frames} - 1"
RESIZE = (
    "bilinear without antialias, half-pixel centres (OpenCV INTER_LINEAR on 8 bits), until the"
    " shorter side has {size} pixels; the longer side keeps the proportion, rounded down"
)
CROP = "{size} x {size} pixels from round((longer side - {size}) / 2) on, halves to even"


def summarize_preprocessing(config: ModelConfig, frames: int) -> str:
    """Return in one line which frames are a clip, its size, and the normalisation of its pixels."""
    mean, std = (", ".join(map(str, values)) for values in (config.mean, config.std))
    return (
        f"{describe_sampling(config, frames)}, {config.grid.height} x {config.grid.width} pixels,"
        f" normalised with mean {mean} and std {std}"
    )


def describe_preprocessing(config: ModelConfig, frames: int) -> dict[str, Any]:
    """Describe how clips are sampled, resized and cropped in tests.

    Mean and standard deviation are for information: exported models normalise inside. `frames` are
    those that the model reads, before any selection.
    """
    rule = DENSE if config.sampling == "dense" else SEGMENT
    size = config.grid.height
    protocol = config.protocol_or_default
    return {
        "frames": frames,
        "stride_frames": config.stride_frames if config.sampling == "dense" else None,
        "sampling": config.sampling,
        "sampling_rule": rule.format(stride=config.stride_frames, frames=frames),
        "height": config.grid.height,
        "width": config.grid.width,
        "resize_rule": RESIZE.format(size=size),
        "crop_rule": CROP.format(size=size),
        "views": {"clips": protocol.clips, "crops": protocol.crops, "combine": "mean of softmax"},
        "normalise": {
            "inside": True,
            "rule": "(pixel / 255 - mean) / std, per channel",
            "mean": config.mean,
            "std": config.std,
        },
    }
