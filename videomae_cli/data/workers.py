"""Processes that read samples ahead. torch's DataLoader only carries: it is handed explicit lists.

Workers ignore Ctrl-C, SIGTERM and SIGUSR1, since the main process decides when to stop. They are
forked on Linux (they start at once and share memory; they never touch a GPU and hold no decoder
when they fork), and started fresh elsewhere. However a loop ends, no worker outlives it.
"""

import atexit
import multiprocessing
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch.utils.data import DataLoader

from videomae_cli.errors import DataError, TrainingError, VideoMAEError

PREFETCH = 3  # lists of samples each worker works ahead
_SIGNALS = tuple(filter(None, (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGUSR1", None))))


class Clips(Protocol):
    """What can be loaded: samples by key, and their files by number."""

    def __getitem__(self, key: Any) -> Any: ...

    def path(self, index: int) -> Path:
        """Return where video `index` lies."""
        ...


class LoaderOptions(NamedTuple):
    """How samples travel: by how many processes, with what patience, into pinned memory or not."""

    workers: int
    timeout_seconds: float
    pin_memory: bool


@contextmanager
def worker_deaths_named() -> Iterator[None]:
    """Explain a worker's death in this block.

    torch reports it from a signal handler, so the error may come out of any line of the main
    thread, not only out of the line that waits for a batch: put the whole loop inside.

    Raises:
        TrainingError: A worker died.
    """
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise _death(error) from error


def prefetch(
    dataset: Clips,
    plan: Iterable[list[Any]],
    join: Callable[[list[Any]], Any],
    carry: LoaderOptions,
) -> Generator[Any, None, None]:
    """Yield `join` of each list of samples in the plan; end the workers whatever happens."""
    before = set(multiprocessing.active_children())
    iterator: Iterator[Any] | None = None
    workers: list[BaseProcess] = []
    end = partial(_kill, workers)
    atexit.register(end)  # a crash elsewhere leaves this generator open while Python exits
    try:
        with warnings.catch_warnings(), _signals_held():
            # more workers than cores are the user's choice; "auto" never takes more
            warnings.filterwarnings("ignore", message="This DataLoader will create")
            iterator = _started(dataset, plan, join, carry)
            workers += [child for child in multiprocessing.active_children() if child not in before]
        for samples in plan:
            batch = _next(iterator, dataset, samples, carry)
            if isinstance(batch, VideoMAEError):
                raise batch
            yield batch
    finally:
        del iterator  # lets idle workers finish
        end()  # and not those that hang: they ignore SIGTERM
        atexit.unregister(end)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Let signals wait while workers start: one that ends this half-way would leave some behind.

    A mask would not do: a signal to the process then goes to another of its threads, and Python
    still handles it in this one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python handles no signal here
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in handlers:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
        for one in came:
            signal.raise_signal(one)


class _Guarded:
    """Hands our errors over as values: torch would turn them into text and lose the hint."""

    def __init__(self, dataset: Clips) -> None:
        self.dataset = dataset

    def __getitem__(self, key: Any) -> Any:
        try:
            return self.dataset[key]
        except VideoMAEError as error:
            return error


def _started(
    dataset: Clips,
    plan: Iterable[list[Any]],
    join: Callable[[list[Any]], Any],
    carry: LoaderOptions,
) -> Iterator[Any]:
    forks = sys.platform == "linux"
    loader: DataLoader[Any] = DataLoader(
        _Guarded(dataset),  # type: ignore[arg-type]  # map-style by duck, as torch allows
        batch_sampler=plan,
        collate_fn=join,
        num_workers=carry.workers,
        multiprocessing_context=("fork" if forks else "spawn") if carry.workers else None,
        worker_init_fn=_start_worker,
        prefetch_factor=PREFETCH if carry.workers else None,
        timeout=carry.timeout_seconds if carry.workers else 0,
        pin_memory=carry.pin_memory,
        # torch draws a seed for its workers: not from the global generator, which is the model's
        generator=torch.Generator(),
    )
    return iter(loader)


def _start_worker(_: int) -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)


def _next(
    iterator: Iterator[Any], dataset: Clips, samples: Sequence[Any], carry: LoaderOptions
) -> Any:
    try:
        with worker_deaths_named():
            return next(iterator)
    except RuntimeError as error:
        if not str(error).startswith("DataLoader timed out"):
            raise
        numbers = [sample[1] if isinstance(sample, tuple) else sample for sample in samples]
        names = "\n  ".join(str(dataset.path(number)) for number in numbers)
        raise DataError(
            f"no batch within {carry.timeout_seconds:g} s; reading one of these hangs:\n  {names}",
            "try them with videomae prepare, and leave out the one that hangs",
        ) from error


def _death(error: RuntimeError) -> TrainingError:
    text = str(error).splitlines()[0]
    hint = "memory ran out, most likely: take fewer workers (--set train.workers=1)"
    if "Bus error" in text:
        hint = "shared memory ran out: enlarge /dev/shm (docker: --shm-size), or take fewer workers"
    return TrainingError(f"a process that decodes videos died: {text}", hint)


def _kill(workers: Sequence[BaseProcess]) -> None:
    for worker in workers:
        while worker.is_alive():
            with suppress(RuntimeError):  # torch's signal handler reports the death we cause
                worker.kill()
                worker.join()
