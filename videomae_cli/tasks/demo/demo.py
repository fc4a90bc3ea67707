"""`videomae demo`: proof, made on the spot, that pretraining helps where labels are few.

Make videos; pretrain on them without labels; fine-tune that encoder, and an identical one from
scratch, on few labels and for the same number of steps; compare both on videos neither has seen.
Then make sure that only motion can have been learned: the same contest on single frames must end
at chance, and on shuffled frames at the toss of a coin within each pair of opposite classes.

Every part goes through the same code as the command of its name, two at once, each in a process
with one thread. What is finished is not done again when a demonstration is resumed.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, get_args

from videomae_cli import atomic
from videomae_cli.config.recipe_files import dump_recipe, load_recipe
from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe
from videomae_cli.errors import Stopped, UsageError
from videomae_cli.report import ProgressOnly, Report
from videomae_cli.tasks.demo.data import (
    Scale,
    labelled_data,
    make_labelled,
    make_unlabelled,
    unlabelled_data,
)
from videomae_cli.tasks.demo.parallel import Part, side_by_side
from videomae_cli.tasks.demo.report import write_report
from videomae_cli.tasks.demo.results import Outcome, Score, Start, score_of
from videomae_cli.tasks.demo.videos import Order
from videomae_cli.tasks.evaluate import evaluate
from videomae_cli.tasks.run_dir import is_finished
from videomae_cli.tasks.train import finetune, pretrain

PLAN, RESULTS = "demo.json", "results.json"
PRETRAIN = "pretrain"
LANES = 2  # parts at once
COLUMNS = ("labelled videos", "pretrained", "from scratch", "gain")
FULL = Scale(unlabelled=2000, budgets=(48, 160), control=320, test=800, control_test=400)
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
            "pretraining": dump_recipe(self.pretraining),
            "finetuning": dump_recipe(self.finetuning),
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
    clock = _Clock(run_dir)
    with clock.timed("videos"):
        quiet = ProgressOnly(report, warnings=False)  # of data without a val split, which is meant
        make_unlabelled(run_dir, plan.scale, seed=plan.seed, report=quiet)
    pretraining, finetuning = plan.pretraining, plan.finetuning
    report.say(
        f"pretraining on {plan.scale.unlabelled:,} videos without labels for "
        f"{pretraining.schedule.steps:,} steps of {pretraining.train.batch}, beside and after it "
        f"{len(_scores(plan))} fine-tunings for {finetuning.schedule.steps:,} steps"
    )
    with clock.timed("training"):
        try:
            done = side_by_side(
                _parts(run_dir, plan), report, lanes=min(LANES, os.cpu_count() or 1), title="demo"
            )
        except Stopped as stop:
            raise Stopped(
                f"what is done is in {run_dir}",
                f"go on with the same options and --out {run_dir}",
                exit_code=stop.exit_code,
            ) from None
    scores = [done[_name(*which)] for which in _scores(plan)]
    contests = [score for score in scores if score.order == "natural"]
    controls = [score for score in scores if score.order != "natural"]
    outcome = Outcome(tuple(contests), tuple(controls), clock.seconds)
    atomic.write_text(run_dir / RESULTS, json.dumps(outcome.as_json(), indent=1) + "\n")
    page = write_report(run_dir, outcome, plan.scale, run_dir / PRETRAIN / "final", plan.seed)
    _tell(outcome, report)
    report.say(f"wrote {page}")
    return outcome


def _parts(run_dir: Path, plan: Plan) -> list[Part]:
    """Return what is to be done, in the order in which it is begun where nothing is waited for.

    First pretraining, the longest; beside it all that needs no encoder.
    """

    def steps(part: str, recipe: PretrainRecipe | FinetuneRecipe) -> int:
        return 0 if is_finished(run_dir / part) else recipe.schedule.steps or 0

    pretraining = partial(_pretrain, run_dir, plan)
    parts = [Part(PRETRAIN, pretraining, steps(PRETRAIN, plan.pretraining))]
    parts += [
        Part(f"{order} videos", partial(_make_labelled, run_dir, plan, order))
        for order in get_args(Order)
    ]
    for order, start, labels in sorted(_scores(plan), key=lambda which: which[1] != "scratch"):
        name = _name(order, start, labels)
        needs = (f"{order} videos", *([PRETRAIN] if start == "pretrained" else []))
        work = partial(_score, run_dir, plan, order, start, labels)
        parts.append(Part(name, work, steps(name, plan.finetuning), needs))
    return parts


def _scores(plan: Plan) -> list[tuple[Order, Start, int]]:
    """Return which classifiers are trained, as the table has them: the contests, the controls."""
    contests: list[tuple[Order, Start, int]] = [
        ("natural", start, labels) for labels in plan.scale.budgets for start in get_args(Start)
    ]
    return [
        *contests,
        ("still", "pretrained", plan.scale.control),
        ("shuffled", "pretrained", plan.scale.control),
    ]


def _name(order: Order, start: Start, labels: int) -> str:
    return f"{order}-{start}-{labels}"


def _make_labelled(run_dir: Path, plan: Plan, order: Order, report: Report) -> None:
    quiet = ProgressOnly(report, warnings=False)
    make_labelled(run_dir, order, plan.scale, seed=plan.seed, report=quiet)


def _pretrain(run_dir: Path, plan: Plan, report: Report) -> None:
    """Pretrain without labels."""
    if not is_finished(run_dir / PRETRAIN):
        recipe = plan.pretraining.model_copy(update={"data": unlabelled_data(run_dir)})
        pretrain.run(recipe, run_dir / PRETRAIN, ProgressOnly(report))


def _score(
    run_dir: Path, plan: Plan, order: Order, start: Start, labels: int, report: Report
) -> Score:
    """Fine-tune on few labelled videos and evaluate on the test videos."""
    folder = run_dir / _name(order, start, labels)
    if not is_finished(folder):
        data = labelled_data(run_dir, order, labels)
        begin = str(run_dir / PRETRAIN / "final") if start == "pretrained" else finetune.SCRATCH
        recipe = plan.finetuning.model_copy(update={"data": data, "start": begin})
        finetune.run(recipe, folder, ProgressOnly(report))
    result = evaluate.run(folder / "final", ProgressOnly(report))
    frames = "" if order == "natural" else f" ({order} frames)"
    report.say(f"{labels:,} labels, {start}{frames}: {result.headline()}")
    return score_of(result, order, start, labels)


class _Clock:
    """Time spent, over interruptions.

    Args:
        run_dir: Where it is written down.
    """

    def __init__(self, run_dir: Path) -> None:
        self.seconds: dict[str, float] = {}
        self._file = run_dir / "seconds.json"
        self._before: dict[str, float] = (
            json.loads(self._file.read_text()) if self._file.is_file() else {}
        )

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time inside to that of a part."""
        began = time.monotonic()
        try:
            yield
        finally:
            spent = self._before.get(part, 0.0) + time.monotonic() - began
            self.seconds[part] = round(spent, 1)
            atomic.write_text(self._file, json.dumps({**self._before, **self.seconds}) + "\n")


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
    atomic.write_text(file, text)


def _tell(outcome: Outcome, report: Report) -> None:
    test = outcome.contests[0].videos
    title = f"top-1 on {test:,} test videos, 8 classes, chance 12.5 %"
    report.table(title, COLUMNS, outcome.rows())
    for line in outcome.notes():
        report.say(line)
