"""The tasks of the benchmark: make the videos of a seed, train an arm, fine-tune it, measure.

Each task writes one row, `rows/seed-0/NAME.json`, when it is finished, and does nothing if that
exists. All training, features, probes and evaluations are those of the commands.
"""

import json
import time
from collections.abc import Callable, Collection
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from measuring.frame_mean import measure_frame_variance
from measuring.machine import describe_machine, installed_versions, now

from lab import cost
from lab.claims import SCRATCH, Arm, find_arm, split_score
from lab.videos import FULL, QUICK, VideoCounts, data_dir, make_videos
from videomae_cli import atomic
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.data.manifest import read_manifest
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import UsageError
from videomae_cli.report import Report, Silence
from videomae_cli.tasks.demo.videos import MOTIONS
from videomae_cli.tasks.evaluate import evaluate
from videomae_cli.tasks.features.encoder import load_encoder
from videomae_cli.tasks.features.extract import extract_features, make_options
from videomae_cli.tasks.probe.curve import PROBES
from videomae_cli.tasks.probe.measures import make_metric
from videomae_cli.tasks.probe.samples import Target
from videomae_cli.tasks.run_dir import METRICS, is_finished
from videomae_cli.tasks.train import finetune, pretrain

RECIPES = Path(__file__).resolve().parent.parent.parent / "recipes" / "lab"
QUICK_STEPS = ("schedule.steps=4", "schedule.warmup_steps=1", "train.save_every_steps=4")
QUICK_BATCH = ("train.batch=8", "train.micro_batch=8")
QUICK_TIMED_STEPS = 1, 3
LAST_LINES = 4  # of metrics.jsonl, whose losses are averaged
Row = dict[str, Any]


class Lab(NamedTuple):
    """Where everything is written, and how much of it there is."""

    out: Path
    is_quick: bool = False
    deadline: float | None = None
    """Time (`time.time()`) after which nothing new is started."""

    @property
    def counts(self) -> VideoCounts:
        """The numbers of videos."""
        return QUICK if self.is_quick else FULL

    def folder(self, seed: int) -> Path:
        """Return the directory of a seed."""
        return self.out / f"seed-{seed}"

    def row_file(self, seed: int, score: str) -> Path:
        """Return the file of a row."""
        return self.out / "rows" / f"seed-{seed}" / f"{score}.json"

    def labels(self, score_labels: int) -> int:
        """Return the number of labels, which is smaller in a quick run."""
        return self.counts.labels[FULL.labels.index(score_labels)]

    def is_late(self) -> bool:
        """Return whether the deadline has passed."""
        return self.deadline is not None and time.time() >= self.deadline


def make_data(lab: Lab, seed: int, names: Collection[str], report: Report) -> None:
    """Generate the videos of a seed, unless it is late."""
    if not lab.is_late():
        make_videos(lab.folder(seed), lab.counts, seed, names)


def measure_score(lab: Lab, seed: int, score: str, report: Report) -> Row | None:
    """Return the row of a score; None if it is not there and it is too late to start.

    Raises:
        UsageError: The row was measured with other settings.
    """
    name, labels = split_score(score)
    if not lab.row_file(seed, score).is_file() and lab.is_late():
        return None
    start = time.perf_counter()
    if labels is None:
        row, is_new = _measure_pretraining(lab, seed, find_arm(name))
    else:
        row, is_new = _measure_finetuning(lab, seed, name, lab.labels(labels), score)
    if is_new:
        minutes = (time.perf_counter() - start) / 60
        report.say(f"seed {seed}, {score}: top-1 {row['top1']:.1f} %, {minutes:.1f} minutes")
    return row


def _measure_pretraining(lab: Lab, seed: int, arm: Arm) -> tuple[Row, bool]:
    """Pretrain an arm, and probe its frozen encoder."""
    recipe, settings = plan_arm(lab, seed, arm)
    file = lab.row_file(seed, arm.name)
    if file.is_file():
        return read_row(file, settings), False
    run_dir = lab.folder(seed) / arm.name
    if not is_finished(run_dir):
        _timed_run(run_dir, lambda: pretrain.run(recipe, run_dir, Silence()))
    macs = cost.step_macs(recipe)
    steps = recipe.schedule.steps or 0
    losses = [line["loss"] for line in read_metrics(run_dir / METRICS)][-LAST_LINES:]
    row = {
        "steps": steps,
        "clips": steps * recipe.train.batch * recipe.augment.repeats,
        "forward_macs": macs * steps,
        "loss": round(fmean(losses), 6),
        "mean_loss": round(_mean_loss(recipe), 6),
        "top1": probe_top1(lab, seed, run_dir),
    }
    return _write_row(file, seed, settings, {**row, **_read_seconds(run_dir)}), True


def plan_arm(lab: Lab, seed: int, arm: Arm) -> tuple[PretrainRecipe, Row]:
    """Return the recipe of an arm, and what its row depends on."""
    recipe = _load_arm(lab, seed, arm)
    if arm.equal is not None:
        unit, name = arm.equal
        other = _load_arm(lab, seed, find_arm(name))
        if unit == "flop":
            costs = [float(cost.step_macs(each)) for each in (recipe, other)]
        else:
            costs = _read_step_seconds(lab, seed, (arm.name, recipe), (name, other))
        steps = cost.equal_steps(other.schedule.steps or 0, *costs)
        recipe = cost.with_steps(recipe, steps)
    settings = recipe.model_dump(mode="json", exclude={"data", "start"})
    counts = lab.counts._asdict() | {"labels": list(lab.counts.labels)}
    return recipe, {"recipe": settings, "videos": arm.data, "counts": counts}


def _load_arm(lab: Lab, seed: int, arm: Arm) -> PretrainRecipe:
    data = f"data={data_dir(lab.folder(seed), arm.data)}"
    changes = [*arm.changes, data, f"seed={seed}", *(QUICK_STEPS if lab.is_quick else ())]
    if lab.is_quick and not any(change.startswith("train.batch") for change in changes):
        changes += QUICK_BATCH
    return load_recipe(str(RECIPES / "pretrain.yaml"), changes, "pretrain")


def _read_step_seconds(lab: Lab, seed: int, *arms: tuple[str, PretrainRecipe]) -> list[float]:
    """Return the CPU seconds of a step of each arm, which are measured once for each seed."""
    names = [name for name, _ in arms]
    file = lab.folder(seed) / f"step-seconds-{names[0]}.json"
    if not file.is_file():
        timed = QUICK_TIMED_STEPS if lab.is_quick else cost.TIMED_STEPS
        seconds = cost.time_steps(*(recipe for _, recipe in arms), timed=timed)
        atomic.write_json(file, dict(zip(names, seconds, strict=True)))
    found = json.loads(file.read_text(encoding="utf-8"))
    return [found[name] for name in names]


def _mean_loss(recipe: PretrainRecipe) -> float:
    """Return the loss of predicting the mean colour of each frame: 1 for normalised targets."""
    if recipe.target.normalize != "none":
        return 1.0
    return measure_frame_variance(recipe)


def probe_top1(lab: Lab, seed: int, run_dir: Path) -> float:
    """Return the top-1, in %, of a linear probe of the frozen encoder on the test videos."""
    manifest = read_manifest(data_dir(lab.folder(seed), f"labelled-{lab.counts.probe_labels}"))
    with Runtime("fp32") as runtime:
        found = extract_features(
            load_encoder(str(run_dir / "final")),
            manifest,
            ("train", "test"),
            run_dir / "features",
            runtime=runtime,
            report=Silence(),
            options=make_options("mean", clips=1, crops=1),
        )
    target = Target("single-label", found.label_V, len(MOTIONS))
    split_V = np.array(found.split)
    train, test = (np.flatnonzero(split_V == name) for name in ("train", "test"))
    output_VK = PROBES["linear"](
        found.feature[train], target.take(train), found.feature[test], seed=seed
    )
    return 100 * make_metric(target.take(test), output_VK)(np.ones(len(test)))


def _measure_finetuning(
    lab: Lab, seed: int, start: str, labels: int, score: str
) -> tuple[Row, bool]:
    """Fine-tune an arm, or a new encoder, and evaluate it on the test videos."""
    folder = lab.folder(seed)
    changes = [f"data={data_dir(folder, f'labelled-{labels}')}", f"seed={seed}"]
    changes += (*QUICK_STEPS, *QUICK_BATCH) if lab.is_quick else ()
    weights = SCRATCH if start == SCRATCH else str(folder / start / "final")
    recipe = load_recipe(str(RECIPES / "finetune.yaml"), changes, "finetune")
    settings = recipe.model_dump(mode="json", exclude={"data", "start"})
    settings = {"recipe": settings, "start": start, "labels": labels, "test": lab.counts.test}
    file, run_dir = lab.row_file(seed, score), folder / score
    if file.is_file():
        return read_row(file, settings), False
    recipe = recipe.model_copy(update={"start": weights})
    if not is_finished(run_dir):
        _timed_run(run_dir, lambda: finetune.run(recipe, run_dir, Silence()))
    result = evaluate.run(run_dir / "final", Silence())
    row = {"labels": labels, "top1": 100 * result.metrics["top1"], **_read_seconds(run_dir)}
    return _write_row(file, seed, settings, row), True


def read_row(file: Path, settings: Row) -> Row:
    """Return a row that was measured with these settings.

    Raises:
        UsageError: It was measured with others.
    """
    row: Row = json.loads(file.read_text(encoding="utf-8"))
    if row["settings"] != settings:
        names = [name for name in settings if row["settings"].get(name) != settings[name]]
        raise UsageError(
            f"{file} was measured with other settings ({', '.join(names)})",
            "choose another --out, or remove the row and its run directory",
        )
    return row


def _write_row(file: Path, seed: int, settings: Row, values: Row) -> Row:
    facts = {
        "date": now(),
        "processor": describe_machine()["processor"],
        "versions": installed_versions("torch", "numpy", "scikit-learn"),
    }
    row = {"score": file.stem, "seed": seed, **values, **facts, "settings": settings}
    atomic.write_json(file, row)
    return json.loads(json.dumps(row))  # type: ignore[no-any-return]


def _timed_run(run_dir: Path, train: Callable[[], object]) -> None:
    """Train, and add the seconds to those before an interruption."""
    before = _read_seconds(run_dir)
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        train()
    finally:
        seconds = {
            "wall_seconds": before["wall_seconds"] + time.perf_counter() - wall,
            "cpu_seconds": before["cpu_seconds"] + time.process_time() - cpu,
        }
        atomic.write_json(_seconds_file(run_dir), seconds)


def _read_seconds(run_dir: Path) -> dict[str, float]:
    file = _seconds_file(run_dir)
    if not file.is_file():
        return {"wall_seconds": 0.0, "cpu_seconds": 0.0}
    found = json.loads(file.read_text(encoding="utf-8"))
    return {name: round(value, 1) for name, value in found.items()}


def _seconds_file(run_dir: Path) -> Path:
    return run_dir.with_name(f"{run_dir.name}.seconds.json")
