"""Copies of the metrics for TensorBoard and Weights & Biases, through Accelerate's trackers.

`metrics.jsonl` is always written. When a run is resumed, TensorBoard discards the values after the
checkpoint; W&B continues the same run and keeps the first value of every step.
"""

import hashlib
import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

from accelerate.tracking import GeneralTracker, TensorBoardTracker, WandBTracker

from videomae_cli.engine.logging.metrics import MetricsCallback
from videomae_cli.errors import RecipeError, TrainingError
from videomae_cli.report import printable

Tracker = Literal["tensorboard", "wandb"]
WANDB_PROJECT = "videomae"


def require_installed(names: Sequence[Tracker]) -> None:
    """Raise a `RecipeError` if the package of a tracker is not installed."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise RecipeError(
                f"train.track: {name} is not installed",
                "pip install 'videomae[track]', or remove it from train.track; metrics.jsonl is "
                "written in any case",
            )


@contextmanager
def open_trackers(
    names: Sequence[Tracker], run_dir: Path, settings: Mapping[str, Any], *, step: int
) -> Iterator[MetricsCallback]:
    """Open trackers for a run and yield a function that sends metrics to all of them.

    To be entered on rank 0 only. The trackers are closed when the block ends, also by an exception.
    W&B shows the `settings`, the recipe; a `TrainingError` if it does not start.
    """
    trackers = [_create(name, run_dir, step) for name in names]

    def log(step: int, values: dict[str, float]) -> None:
        for tracker in trackers:
            tracker.log(values, step=step)

    with ExitStack() as started:
        for tracker in trackers:
            _start(tracker, settings)
            started.callback(tracker.finish)
        yield log


def _start(tracker: GeneralTracker, settings: Mapping[str, Any]) -> None:
    if not isinstance(tracker, WandBTracker):
        tracker.start()
        return
    import wandb

    try:
        tracker.start()
    except wandb.errors.Error as error:
        raise TrainingError(
            f"train.track: wandb does not start: {error}",
            "run `wandb login`, or set WANDB_MODE=offline",
        ) from error
    tracker.store_init_configuration(dict(settings))


def _create(name: Tracker, run_dir: Path, step: int) -> GeneralTracker:
    if name == "tensorboard":
        return TensorBoardTracker("tensorboard", logging_dir=run_dir, purge_step=step + 1)
    key = hashlib.sha256(os.fsencode(run_dir.resolve())).hexdigest()[:16]
    title = printable(run_dir.name)
    return WandBTracker(WANDB_PROJECT, name=title, id=key, resume="allow", dir=str(run_dir))
