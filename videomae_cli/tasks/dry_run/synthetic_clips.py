"""Random clips and a list of videos that do not exist, to measure training without data.

Shapes: R repeats, C channels, T frames, H height, W width.
"""

from pathlib import Path

import torch

from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.data.batches import PretrainBatch
from videomae_cli.data.dataset import SampleKey
from videomae_cli.data.manifest import Manifest, Video

FPS = 25.0


def synthetic_manifest(recipe: PretrainRecipe) -> Manifest:
    """List enough videos for one batch; none of the files exists."""
    clip = recipe.clip
    video = Video(
        path="",
        split="train",
        label=None,
        frames=clip.candidates().count_span(FPS),
        fps=FPS,
        width=clip.width,
        height=clip.height,
        decoder="decord",
    )
    rows = (video._replace(path=f"synthetic-{n}") for n in range(recipe.train.batch))
    return Manifest(Path(), tuple(rows), None, "")


class SyntheticClips:
    """Uniform random pixels in the shape of a pretraining recipe's clips; all clips are equal.

    They are drawn from a generator of their own.
    """

    def __init__(self, recipe: PretrainRecipe) -> None:
        clip, repeats = recipe.clip.candidates(), recipe.augment.repeats
        generator = torch.Generator().manual_seed(0)
        shape = (repeats, clip.frames, clip.height, clip.width, clip.channels)
        pixels_RTHWC = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        self._sample = PretrainBatch(
            clip=pixels_RTHWC.permute(0, 4, 1, 2, 3),  # channels last in memory
            noise=torch.rand(repeats, 2, clip.grid().tokens, generator=generator),
            indices=torch.zeros(repeats, dtype=torch.int64),
            failed=torch.zeros(repeats, dtype=torch.int64),
        )

    def path(self, index: int) -> Path:
        """Return the name of a file that does not exist."""
        return Path(f"synthetic-{index}")

    def __getitem__(self, sample: SampleKey) -> PretrainBatch:
        return self._sample
