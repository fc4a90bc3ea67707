"""Clips of noise, for a model that is to be measured: it takes as long for them as for others.

Shapes: R repeats, C colours, T frames, t slices, H height, W width, N tokens.
"""

from pathlib import Path

import torch

from videomae_cli.config.schema import FinetuneRecipe
from videomae_cli.data.dataset import Batch, Sample
from videomae_cli.tasks.resume import TrainingRecipe


class MadeUpClips:
    """As many clips as asked for, of the shape and with the company that a recipe's clips have.

    All are the same. They are drawn apart from every other random number.

    Args:
        recipe: Says what a clip is.
        videos: How many.
    """

    def __init__(self, recipe: TrainingRecipe, videos: int) -> None:
        self._videos = videos
        self._sample = _sample(recipe)

    def __len__(self) -> int:
        return self._videos

    def path(self, index: int) -> Path:
        """Name what does not exist."""
        return Path(f"made-up-{index}")

    def __getitem__(self, sample: Sample) -> Batch:
        return self._sample


def _sample(recipe: TrainingRecipe) -> Batch:
    """Make what `PretrainClips` or `FinetuneClips` would give for one video."""
    clip, repeats = recipe.clip.candidates(), recipe.augment.repeats
    draw = torch.Generator().manual_seed(0)
    shape = (repeats, clip.frames, clip.size, clip.size, 3)
    pixels_RTHWC = torch.randint(0, 256, shape, dtype=torch.uint8, generator=draw)
    sample = {
        "clip": pixels_RTHWC.permute(0, 4, 1, 2, 3),  # a clip's colours lie together
        "index": torch.zeros(repeats, dtype=torch.int64),
        "failed": torch.zeros(repeats, dtype=torch.int64),
    }
    if not isinstance(recipe, FinetuneRecipe):
        return {**sample, "noise": torch.rand(repeats, 2, clip.grid().tokens, generator=draw)}
    box = [0, 0, clip.size // 2, clip.size // 2, 0]  # top, left, height, width, seed
    return {
        **sample,
        "label": torch.zeros(repeats, dtype=torch.int64),
        "erase": torch.tensor([box] * repeats),
        "noise": torch.rand(repeats, clip.grid().t, generator=draw),
    }
