"""The first steps of a run, taken by `train` itself where nothing stays, and what they showed."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import NamedTuple, TypeVar, cast

from videomae_cli.data.loader import Order
from videomae_cli.engine.metrics import read_metrics
from videomae_cli.engine.plan import Plan
from videomae_cli.engine.report import Report
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import Stopped
from videomae_cli.tasks.resume import TrainingRecipe
from videomae_cli.tasks.training import Job, train

AnyRecipe = TypeVar("AnyRecipe", bound=TrainingRecipe)
SECONDS = 25.0  # of measured steps, about
LEAST, MOST = 3, 40  # measured steps
WARM = 2  # steps before them, at least; a quarter of the measured ones if that is more
ENDLESS = 10**9  # steps: the data must not run out while we measure


class Taken(NamedTuple):
    """What a few steps showed."""

    micro_seconds: float
    """Per micro-batch, its share of the update and of waiting included."""
    data_wait: float
    measured: int
    peak_bytes: int | None
    save_seconds: float
    validation_seconds: float
    """Of the few videos."""
    checkpoint_bytes: int
    final_bytes: int


def take_steps(
    job: Job,
    recipe: TrainingRecipe,
    runtime: Runtime,
    report: Report,
    *,
    order: Order,
    plan: Plan,
    beside: Path,
    expected: float,
) -> Taken:
    """Train a few steps, of fewer micro-batches than a whole step has if that takes too long.

    Args:
        job: What the run trains.
        recipe: The run's.
        runtime: The run's.
        report: Who sees the progress.
        order: The run's.
        plan: The run's.
        beside: Where to write, and remove again.
        expected: Seconds per micro-batch, about.
    """
    affordable = runtime.agree(max(LEAST, min(MOST, round(SECONDS / expected))))
    accumulation = max(1, min(plan.accumulation, affordable // LEAST))
    measured = max(LEAST, affordable // accumulation)
    warm = max(WARM, measured // 4)
    batch = plan.micro_batch * accumulation * plan.world
    order = Order(order.videos, batch, recipe.seed)
    short = plan._replace(
        steps=ENDLESS,
        batch=batch,
        accumulation=accumulation,
        steps_per_epoch=order.steps_per_epoch,
    )
    timed = _Timed(job.evaluate)
    if job.evaluate is not None:
        job = job._replace(evaluate=timed)
    with _scratch(beside, runtime) as folder:
        train(
            job,
            with_train(recipe, log_every_steps=1, save_every_steps=ENDLESS, track=()),
            folder,
            order=order,
            plan=short,
            runtime=runtime,
            report=report,
            limit=warm + measured,
        )
        ended = time.time()
        taken = _read(folder, ended, timed.seconds, batch, measured) if runtime.is_main else None
    shared = runtime.agree(taken)
    assert shared is not None
    return shared._replace(micro_seconds=shared.micro_seconds / accumulation)


def _read(
    folder: Path, ended: float, validation_seconds: float, batch: int, measured: int
) -> Taken:
    """Read what the last steps in a run directory took; per step, not yet per micro-batch."""
    speed = folder / "speed.jsonl"
    lines = read_metrics(speed)[-measured:]
    times = [batch / line["clips_per_s"] for line in lines]
    waits = [line["data_wait"] * took for line, took in zip(lines, times, strict=True)]
    peak = lines[-1].get("peak_gb")
    save = next((folder / "checkpoints").iterdir())
    files = {path.name: path.stat().st_size for path in save.iterdir()}
    return Taken(
        mean(times),
        sum(waits) / sum(times),
        len(times),
        None if peak is None else round(1e9 * peak),
        max(0.0, ended - speed.stat().st_mtime - validation_seconds),
        validation_seconds,
        sum(files.values()),
        files["model.safetensors"],
    )


class _Timed:
    """An evaluation, and how long it took."""

    def __init__(self, evaluate: Callable[[int], dict[str, float]] | None) -> None:
        self._evaluate = evaluate
        self.seconds = 0.0

    def __call__(self, step: int) -> dict[str, float]:
        assert self._evaluate is not None
        began = time.perf_counter()
        figures = self._evaluate(step)
        self.seconds = time.perf_counter() - began
        return figures


@contextmanager
def _scratch(beside: Path, runtime: Runtime) -> Iterator[Path]:
    """Make a directory on the run's disk, the same for all processes, and remove it again."""
    made = tempfile.mkdtemp(prefix=".dry-run-", dir=beside) if runtime.is_main else ""
    folder = Path(runtime.agree(made))
    try:
        yield folder
    except Stopped as stopped:
        raise Stopped(
            "stopped while measuring; nothing was kept", exit_code=stopped.exit_code
        ) from stopped
    finally:
        if runtime.is_main:
            shutil.rmtree(folder, ignore_errors=True)


def with_train(recipe: AnyRecipe, **changes: object) -> AnyRecipe:
    """Return the recipe with other values in its `train` part."""
    train = recipe.train.model_copy(update=changes)
    return cast(AnyRecipe, recipe.model_copy(update={"train": train}))
