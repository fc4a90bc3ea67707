"""The plan of a demonstration: numbers of videos, recipes, and the classifiers to train."""

import json
from pathlib import Path
from typing import NamedTuple, get_args

from videomae_cli import atomic
from videomae_cli.config.recipe_files import dump_recipe, load_recipe
from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe
from videomae_cli.errors import UsageError
from videomae_cli.tasks.demo.data import VideoCounts
from videomae_cli.tasks.demo.results import InitialWeights
from videomae_cli.tasks.demo.videos import FrameOrder

PLAN = "demo.json"
FULL = VideoCounts(
    unlabelled=4000, budgets=(16, 48, 160, 320), control=320, test=800, control_test=400
)
QUICK = VideoCounts(unlabelled=64, budgets=(16, 32), control=16, test=64, control_test=16)
QUICK_PRETRAIN = ("schedule.steps=10", "schedule.warmup_steps=2", "train.save_every_steps=10")
# the start without pretraining needs another learning rate: 1.5e-3; both were chosen from the same
# menu, on a seed that is used for nothing else (benchmarks/demo_proof.py --choose)
FROM_SCRATCH = ("optim.base_lr=2.4e-2",)
QUICK_FINETUNE = ("schedule.steps=4", "schedule.warmup_steps=1", "train.save_every_steps=4")


class DemoClassifier(NamedTuple):
    """One classifier that the demonstration trains."""

    order: FrameOrder
    start: InitialWeights
    labels: int

    @property
    def name(self) -> str:
        """Name of its run directory."""
        return f"{self.order}-{self.start}-{self.labels}"


class DemoPlan(NamedTuple):
    """The complete configuration of a demonstration; equal plans give equal results."""

    counts: VideoCounts
    pretraining: PretrainRecipe
    finetuning: FinetuneRecipe
    """From pretrained weights."""
    from_scratch: FinetuneRecipe
    seed: int

    def as_text(self) -> str:
        """Return the plan as JSON."""
        parts = {
            "scale": self.counts._asdict(),
            "seed": self.seed,
            "pretraining": dump_recipe(self.pretraining),
            "finetuning": dump_recipe(self.finetuning),
            "from scratch": dump_recipe(self.from_scratch),
        }
        return json.dumps(parts, indent=1) + "\n"

    def classifiers(self) -> list[DemoClassifier]:
        """Return the classifiers to train: those of the comparisons, then those of the controls."""
        comparisons = [
            DemoClassifier("natural", start, labels)
            for labels in self.counts.budgets
            for start in get_args(InitialWeights)
        ]
        controls: tuple[FrameOrder, ...] = ("still", "shuffled")
        return comparisons + [
            DemoClassifier(order, "pretrained", self.counts.control) for order in controls
        ]

    def describe(self) -> str:
        """Return one line about the training."""
        pretraining, finetuning = self.pretraining, self.finetuning
        return (
            f"pretraining on {self.counts.unlabelled:,} videos without labels for "
            f"{pretraining.schedule.steps:,} steps of {pretraining.train.batch} clips, and "
            f"fine-tuning {len(self.classifiers())} classifiers for "
            f"{finetuning.schedule.steps:,} steps of "
            f"{finetuning.train.batch * finetuning.augment.repeats} each"
        )


def make_plan(seed: int = 0, *, quick: bool = False) -> DemoPlan:
    """Return the plan of a demonstration; the quick one runs all stages in seconds."""
    changes = QUICK_FINETUNE if quick else ()
    pretraining = load_recipe("demo", QUICK_PRETRAIN if quick else (), "pretrain")
    finetuning, from_scratch = (
        load_recipe("demo-finetune", (*changes, *own), "finetune") for own in ((), FROM_SCRATCH)
    )
    return DemoPlan(
        QUICK if quick else FULL,
        pretraining.model_copy(update={"seed": seed}),
        finetuning.model_copy(update={"seed": seed}),
        from_scratch.model_copy(update={"seed": seed}),
        seed,
    )


def write_plan(plan: DemoPlan, run_dir: Path) -> None:
    """Write the plan, or check that the run directory has the same one.

    Raises:
        UsageError: The directory contains another demonstration, or something else.
    """
    file, text = run_dir / PLAN, plan.as_text()
    if file.is_file():
        if file.read_text() != text:
            raise UsageError(
                f"{run_dir} contains a demonstration with another seed, size or recipe",
                "repeat its options, or choose another --out",
            )
        return
    if run_dir.exists() and any(run_dir.iterdir()):
        raise UsageError(
            f"{run_dir} is not empty and contains no demonstration", "choose another --out"
        )
    run_dir.mkdir(parents=True, exist_ok=True)
    atomic.write_text(file, text)
