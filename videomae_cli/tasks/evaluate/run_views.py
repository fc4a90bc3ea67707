"""Run a model on the test views of videos: the one path of eval, predict, features and probes.

Each video is decoded once, by worker processes that read ahead while the model runs. Views of
several videos are computed in one batch. Items, which are videos or parts of long ones, are dealt
out to the processes in fixed parts (see `parts`).

Shapes: V views, C channels, T frames, H W pixels.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, suppress
from itertools import islice
from typing import Literal, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videomae_cli.data.evaluation.views import EvalViews, VideoViews
from videomae_cli.data.loader import load_each
from videomae_cli.data.workers import explain_worker_death
from videomae_cli.engine.distributed.signals import Interrupted, exit_code
from videomae_cli.errors import Stopped
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.parts import VIEWS_AT_ONCE, ItemOutput, Store, plan_parts

Value = TypeVar("Value")
ViewModel = Callable[[Tensor], Tensor]
"""Computes outputs (V, ...) from views (V, C, T, H, W)."""
Summary = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Turns the outputs of the views of one item (V, ...) into what is kept of it."""


class Run(NamedTuple):
    """What a model is run on, and what for."""

    views: EvalViews
    summarize: Summary
    title: str
    """Of the progress display."""
    store: Store | None = None
    """Where finished parts are kept; None: nowhere, an interrupted run starts again."""
    share: tuple[int, int] = (0, 1)
    """(k, n): compute parts k, k + n, k + 2n, ... only; other jobs compute the others."""


class ViewRuntime(Protocol):
    """The device and the processes that views are computed on: a `Runtime` or a `LocalRuntime`."""

    device: torch.device
    rank: int
    world: int

    def worker_count(self, requested: int | Literal["auto"]) -> int:
        """Return the number of decoding processes; 0: this process decodes."""

    def autocast(self) -> AbstractContextManager[None]:
        """Return a context in which a model computes in the precision of the run."""

    def interruptible(self) -> AbstractContextManager[None]:
        """Return a context in which a signal to stop raises `Interrupted`."""

    def stop_signal(self) -> int:
        """Return the signal that any process received; 0 for none."""

    def run_on_rank0(self, work: Callable[[], Value]) -> Value:
        """Run a function in one process, and return its result on all."""


def run_views(
    model: ViewModel, run: Run, *, runtime: ViewRuntime, report: Report
) -> Iterator[ItemOutput]:
    """Yield what the model computes for each item of this process, in ascending order.

    Parts that the store has are read from it. All processes have to iterate to the end.

    Raises:
        Stopped: A signal asked any of the processes to stop; finished parts are kept.
        TrainingError: A worker died.
    """
    views, store = run.views, run.store
    parts = plan_parts([views.count_views(number) for number in range(len(views))])
    if store is not None:
        runtime.run_on_rank0(store.prepare)
    share = range(len(parts))[run.share[0] :: run.share[1]]
    own = {part: parts[part] for part in share[runtime.rank :: runtime.world]}
    finished = {part: store.read(part) for part in own} if store else {}
    missing = {part: own[part] for part in own if finished.get(part) is None}
    numbers = [number for chunks in missing.values() for chunk in chunks for number in chunk]
    videos = {request.video for request in views.requests}
    unit = "video" if len(videos) == len(views) else "part"  # consecutive windows of a video
    report.start(run.title, total=sum(map(_count_items, own.values())), unit=unit)
    with closing(load_each(views, numbers, workers=runtime.worker_count("auto"))) as items:
        for part, chunks in own.items():
            outputs = finished.get(part)
            if outputs is None:
                outputs = _compute_part(model, run, part, chunks, items, runtime)
            if outputs is None:
                break
            report.advance(_count_items(chunks))
            yield from outputs
    report.finish()
    if number := runtime.stop_signal():
        raise Stopped(
            f"{run.title} stopped before its end",
            "run it again; " + ("it continues" if store else "nothing was written"),
            exit_code=exit_code(number),
        )


def _count_items(chunks: Sequence[range]) -> int:
    return sum(map(len, chunks))


def _compute_part(
    model: ViewModel,
    run: Run,
    part: int,
    chunks: Sequence[range],
    items: Iterator[VideoViews],
    runtime: ViewRuntime,
) -> list[ItemOutput] | None:
    """Compute and save a part; None if a signal asked to stop."""
    outputs: list[ItemOutput] = []
    with explain_worker_death(), suppress(Interrupted), runtime.interruptible():
        for chunk in chunks:
            outputs += _compute(model, list(islice(items, len(chunk))), run.summarize, runtime)
        if run.store is not None:
            run.store.write(part, outputs)
        return outputs
    return None


def _compute(
    model: ViewModel, group: Sequence[VideoViews], summarize: Summary, runtime: ViewRuntime
) -> list[ItemOutput]:
    """Run the model on the views of some items."""
    good = [item for item in group if not item.error]
    outputs = compute_views(model, torch.cat([i.views for i in good]), runtime) if good else None
    results, first = [], 0
    for item in group:
        kept = np.zeros(0, np.float32)
        if outputs is not None and not item.error:
            kept = summarize(outputs[first : first + len(item.views)])
            first += len(item.views)
        results.append(ItemOutput(item.number, kept, item.error))
    return results


@torch.inference_mode()
def compute_views(
    model: ViewModel, views_VCTHW: Tensor, runtime: ViewRuntime
) -> NDArray[np.float32]:
    """Return the outputs (V, ...) of views, in float32, computed `VIEWS_AT_ONCE` at a time."""
    parts = []
    for first in range(0, len(views_VCTHW), VIEWS_AT_ONCE):
        part_VCTHW = views_VCTHW[first : first + VIEWS_AT_ONCE]
        with runtime.autocast():
            outputs = model(part_VCTHW.to(runtime.device, non_blocking=True))
        parts.append(outputs.float().cpu())
    result: NDArray[np.float32] = torch.cat(parts).numpy()
    return result
