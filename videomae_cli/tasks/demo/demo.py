"""`videomae demo`: measure on this machine how much pretraining helps where labels are few.

The pretrained encoder, and an identical one from scratch, are fine-tuned on few labels for the same
number of steps, and compared on videos that neither has seen. Two controls check that only motion
can be learned: on single frames, top-1 must be at chance; on shuffled frames, the accuracy within
each pair of opposite classes must be 50 %. Every stage uses the code of the command of its name.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import get_args

from videomae_cli import atomic
from videomae_cli.config.schema import SCRATCH, FinetuneRecipe, PretrainRecipe
from videomae_cli.errors import Stopped
from videomae_cli.report import ProgressOnly, Report
from videomae_cli.tasks.demo.data import (
    labelled_dir,
    make_labelled,
    make_unlabelled,
    unlabelled_dir,
)
from videomae_cli.tasks.demo.parallel import ParallelTask, run_in_parallel
from videomae_cli.tasks.demo.plan import DemoClassifier, DemoPlan, write_plan
from videomae_cli.tasks.demo.report import write_report
from videomae_cli.tasks.demo.results import DemoResults, DemoScore, read_score
from videomae_cli.tasks.demo.videos import FrameOrder
from videomae_cli.tasks.evaluate import evaluate
from videomae_cli.tasks.run_dir import is_finished
from videomae_cli.tasks.train import finetune, pretrain

RESULTS = "results.json"
PRETRAIN = "pretrain"
MAX_PARALLEL_TASKS = 2
COLUMNS = ("labelled videos", "pretrained", "from scratch", "gain")


def run(run_dir: Path, report: Report, plan: DemoPlan) -> DemoResults:
    """Run or resume a demonstration; write `results.json` and `report.html`.

    Raises:
        UsageError: `run_dir` contains a demonstration with another plan, or something else.
        Stopped: A signal asked to stop; running it again in this directory continues.
    """
    write_plan(plan, run_dir)
    report.say(f"run directory {run_dir}")
    timer = _Timer(run_dir)
    with timer.measure("videos"):
        # a warning that the data has no val split would only confuse
        progress = ProgressOnly(report, warnings=False)
        make_unlabelled(run_dir, plan.counts, seed=plan.seed, report=progress)
    report.say(plan.describe())
    with timer.measure("training"):
        scores = _train_all(run_dir, plan, report)
    comparisons = tuple(score for score in scores if score.order == "natural")
    controls = tuple(score for score in scores if score.order != "natural")
    results = DemoResults(comparisons, controls, timer.seconds)
    atomic.write_json(run_dir / RESULTS, results.as_json())
    page = write_report(run_dir, results, plan.counts, run_dir / PRETRAIN / "final", plan.seed)
    title = f"top-1 on {comparisons[0].videos:,} test videos, 8 classes, chance 12.5 %"
    report.table(title, COLUMNS, results.rows())
    for line in (*results.summary(), f"wrote {page}"):
        report.say(line)
    return results


def _train_all(run_dir: Path, plan: DemoPlan, report: Report) -> list[DemoScore]:
    """Run all tasks; return the scores in the order of `DemoPlan.classifiers`."""
    workers = min(MAX_PARALLEL_TASKS, os.cpu_count() or 1)
    try:
        done = run_in_parallel(_tasks(run_dir, plan), report, workers=workers, title="demo")
    except Stopped as error:
        raise Stopped(
            f"finished tasks are kept in {run_dir}",
            f"to continue, run it again with the same options and --out {run_dir}",
            exit_code=error.exit_code,
        ) from None
    return [done[classifier.name] for classifier in plan.classifiers()]


def _tasks(run_dir: Path, plan: DemoPlan) -> list[ParallelTask]:
    """Return all tasks in the order of their start, as far as requirements allow.

    Pretraining takes longest and comes first; then all that needs no pretrained encoder.
    """

    def remaining_steps(name: str, recipe: PretrainRecipe | FinetuneRecipe) -> int:
        return 0 if is_finished(run_dir / name) else recipe.schedule.steps or 0

    steps = remaining_steps(PRETRAIN, plan.pretraining)
    tasks = [ParallelTask(PRETRAIN, partial(_pretrain, run_dir, plan), steps)]
    tasks += [
        ParallelTask(f"{order} videos", partial(_make_labelled, run_dir, plan, order))
        for order in get_args(FrameOrder)
    ]
    for classifier in sorted(plan.classifiers(), key=lambda one: one.start != "scratch"):
        requires = [f"{classifier.order} videos"]
        requires += [PRETRAIN] if classifier.start == "pretrained" else []
        function = partial(_train_classifier, run_dir, plan, classifier)
        steps = remaining_steps(classifier.name, plan.finetuning)
        tasks.append(ParallelTask(classifier.name, function, steps, tuple(requires)))
    return tasks


def _make_labelled(run_dir: Path, plan: DemoPlan, order: FrameOrder, report: Report) -> None:
    progress = ProgressOnly(report, warnings=False)
    make_labelled(run_dir, order, plan.counts, seed=plan.seed, report=progress)


def _pretrain(run_dir: Path, plan: DemoPlan, report: Report) -> None:
    if not is_finished(run_dir / PRETRAIN):
        recipe = plan.pretraining.model_copy(update={"data": unlabelled_dir(run_dir)})
        pretrain.run(recipe, run_dir / PRETRAIN, ProgressOnly(report))


def _train_classifier(
    run_dir: Path, plan: DemoPlan, classifier: DemoClassifier, report: Report
) -> DemoScore:
    """Fine-tune on labelled videos, and evaluate on the test videos."""
    order, start, labels = classifier
    folder = run_dir / classifier.name
    if not is_finished(folder):
        data = labelled_dir(run_dir, order, labels)
        weights = str(run_dir / PRETRAIN / "final") if start == "pretrained" else SCRATCH
        recipe = plan.finetuning.model_copy(update={"data": data, "start": weights})
        finetune.run(recipe, folder, ProgressOnly(report))
    result = evaluate.run(folder / "final", ProgressOnly(report))
    frames = "" if order == "natural" else f" ({order} frames)"
    report.say(f"{labels:,} labels, {start}{frames}: {result.headline()}")
    return read_score(result, order, start, labels)


class _Timer:
    """The time spent in each stage, summed over interruptions."""

    def __init__(self, run_dir: Path) -> None:
        self.seconds: dict[str, float] = {}
        self._file = run_dir / "seconds.json"
        self._before: dict[str, float] = (
            json.loads(self._file.read_text()) if self._file.is_file() else {}
        )

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time inside the block to that of a stage."""
        start = time.monotonic()
        try:
            yield
        finally:
            spent = self._before.get(stage, 0.0) + time.monotonic() - start
            self.seconds[stage] = round(spent, 1)
            atomic.write_text(self._file, json.dumps({**self._before, **self.seconds}) + "\n")
