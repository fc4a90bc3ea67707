"""A small classifier with a trained-looking head, and videos for it."""

from pathlib import Path

import torch

from tests.data.make_clips import moving_square, write_clip
from tests.notes import CLASSIFIER
from videomae_cli.checkpoints.native import write_native
from videomae_cli.config.training import EvalSpec
from videomae_cli.models.build import build_classifier

CLASSES = ("left", "right", "up")
LONG_FRAMES, FPS = 50, 25


def write_classifier(folder: Path, **fields: object) -> Path:
    """Write a classifier with 2 x 3 views whose probabilities differ from video to video.

    Args:
        folder: The directory.
        fields: Of the model configuration.
    """
    torch.manual_seed(0)
    protocol = EvalSpec(clips=2, crops=3)
    config = CLASSIFIER.model_copy(update={"protocol": protocol, "stride_frames": 2, **fields})
    weights = build_classifier(config).state_dict()
    weights["head.weight"] = torch.randn(weights["head.weight"].shape)
    weights["head.bias"] = torch.tensor([0.1, 0.0, -0.1])
    write_native(folder, weights, config)
    return folder


def write_videos(folder: Path) -> list[Path]:
    """Write six videos of different lengths and sizes in class folders."""
    return [
        write_clip(
            folder / CLASSES[number % 3] / f"{number}.mp4",
            9 + 4 * number,
            height=40 + 8 * number,
            width=72 - 4 * number,
            seed=number,
        )
        for number in range(6)
    ]


def write_long_video(path: Path, first: int = 0, stop: int = LONG_FRAMES) -> Path:
    """Write a part of a video of two seconds without loss."""
    frames = moving_square(LONG_FRAMES, 48, 64, seed=5)
    return write_clip(path, frames[first:stop], codec="ffv1", fps=FPS)
