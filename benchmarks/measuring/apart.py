"""Steps that are timed by turns, each side in a process of its own.

In one process the sides share a heap: what one holds makes another allocate at other places, and a
setting of the allocator that one side's users have would hold for all.
"""

import multiprocessing
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager

import torch

from measuring.runner import Side, timed
from measuring.training_steps import Step
from videomae_cli.engine.runtime import keep_freed_memory

_steps: list[Step] = []
"""The step of this process."""


@contextmanager
def open_sides(
    makers: Mapping[str, Callable[[], Step]],
    device: str,
    threads: int | None,
    keeps_freed: Collection[str],
) -> Iterator[dict[str, Side]]:
    """Start a process for each maker of a step; the sides time a step there.

    Args:
        makers: Names and makers, which can be sent to another process.
        device: Where the steps run.
        threads: Of the CPU; None: torch's choice.
        keeps_freed: Names of the sides whose process keeps freed memory, as our training does.
    """
    spawn = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        sides: dict[str, Side] = {}
        for name, make in makers.items():
            settings = make, device, threads, name in keeps_freed
            pool = ProcessPoolExecutor(1, spawn, initializer=_prepare, initargs=settings)
            stack.enter_context(pool)
            sides[name] = lambda pool=pool: pool.submit(_time_step, device).result()  # type: ignore[misc]
        yield sides


def _prepare(make: Callable[[], Step], device: str, threads: int | None, keeps: bool) -> None:
    if threads:
        torch.set_num_threads(threads)
    if keeps and device == "cpu":
        keep_freed_memory()
    _steps.append(make())


def _time_step(device: str) -> float:
    return timed(_steps[0], device)
