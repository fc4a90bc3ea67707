"""`train.micro_batch: auto`: the most clips per backward pass that fit, found before training.

The run's own objective, with freshly drawn weights, takes steps on made-up clips in ever larger
micro-batches, until one does not fit. The number is written into the run's `recipe.yaml`; a resumed
run takes it from there. All that was tried on is thrown away, and random states and the peak of
memory are put back: a run with `auto` is the run with that number, to the last bit.

Not covered: what `train.compile` saves (sizes are tried uncompiled, since what was compiled before
decides what is compiled next), and memory that other programs take later.
"""

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from videomae_cli.config.recipes import load_recipe
from videomae_cli.config.schema import FinetuneRecipe
from videomae_cli.engine.meter import Meter
from videomae_cli.engine.plan import share_of
from videomae_cli.engine.report import Report
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.signals import exit_code
from videomae_cli.errors import RecipeError, Stopped, TrainingError
from videomae_cli.tasks.first_steps import AnyRecipe, with_train
from videomae_cli.tasks.forecast import seconds, si
from videomae_cli.tasks.mixing import is_paired
from videomae_cli.tasks.resume import RECIPE, TrainingRecipe
from videomae_cli.tasks.training import Job
from videomae_cli.tasks.trial import Trial

SAFE = 0.85  # share of the free memory that is taken; the rest is for what was not tried


class Found(NamedTuple):
    """The largest micro-batch that fits."""

    size: int
    """Clips; 0 if none fits."""
    needed: int
    """Bytes that it takes."""
    beyond: tuple[int, int | None] | None
    """The next size up with the bytes it would take, None if memory ran out; None: it has none."""


def settle(
    recipe: AnyRecipe,
    run_dir: Path | None,
    runtime: Runtime,
    report: Report,
    make: Callable[[], Job],
    meter: Meter | None = None,
) -> AnyRecipe:
    """Return the recipe with a number where it says `auto`: the run's own, else one that is found.

    Args:
        recipe: The resolved recipe.
        run_dir: Of a run that may have begun already.
        runtime: The run's; nothing is prepared yet.
        report: Who is told.
        make: Makes what the run would train.
        meter: Of the device's memory; None makes one.

    Raises:
        RecipeError: The batch cannot be cut up, or the system does not tell what memory is used.
        TrainingError: Not even the smallest micro-batch fits.
        Stopped: A signal asked to stop; nothing was begun.
    """
    if recipe.train.micro_batch != "auto":
        return recipe
    size = runtime.on_main(lambda: _begun(run_dir))
    if size is None:
        sizes = sizes_of(recipe, runtime.world)
        with meter or Meter(runtime.device) as gauge, _randomness_kept(runtime):
            size = _find(recipe, sizes, runtime, report, make, gauge)
    return with_train(recipe, micro_batch=size)


def sizes_of(recipe: TrainingRecipe, world: int) -> list[int]:
    """Return the micro-batches that make up a process's share of the batch, ascending.

    Raises:
        RecipeError: The batch does not divide among the processes, or into pairs to be mixed.
    """
    share = share_of(recipe.train.batch, world)
    sizes = [size for size in range(1, share + 1) if share % size == 0]
    if isinstance(recipe, FinetuneRecipe):
        sizes = [size for size in sizes if is_paired(recipe, size)]
    if not sizes:
        raise RecipeError(
            f"train.batch: Mixup and CutMix pair clips, and {share} clips per device x "
            f"{recipe.augment.repeats} repeats cannot be cut into pairs",
            "take an even train.batch",
        )
    return sizes


def search(
    sizes: Sequence[int], probe: Callable[[int], int | None], *, fixed: int, limit: int
) -> Found:
    """Find the largest size that fits: about twice the last one at a time, then halving the rest.

    Memory grows in a line with the size, so what the last two sizes say to be too much is not
    tried: on a CPU it would endanger the machine.

    Args:
        sizes: Ascending.
        probe: Tries a size; returns the bytes it took, None if memory ran out.
        fixed: Bytes for no clip at all.
        limit: Bytes that may be taken.
    """
    fitting, beyond = [(0, fixed)], None
    low, high = -1, len(sizes)
    while high - low > 1:
        last = fitting[-1][0]
        double = [i for i in range(low + 1, high) if sizes[i] <= 2 * last]
        at = (low + high) // 2 if beyond else max(double, default=low + 1)
        needed: int | None = _line(fitting, sizes[at])
        if needed is not None and needed <= limit:
            needed = probe(sizes[at])
        if needed is not None and needed <= limit:
            low = at
            fitting.append((sizes[at], needed))
        else:
            high, beyond = at, (sizes[at], needed)
    return Found(*fitting[-1], beyond)


def _line(fitting: Sequence[tuple[int, int]], size: int) -> int:
    """Return what a size takes, on the line through the last two that are known."""
    before, needed = fitting[-1]
    if len(fitting) == 1:
        return needed
    smaller, less = fitting[-2]
    return round(needed + max(0, needed - less) / (before - smaller) * (size - before))


def _begun(run_dir: Path | None) -> int | None:
    """Return the number that a run was started with, if it was."""
    if run_dir is None or not (run_dir / RECIPE).is_file():
        return None
    written = load_recipe(str(run_dir / RECIPE)).train.micro_batch
    return written if isinstance(written, int) else None


def _find(
    recipe: TrainingRecipe,
    sizes: Sequence[int],
    runtime: Runtime,
    report: Report,
    make: Callable[[], Job],
    meter: Meter,
) -> int:
    """Try sizes on all processes in step, so that all find the same."""
    began = time.perf_counter()
    if not all(runtime.gather([meter.works])):
        raise _shared(
            RecipeError(
                f"train.micro_batch: auto: on {runtime.device.type} under {platform.system()} we "
                "cannot see how much memory a step takes",
                "give a number, for example --set train.micro_batch=8",
            )
        )
    assert meter.free is not None
    neighbours = 1 if runtime.device.type == "cuda" else _processes_here(runtime)
    free = min(runtime.gather([meter.free // neighbours]))
    trial = Trial(make(), recipe, runtime)

    def probe(size: int) -> int | None:
        if number := runtime.asked_to_stop():
            raise Stopped("stopped before the first step", exit_code=exit_code(number))
        report.advance(figures=f"{size} clips")
        needs = runtime.gather([meter.most(lambda: trial.take(size))])
        known = [need for need in needs if need is not None]
        return max(known) + trial.beside(size) if len(known) == len(needs) else None

    report.start("trying micro-batches", total=len(sizes), unit="size")
    try:
        found = search(sizes, probe, fixed=trial.fixed, limit=round(SAFE * free))
    finally:
        report.finish()
        runtime.accelerator.free_memory()
    if found.size == 0:
        raise _shared(_too_large(recipe, found, free))
    report.say(_words(found, max(sizes), free, time.perf_counter() - began))
    return found.size


@contextmanager
def _randomness_kept(runtime: Runtime) -> Iterator[None]:
    """Put torch's random states back; nothing else draws from a global one here."""
    is_gpu = runtime.device.type == "cuda"
    with torch.random.fork_rng([runtime.device] if is_gpu else []):
        yield


def _processes_here(runtime: Runtime) -> int:
    """Count the processes of this run on this machine."""
    return runtime.gather([platform.node()]).count(platform.node())


def _shared(error: RecipeError | TrainingError) -> RecipeError | TrainingError:
    error.is_shared = True  # all processes know the same figures
    return error


def _too_large(recipe: TrainingRecipe, found: Found, free: int) -> TrainingError:
    assert found.beyond is not None
    size, needed = found.beyond
    least = f"{size} clip{'s' if size > 1 else ''} per device"
    took = "ran out of memory" if needed is None else f"would take {si(needed)}B"
    cures = [] if recipe.train.recompute else ["--set train.recompute=true"]
    cures += ["a smaller model.size, clip.size or clip.frames", "a device with more memory"]
    if recipe.augment.repeats > 1:
        cures.insert(0, "fewer augment.repeats")
    return TrainingError(
        f"train.micro_batch: auto: even {least} {took}, and of {si(free)}B that are free "
        f"{SAFE:.0%} may be taken",
        ", ".join(cures[:-1]) + f", or {cures[-1]}",
    )


def _words(found: Found, share: int, free: int, took: float) -> str:
    reason = "which is a device's whole share"
    if found.beyond is not None:
        size, needed = found.beyond
        reason = f"{size} " + (
            "ran out of memory" if needed is None else f"would take {si(needed)}B"
        )
    return (
        f"micro-batch {found.size} x accumulation {share // found.size}, found in {seconds(took)}: "
        f"it takes {si(found.needed)}B, {reason}; "
        f"{SAFE:.0%} of the {si(free)}B that are free may be taken"
    )
