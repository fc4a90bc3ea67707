"""Describe in text and numbers how videos are preprocessed, for programs that run a model."""

from typing import Any

from videomae_cli.checkpoints.formats.hugging_face_readme import describe_sampling
from videomae_cli.config.clip import V1_RULES
from videomae_cli.config.model import Task
from videomae_cli.config.model_config import ModelConfig

DENSE = (
    "of every {stride}th frame, {frames} in a row{short};"
    " one clip starts at max(n - {frames}, 0) // 2 of these n frames"
)
SEGMENT = "frame (video frames * i) // {frames} for i = 0 .. {frames} - 1{short}"
RESIZE = (
    "bilinear without antialias, half-pixel centres (OpenCV INTER_LINEAR on 8 bits), until the"
    " shorter side has {size} pixels; the longer side keeps the proportion, rounded down"
)
TIMED = (
    "the frames that the video shows at (duration - {duration:.9g} s) / 2 + {step:.9g} s * i for"
    " i = 0 .. {frames} - 1{short}"
)
SHORT = {
    "spread": "; of a video shorter than {span}, frame round((video frames - 1) * i / ({frames} -"
    " 1)) instead, halves up",
    "repeat-last": "; of a video shorter than {span}, from its first frame on, and the last one is"
    " repeated",
    "loop": "; a video shorter than {span} starts again from its first frame",
    "refuse": "; videos shorter than {span} were refused in training",
}
COMBINE: dict[Task, str] = {
    "single-label": "mean of softmax",
    "multi-label": "mean of sigmoid",
    "regression": "mean",
}
"""How the outputs of the views of a video are combined, by task."""
CROP = "{size} x {size} pixels from round((longer side - {size}) / 2) on, halves to even"
COVER = (
    "bilinear without antialias, half-pixel centres (OpenCV INTER_LINEAR on 8 bits), by the"
    " smallest factor that gives at least {height} rows and {width} columns; one side is then"
    " exact, the other is rounded down"
)
CROP_RECTANGLE = (
    "{height} x {width} pixels from row round((rows - {height}) / 2) and column"
    " round((columns - {width}) / 2) on, halves to even"
)
GREY = "(19595 R + 38470 G + 7471 B + 32768) // 65536, before the frames are resized"


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
    height, width = config.grid.height, config.grid.width
    resize, crop = (RESIZE, CROP) if height == width else (COVER, CROP_RECTANGLE)
    sides = {"size": height, "height": height, "width": width}
    protocol = config.protocol_or_default
    return {
        "frames": frames,
        "stride_frames": config.stride_frames if config.sampling == "dense" else None,
        **{name: value for name in ("fps", "seconds") if (value := getattr(config, name))},
        "sampling": config.sampling,
        "sampling_rule": _describe_sampling(config, frames),
        "height": config.grid.height,
        "width": config.grid.width,
        "resize_rule": resize.format(**sides),
        "crop_rule": crop.format(**sides),
        **({"grey_rule": GREY} if config.grid.channels == 1 else {}),
        "views": {
            "clips": protocol.clips,
            "crops": protocol.crops,
            "combine": COMBINE[config.task],
        },
        "normalise": {
            "inside": True,
            "rule": "(pixel / 255 - mean) / std, per channel",
            "mean": config.mean,
            "std": config.std,
        },
    }


def _describe_sampling(config: ModelConfig, frames: int) -> str:
    step = config.step_seconds or 0.0
    stride = config.stride_frames or 1
    words: dict[str, Any] = {"frames": frames, "stride": stride, "step": step}
    words["duration"] = frames * step
    if config.sampling == "segment":
        rule, span = SEGMENT, f"{frames} frames"
    elif step:
        rule, span = TIMED, f"{frames * step:.9g} s"
    else:
        rule, span = DENSE, f"{frames * stride} frames"
    if config.short == V1_RULES:
        short = ", the last one repeated where the video is short" if rule is DENSE else ""
    else:
        short = SHORT[config.short].format(frames=frames, span=span)
    return rule.format(short=short, **words)
