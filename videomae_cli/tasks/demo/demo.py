"""`videomae demo`: measure on this machine how much pretraining helps where labels are few.

A linear probe is fitted to frozen features of the pretrained encoder and of an identical one with
random weights; then both are fine-tuned for the same number of steps. All is compared with few
labels, more and more of them, on videos that neither has seen. Two controls check that only motion
can be learned: on single frames, top-1 must be at chance; on shuffled frames, the accuracy within
each pair of opposite classes must be 50 %. Every stage uses the code of the command of its name.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, get_args

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
from videomae_cli.tasks.evaluate.options import EvalOptions
from videomae_cli.tasks.probe.curve import LabelCurve
from videomae_cli.tasks.probe.evaluate_with_probes import CurveOptions, measure_label_curve
from videomae_cli.tasks.run_dir import is_finished
from videomae_cli.tasks.train import finetune, pretrain

RESULTS = "results.json"
PRETRAIN = "pretrain"
MAX_PARALLEL_TASKS = 2
FROZEN = "label curve"
PROBE = "linear"


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
        done = train(run_dir, plan, plan.classifiers(), report)
    scores = [done[classifier.name] for classifier in plan.classifiers()]
    comparisons = tuple(score for score in scores if score.order == "natural")
    controls = tuple(score for score in scores if score.order != "natural")
    results = DemoResults(done[FROZEN], comparisons, controls, timer.seconds)
    atomic.write_json(run_dir / RESULTS, results.as_json())
    page = write_report(run_dir, results, plan.counts, run_dir / PRETRAIN / "final", plan.seed)
    title = f"top-1 on {comparisons[0].videos:,} test videos, 8 classes, chance 12.5 %"
    columns = ("labelled videos", "pretrained", "random", "gain")
    report.table(f"linear probe on frozen features: {title}", columns, results.frozen_rows())
    columns = ("labelled videos", "pretrained", "from scratch", "gain")
    report.table(f"fine-tuned: {title}", columns, results.rows())
    for line in (*results.summary(), f"wrote {page}"):
        report.say(line)
    return results


def train(
    run_dir: Path, plan: DemoPlan, classifiers: Sequence[DemoClassifier], report: Report
) -> dict[str, Any]:
    """Pretrain, fit probes, and train these classifiers; what is finished is not done again.

    Returns:
        The label curve under `FROZEN`, and a `DemoScore` under the name of each classifier.

    Raises:
        Stopped: A signal asked to stop.
    """
    workers = min(MAX_PARALLEL_TASKS, os.cpu_count() or 1)
    try:
        tasks = _tasks(run_dir, plan, classifiers)
        return run_in_parallel(tasks, report, workers=workers, title="demo")
    except Stopped as error:
        raise Stopped(
            f"finished tasks are kept in {run_dir}",
            f"to continue, run it again with the same options and --out {run_dir}",
            exit_code=error.exit_code,
        ) from None


def _tasks(
    run_dir: Path, plan: DemoPlan, classifiers: Sequence[DemoClassifier]
) -> list[ParallelTask]:
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
    probe = partial(_measure_frozen, run_dir, plan)
    tasks.append(ParallelTask(FROZEN, probe, requires=(PRETRAIN, "natural videos")))
    for classifier in sorted(classifiers, key=lambda one: one.start != "scratch"):
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


def _measure_frozen(run_dir: Path, plan: DemoPlan, report: Report) -> LabelCurve:
    """Fit a linear probe to frozen features of the pretrained and of a random encoder."""
    budgets = plan.counts.budgets
    fractions = ",".join(f"{100 * labels / max(budgets):g}" for labels in budgets)
    data = labelled_dir(run_dir, "natural", max(budgets))
    options = EvalOptions(data=data, split="test", out=run_dir / "label-curve")
    curve = CurveOptions(fractions, probes=(PROBE,))
    checkpoint = run_dir / PRETRAIN / "final"
    result = measure_label_curve(checkpoint, ProgressOnly(report), options, curve)
    for point in result.points:
        report.say(
            f"{point.labels[0]:,} labels, frozen features, {PROBE} probe: top-1"
            f" {100 * point.first.value:.1f} % pretrained, {100 * point.second.value:.1f} % random"
        )
    return result


def _train_classifier(
    run_dir: Path, plan: DemoPlan, classifier: DemoClassifier, report: Report
) -> DemoScore:
    """Fine-tune on labelled videos, and evaluate on the test videos."""
    order, start, labels = classifier
    folder = run_dir / classifier.name
    if not is_finished(folder):
        data = labelled_dir(run_dir, order, labels)
        is_scratch = start == "scratch"
        recipe = plan.from_scratch if is_scratch else plan.finetuning
        weights = SCRATCH if is_scratch else str(run_dir / PRETRAIN / "final")
        recipe = recipe.model_copy(update={"data": data, "start": weights})
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
