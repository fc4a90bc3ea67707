"""Settings of pretraining that stayed on the plateau where we measured them, and how to leave it.

On the plateau a model predicts the mean of what it sees, and nothing else. Long runs of large
models leave it with the same settings, so only runs as short and models as small as the measured
ones are warned of. Figures: benchmarks/RESULTS.md, docs/small-data.md.
"""

from typing import NamedTuple

from videomae_cli.config.schema import SCRATCH, PretrainRecipe
from videomae_cli.config.transformer import SIZES


class Measured(NamedTuple):
    """Runs that stayed on the plateau, from random weights and with `target.normalize=patch`."""

    strategies: tuple[str, ...]
    ratio: float
    """Of these masks; higher ratios are warned of too."""
    size: str
    """The model; smaller ones are warned of too."""
    clips: int
    """Clips that the longest run saw: its steps times its batch."""
    figures: str


MEASURED = (
    Measured(
        ("tube", "space"),  # `space` is another name for `tube`
        0.9,
        "vits",
        17_600,
        "small-data-vits (ViT-S, 112 pixels, tube masks of 0.9) on 162 videos: loss 0.984 after"
        " 550 steps of 32 clips, where predicting the mean gives 0.992",
    ),
    Measured(
        ("random",),
        0.75,
        "tiny",
        3_200,
        "a tiny model on 1,000 generated videos of 16 pixels, random masks of 0.75: loss 0.970"
        " after 200 steps of 16 clips, where predicting the mean gives 0.967",
    ),
)
WAY_OUT = (
    "train longer, or start from published weights; with mask.strategy=random mask.ratio=0.5"
    " target.normalize=none the loss of a tiny model was still falling after 1,000 steps of 16"
    " (docs/small-data.md)"
)


def find_plateau(recipe: PretrainRecipe, steps: float) -> str:
    """Return that these settings stayed on the plateau, with the figures; "" if none is known.

    Args:
        recipe: A pretraining recipe.
        steps: Optimizer steps that it takes, or that a run of it has taken.
    """
    mask, target = recipe.mask, recipe.target
    clips = steps * recipe.train.batch * recipe.augment.repeats
    dim = SIZES[recipe.model.size].dim
    if recipe.start not in (None, SCRATCH) or target.normalize != "patch":
        return ""
    for known in MEASURED:
        is_like = mask.strategy in known.strategies and mask.ratio >= known.ratio
        if is_like and dim <= SIZES[known.size].dim and clips <= known.clips:
            return (
                f"mask.strategy={mask.strategy} mask.ratio={mask.ratio:g} target.normalize=patch"
                " stayed on the plateau of predicting the mean where we measured runs of so small"
                f" a model on so few clips ({clips:,.0f} here): {known.figures}; {WAY_OUT}"
            )
    return ""
