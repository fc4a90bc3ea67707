"""Which settings of pretraining leave the plateau within a fixed number of steps?

    python benchmarks/plateau.py --out runs/plateau

On the plateau, a model predicts the mean of the pixels around it and nothing of what moves. One
seed of the tiny model of `videomae demo`, on its generated videos: random masks of one half and raw
targets, and one change at a time. Printed are losses at the end (median of the last tenth of the
log) relative to those of predicting, without a model, the mean of the values: of each frame and
channel for raw targets, and of each token and channel (0) for normalised ones. 1 is the plateau;
for raw targets a model is a little above it, because it must guess the mean of a frame from its
visible tokens. What is finished is not done again.
"""

import argparse
import statistics
from pathlib import Path
from typing import NamedTuple

import torch
from measuring.frame_mean import measure_frame_variance

from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.report import Silence
from videomae_cli.tasks import run_dir as runs
from videomae_cli.tasks.demo.data import VideoCounts, make_unlabelled, unlabelled_dir
from videomae_cli.tasks.train import pretrain

SETTINGS = {
    "random 0.5, raw": ("random", 0.5, "none"),
    "random 0.75, raw": ("random", 0.75, "none"),
    "tube 0.5, raw": ("tube", 0.5, "none"),
    "random 0.5, normalised": ("random", 0.5, "patch"),
    "tube 0.75, normalised": ("tube", 0.75, "patch"),
    "random 0.9, raw": ("random", 0.9, "none"),
}
"""Name -> masking strategy, ratio, normalisation of the targets."""
STEPS, VIDEOS = 1200, 1000


class Outcome(NamedTuple):
    """The end of one run."""

    loss: float
    baseline: float
    """Loss of predicting the mean."""

    @property
    def relative(self) -> float:
        """1: on the plateau."""
        return self.loss / self.baseline


def make_recipe(data: Path, strategy: str, ratio: float, target: str, steps: int) -> PretrainRecipe:
    """Return the recipe `demo` with these settings."""
    words = [f"mask.strategy={strategy}", f"mask.ratio={ratio}", f"target.normalize={target}"]
    words += [f"schedule.steps={steps}", f"schedule.warmup_steps={steps // 20}", "train.workers=0"]
    words += ["train.save_every_steps=1000000"]
    return load_recipe("demo", words, "pretrain").model_copy(update={"data": data})


def measure(recipe: PretrainRecipe, run_dir: Path) -> Outcome:
    """Train, unless that is finished, and return the outcome."""
    if not runs.is_finished(run_dir):
        pretrain.run(recipe, run_dir, Silence())
    lines = read_metrics(run_dir / runs.METRICS)
    losses = [line["loss"] for line in lines]
    loss = statistics.median(losses[-max(3, len(losses) // 10) :])
    if recipe.target.normalize == "none":
        return Outcome(loss, measure_frame_variance(recipe))
    return Outcome(loss, [line["trivial_loss"] for line in lines if "trivial_loss" in line][-1])


def main() -> None:
    """Run all settings and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/plateau"))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--videos", type=int, default=VIDEOS)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    counts = VideoCounts(chosen.videos, (), 0, 0, 0)
    make_unlabelled(chosen.out, counts, seed=0, report=Silence())
    data = unlabelled_dir(chosen.out)
    print("| mask, targets | loss | predicting the mean | ratio |\n|---|---|---|---|")
    for name, (strategy, ratio, target) in SETTINGS.items():
        recipe = make_recipe(data, strategy, ratio, target, chosen.steps)
        run_dir = chosen.out / f"{strategy}-{ratio:g}-{target}-{chosen.steps}"
        loss, mean = found = measure(recipe, run_dir)
        print(f"| {name} | {loss:.4g} | {mean:.4g} | {found.relative:.3f} |", flush=True)


if __name__ == "__main__":
    main()
