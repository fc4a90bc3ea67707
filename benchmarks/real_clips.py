"""One small run per masking strategy on labelled clips of your own, all with the same budget.

    videomae prepare CLIPS --out data/clips
    python benchmarks/real_clips.py --data data/clips --out runs/strategies

Pretrains a tiny encoder under each strategy, fine-tunes it, tests it (5 x 1 views), and prints a
table; also MAE-ST's model, and one from scratch. What is finished is not done again. A few hundred
clips and a tiny model tell strategies apart only where the differences are large: read the spread
over the seeds first.
"""

import argparse
import json
import re
import statistics
from pathlib import Path

from videomae_cli.config import schema
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.report import Silence
from videomae_cli.tasks import run_dir as runs
from videomae_cli.tasks.evaluate import evaluate
from videomae_cli.tasks.train import finetune, pretrain

PRETRAIN = ["model.size=tiny", "model.decoder.dim=64", "model.decoder.heads=4"]
PRETRAIN += ["model.decoder.depth=1", "schedule.epochs={epochs}", "schedule.warmup_epochs=5"]
PRETRAIN += ["optim.base_lr=8.0e-3", "mask.ratio=0.75", "train.workers=1"]
FINETUNE = ["model.size=tiny", "schedule.epochs={epochs}", "schedule.warmup_epochs=2"]
FINETUNE += ["augment.repeats=1", "augment.flip=true", "augment.randaugment=null"]
FINETUNE += ["augment.mixup=0.0", "augment.cutmix=0.0", "eval.every_epochs=null"]
FINETUNE += ["model.drop_path=0.0", "train.workers=1"]
MAEST = ["model.positions=separable", "model.class_token=true", "model.biases=all"]
STRATEGIES: dict[str, list[str]] = {
    "tube": [],
    "random": ["mask.strategy=random"],
    "random, MAE-ST's model": ["mask.strategy=random", *MAEST, "model.init=mae-st"],
    "time": ["mask.strategy=time"],
    "tube + running cell": ["mask.targets=running-cell", "mask.targets_ratio=0.5"],
    "motion": ["mask.strategy=motion", "mask.pool=0.5"],
    "motion + select 0.6": ["mask.strategy=motion", "mask.pool=0.5"],
}
SCRATCH = "no pretraining"


def one(name: str, seed: int, data: Path, out: Path, epochs: tuple[int, int]) -> float:
    """Pretrain, fine-tune and test under one strategy; return the top-1 accuracy."""
    folder = out / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}-{seed}"
    start = schema.SCRATCH
    if name != SCRATCH:
        words = [word.format(epochs=epochs[0]) for word in PRETRAIN] + STRATEGIES[name]
        recipe = load_recipe("small-data-vits", words, "pretrain")
        before = folder / "pretrain"
        if not runs.is_finished(before):
            pretrain.run(recipe.model_copy(update={"data": data, "seed": seed}), before, Silence())
        start = str(before / "final")
    words = [word.format(epochs=epochs[1]) for word in FINETUNE]
    if "MAE-ST" in name:
        words += [*MAEST, "model.norm=pretrained"]
    if "select" in name:
        words += ["select.strategy=motion", "select.pool=0.6"]
    tuned = load_recipe("small-data-vits-finetune", words, "finetune")
    after = folder / "finetune"
    if not runs.is_finished(after):
        changes = {"data": data, "seed": seed, "start": start}
        finetune.run(tuned.model_copy(update=changes), after, Silence())
    found = after / "eval"
    if not list(found.glob("*/result.json")):
        evaluate.run(after / "final", Silence(), clips=5, crops=1)
    return float(json.loads(next(found.glob("*/result.json")).read_text())["top1"])


def main() -> None:
    """Run all and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/strategies"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, nargs=2, default=(30, 10))
    given = parser.parse_args()
    print("| strategy | each seed, top-1 % | mean |\n|---|---|---|")
    for name in (*STRATEGIES, SCRATCH):
        found = [
            100 * one(name, seed, given.data, given.out, tuple(given.epochs))
            for seed in given.seeds
        ]
        each = ", ".join(f"{value:.1f}" for value in found)
        print(f"| {name} | {each} | {statistics.mean(found):.1f} |", flush=True)


if __name__ == "__main__":
    main()
