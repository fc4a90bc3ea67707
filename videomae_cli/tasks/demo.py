"""`videomae demo`: proof, made on the spot, that pretraining helps where labels are few.

Make videos; pretrain on them without labels; fine-tune that encoder, and an identical one from
scratch, on few labels and for the same number of steps; compare both on videos neither has seen.
Then make sure that only motion can have been learned: the same contest on single frames must end
at chance, and on shuffled frames at the toss of a coin within each pair of opposite classes.

Every part goes through the same code as the command of its name. What is finished is not done
again when a demonstration is resumed.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, get_args

from videomae_cli.config.recipes import dump, load_recipe
from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe
from videomae_cli.data.manifest import write_atomically
from videomae_cli.engine.report import Report
from videomae_cli.errors import UsageError
from videomae_cli.tasks import evaluate, finetune, pretrain, runs
from videomae_cli.tasks.demo_data import Scale, make_labelled, make_unlabelled
from videomae_cli.tasks.demo_report import write_report
from videomae_cli.tasks.demo_results import Outcome, Score, Start, score_of
from videomae_cli.tasks.demo_videos import Order
from videomae_cli.tasks.quiet import Quiet

PLAN, RESULTS = "demo.json", "results.json"
COLUMNS = ("labelled videos", "pretrained", "from scratch", "gain")
FULL = Scale(unlabelled=2000, budgets=(160, 640), control=320, test=800, control_test=400)
QUICK = Scale(unlabelled=64, budgets=(16, 32), control=16, test=64, control_test=16)
QUICK_PRETRAIN = ("schedule.steps=10", "schedule.warmup_steps=2", "train.save_every_steps=10")
QUICK_FINETUNE = ("schedule.steps=4", "schedule.warmup_steps=1", "train.save_every_steps=4")


class Plan(NamedTuple):
    """A demonstration before it begins; two with the same plan make the same numbers."""

    scale: Scale
    pretraining: PretrainRecipe
    finetuning: FinetuneRecipe
    seed: int

    def as_text(self) -> str:
        """Write it down."""
        parts = {
            "scale": self.scale._asdict(),
            "seed": self.seed,
            "pretraining": dump(self.pretraining),
            "finetuning": dump(self.finetuning),
        }
        return json.dumps(parts, indent=1) + "\n"


def make_plan(seed: int = 0, *, quick: bool = False) -> Plan:
    """Plan a demonstration; a quick one takes the same way in seconds and proves nothing."""
    pretraining = load_recipe("demo", QUICK_PRETRAIN if quick else (), "pretrain")
    finetuning = load_recipe("demo-finetune", QUICK_FINETUNE if quick else (), "finetune")
    return Plan(
        QUICK if quick else FULL,
        pretraining.model_copy(update={"seed": seed}),
        finetuning.model_copy(update={"seed": seed}),
        seed,
    )


def run(run_dir: Path, report: Report, plan: Plan) -> Outcome:
    """Demonstrate; return the scores and write `results.json` and `report.html`.

    Args:
        run_dir: Where everything goes; what an interrupted run with this plan left there is used.
        report: Who is told.
        plan: How much of what.

    Raises:
        UsageError: `run_dir` holds a demonstration with another plan, or something else.
        Stopped: A signal asked to stop; the same run directory goes on.
    """
    _claim(run_dir, plan)
    report.say(f"run directory {run_dir}")
    demo = _Demonstration(run_dir, plan, report)
    with demo.timed("videos"):
        making = Quiet(report, warnings=False)  # of data without a val split, which is meant
        unlabelled = make_unlabelled(run_dir, plan.scale, seed=plan.seed, report=making)
        labelled: dict[Order, dict[int, Path]] = {
            order: make_labelled(run_dir, order, plan.scale, seed=plan.seed, report=making)
            for order in get_args(Order)
        }
    with demo.timed("pretraining"):
        encoder = demo.pretrain(unlabelled)
    with demo.timed("contests"):
        contests = [
            demo.score("natural", start, labels, data, encoder)
            for labels, data in labelled["natural"].items()
            for start in get_args(Start)
        ]
    with demo.timed("controls"):
        controls = [
            demo.score(order, "pretrained", labels, data, encoder)
            for order in ("still", "shuffled")
            for labels, data in labelled[order].items()
        ]
    outcome = Outcome(tuple(contests), tuple(controls), demo.seconds)
    write_atomically(run_dir / RESULTS, json.dumps(outcome.as_json(), indent=1) + "\n")
    page = write_report(run_dir, outcome, plan.scale, encoder, plan.seed)
    _tell(outcome, report)
    report.say(f"wrote {page}")
    return outcome


class _Demonstration:
    """The parts of a demonstration, each done once and then remembered."""

    def __init__(self, run_dir: Path, plan: Plan, report: Report) -> None:
        self.run_dir, self.plan, self.report = run_dir, plan, report
        self.quiet = Quiet(report)
        self.seconds: dict[str, float] = {}
        self._file = run_dir / "seconds.json"
        self._before: dict[str, float] = (
            json.loads(self._file.read_text()) if self._file.is_file() else {}
        )

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time inside to that of a part, over interruptions."""
        began = time.monotonic()
        try:
            yield
        finally:
            spent = self._before.get(part, 0.0) + time.monotonic() - began
            self.seconds[part] = round(spent, 1)
            write_atomically(self._file, json.dumps({**self._before, **self.seconds}) + "\n")

    def pretrain(self, data: Path) -> Path:
        """Pretrain without labels; return the weights."""
        run_dir = self.run_dir / "pretrain"
        if not runs.is_finished(run_dir):
            recipe = self.plan.pretraining
            self.report.say(
                f"pretraining on {self.plan.scale.unlabelled:,} videos without labels: "
                f"{recipe.schedule.steps:,} steps of {recipe.train.batch}"
            )
            pretrain.run(recipe.model_copy(update={"data": data}), run_dir, self.quiet)
        return run_dir / "final"

    def score(self, order: Order, start: Start, labels: int, data: Path, encoder: Path) -> Score:
        """Fine-tune on `data` and evaluate on its test videos."""
        run_dir = self.run_dir / f"{order}-{start}-{labels}"
        if not runs.is_finished(run_dir):
            where = str(encoder) if start == "pretrained" else finetune.SCRATCH
            recipe = self.plan.finetuning.model_copy(update={"data": data, "start": where})
            finetune.run(recipe, run_dir, self.quiet)
        result = evaluate.run(run_dir / "final", self.quiet)
        score = score_of(result, order, start, labels)
        frames = "" if order == "natural" else f" ({order} frames)"
        self.report.say(f"{labels:,} labels, {start}{frames}: {result.headline()}")
        return score


def _claim(run_dir: Path, plan: Plan) -> None:
    """Write down the plan, or make sure that it is the one written down."""
    file, text = run_dir / PLAN, plan.as_text()
    if file.is_file():
        if file.read_text() != text:
            raise UsageError(
                f"{run_dir} holds a demonstration with another seed, size or recipe",
                "give the same options again, or another --out",
            )
        return
    if run_dir.exists() and any(run_dir.iterdir()):
        raise UsageError(f"{run_dir} is not empty and holds no demonstration", "give another --out")
    run_dir.mkdir(parents=True, exist_ok=True)
    write_atomically(file, text)


def _tell(outcome: Outcome, report: Report) -> None:
    test = outcome.contests[0].videos
    title = f"top-1 on {test:,} test videos, 8 classes, chance 12.5 %"
    report.table(title, COLUMNS, outcome.rows())
    for line in outcome.notes():
        report.say(line)
