"""How many steps an arm takes so that it costs as much as another.

FLOP are those that a forward pass executes (`videomae_cli/models/macs.py`), times clips: a backward
pass costs twice as much in either arm. Seconds are CPU seconds of whole steps, decoding included,
in a process with one thread: the wall time on a core that runs nothing else.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from videomae_cli.config.model_config import autoencoder_config
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.models.build import build_autoencoder
from videomae_cli.models.macs import count_macs
from videomae_cli.report import Silence
from videomae_cli.tasks.train import pretrain

TIMED_STEPS = 10, 60  # of a short and of a long run, whose difference is timed
ROUNDS = 2


def clip_macs(recipe: PretrainRecipe) -> int:
    """Return the multiply-accumulates of the forward pass of one clip, as executed."""
    model = build_autoencoder(autoencoder_config(recipe)).eval()
    clip, tokens = recipe.clip, recipe.clip.grid().tokens
    generator = torch.Generator().manual_seed(0)
    shape = 1, 3, clip.frames, clip.size, clip.size
    clip_BCTHW = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    noise_B2N = torch.rand(1, 2, tokens, generator=generator)
    return count_macs(model, clip_BCTHW, noise_B2N).executed


def step_macs(recipe: PretrainRecipe) -> int:
    """Return the multiply-accumulates of the forward passes of one step."""
    return clip_macs(recipe) * recipe.train.batch * recipe.augment.repeats


def equal_steps(steps: int, cost: float, other_cost: float) -> int:
    """Return the steps that cost as much as `steps` of another arm, rounded, at least one.

    Args:
        steps: Of the other arm.
        cost: Of one step of this arm.
        other_cost: Of one step of the other.
    """
    return max(1, round(steps * other_cost / cost))


def with_steps(recipe: PretrainRecipe, steps: int) -> PretrainRecipe:
    """Return the recipe with another length, and a warm-up of the same share of it."""
    before = recipe.schedule
    assert before.steps is not None and before.warmup_steps is not None
    warmup = round(before.warmup_steps * steps / before.steps)
    schedule = before.model_copy(update={"steps": steps, "warmup_steps": warmup})
    return recipe.model_copy(update={"schedule": schedule})


def time_steps(*recipes: PretrainRecipe, timed: tuple[int, int] = TIMED_STEPS) -> list[float]:
    """Return the CPU seconds of one step of each recipe, the lower of two rounds by turns."""
    best = [float("inf")] * len(recipes)
    for _ in range(ROUNDS):
        for number, recipe in enumerate(recipes):
            short, long = (_train_seconds(with_steps(recipe, steps)) for steps in timed)
            best[number] = min(best[number], (long - short) / (timed[1] - timed[0]))
    return best


def _train_seconds(recipe: PretrainRecipe) -> float:
    with TemporaryDirectory() as folder:
        start = time.process_time()
        pretrain.run(recipe, Path(folder) / "run", Silence())
        return time.process_time() - start
