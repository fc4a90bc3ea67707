"""Take the first steps of a run in a temporary directory, and measure them."""

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from videomae_cli.config.schema import with_train
from videomae_cli.data.loader import Order
from videomae_cli.data.workers import PREFETCH
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.engine.plan import TrainingPlan
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import Stopped
from videomae_cli.report import ProgressOnly, Report
from videomae_cli.tasks.dry_run.steadiness import (
    MAX_STEPS,
    MAX_WARM_UP_STEPS,
    MeasuredSteps,
    count_warm_up,
    has_enough_steps,
    relative_error,
)
from videomae_cli.tasks.run_dir import RunDir
from videomae_cli.tasks.train.job import Job
from videomae_cli.tasks.train.train import train

STEP_SECONDS = 5.0  # of a step, about, where a whole one takes longer
SPEED = "speed.jsonl"
Validation = Callable[[int], dict[str, float]]
ENDLESS = 10**9  # steps: the data must not run out during the measurement


class Measurement(NamedTuple):
    """Time, memory and file sizes of a few steps."""

    micro_seconds: float
    """Seconds per micro-batch, including its share of the update and of waiting for data."""
    data_wait: float
    """Share of the time spent waiting for data."""
    steps: MeasuredSteps
    """The times are averaged over these."""
    peak_bytes: int | None
    save_seconds: float
    validation_seconds: float
    """Seconds to validate on the videos of the job."""
    checkpoint_bytes: int
    final_bytes: int


def measure_steps(
    job: Job, runtime: Runtime, report: Report, *, beside: Path, expected: float
) -> Measurement:
    """Train until the time of a step is steady, with fewer micro-batches if it takes too long.

    Temporary files are written into `beside`, on the disk of the run. `expected` is the expected
    number of seconds per micro-batch.
    """
    affordable = runtime.broadcast(max(1, round(STEP_SECONDS / expected)))
    accumulation = min(job.plan.accumulation, affordable)
    validation_seconds = [0.0]
    job = _shortened(job, accumulation)
    if job.is_probed:  # between the steps, it would disturb their times
        job = job._replace(validate_every_epochs=None)
    if job.validate is not None:
        job = job._replace(validate=_timed(job.validate, validation_seconds))
    # what the workers decode ahead, and one round of them
    clips_ahead = (PREFETCH + 1) * runtime.worker_count(job.recipe.train.workers)
    queued = math.ceil(clips_ahead / accumulation)
    with _temporary_run(beside, runtime) as run_dir:

        def is_enough() -> bool:
            return runtime.run_on_rank0(
                lambda: has_enough_steps(_read_times(run_dir.path / SPEED, job.plan.batch), queued)
            )

        train(job, run_dir, runtime, _Measuring(report), is_enough=is_enough)
        ended = time.time()
        return runtime.run_on_rank0(
            lambda: _read(run_dir.path, ended, validation_seconds[-1], job.plan)
        )


class _Measuring(ProgressOnly):
    """Shows the progress of a training without end as that of its measurement."""

    def start(self, title: str, *, total: int, done: int = 0, unit: str = "step") -> None:
        """Show the largest number of steps."""
        super().start("measuring, at most", total=MAX_WARM_UP_STEPS + MAX_STEPS, unit=unit)


def _shortened(job: Job, accumulation: int) -> Job:
    """Return the job with a step of so many micro-batches, and no end."""
    batch = job.plan.micro_batch * accumulation * job.plan.world
    order = Order(job.order.videos, batch, job.recipe.seed)
    return job._replace(
        recipe=with_train(job.recipe, log_every_steps=1, save_every_steps=ENDLESS, track=()),
        order=order,
        plan=job.plan._replace(
            steps=ENDLESS,
            batch=batch,
            accumulation=accumulation,
            steps_per_epoch=order.steps_per_epoch,
        ),
    )


def _read_times(speed: Path, batch: int) -> list[float]:
    """Return the seconds of every step so far."""
    return [batch / line["clips_per_s"] for line in read_metrics(speed) if "clips_per_s" in line]


def _read(folder: Path, ended: float, validation_seconds: float, plan: TrainingPlan) -> Measurement:
    """Read the steps from a run directory."""
    speed = folder / SPEED
    every_time = _read_times(speed, plan.batch)
    warm_up = count_warm_up(every_time)
    every_line = read_metrics(speed)
    lines = [line for line in every_line if "clips_per_s" in line][warm_up:]
    times = every_time[warm_up:]
    # a probe writes a line after it, a validation does not
    since_line = validation_seconds if "clips_per_s" in every_line[-1] else 0.0
    waits = [line["data_wait"] * took for line, took in zip(lines, times, strict=True)]
    peak = lines[-1].get("peak_gb")
    checkpoint = next((folder / "checkpoints").iterdir())
    files = {path.name: path.stat().st_size for path in checkpoint.iterdir()}
    return Measurement(
        mean(times) / plan.accumulation,
        sum(waits) / sum(times),
        MeasuredSteps(len(times), plan.accumulation, relative_error(times)),
        None if peak is None else round(1e9 * peak),
        max(0.0, ended - speed.stat().st_mtime - since_line),
        validation_seconds,
        sum(files.values()),
        files["model.safetensors"],
    )


def _timed(validate: Validation, seconds: list[float]) -> Validation:
    """Return a validation that appends its own time to `seconds`."""

    def measure(step: int) -> dict[str, float]:
        began = time.perf_counter()
        figures = validate(step)
        seconds.append(time.perf_counter() - began)
        return figures

    return measure


@contextmanager
def _temporary_run(beside: Path, runtime: Runtime) -> Iterator[RunDir]:
    """Create a run directory on the disk of the run, and remove it afterwards."""
    path = Path(tempfile.mkdtemp(prefix=".dry-run-", dir=beside)) if runtime.is_main else Path()
    try:
        with RunDir(path, runtime) as run_dir:
            yield run_dir
    except Stopped as stopped:
        raise Stopped(
            "stopped while measuring; nothing was kept", exit_code=stopped.exit_code
        ) from stopped
    finally:
        if runtime.is_main:
            shutil.rmtree(path, ignore_errors=True)
