"""Worker processes that read samples ahead, over torch's DataLoader with explicit lists of samples.

Workers ignore Ctrl-C, SIGTERM and SIGUSR1: the main process decides when to stop. They are forked
on Linux (fast to start, sharing memory; they never use a GPU, and no decoder is open when they
fork) and spawned elsewhere. All workers end with the loop, however it ends.
"""

import atexit
import gc
import multiprocessing
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from torch.utils.data import DataLoader

from videomae_cli.errors import DataError, TrainingError, VideoMAEError

if TYPE_CHECKING:
    from videomae_cli.data.shared_memory.parcels import Collate
    from videomae_cli.data.watchdog.watchdog import Watchdog

PREFETCH = 3  # lists of samples that each worker reads ahead
BUFFERS = PREFETCH + 2  # most that are in use at once: two are in the main process
MORE_SHARED_MEMORY = "enlarge /dev/shm (docker: --shm-size), or use fewer workers"
_START_AGAIN = object()
_SIGNALS = tuple(filter(None, (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGUSR1", None))))


class Clips(Protocol):
    """A data set that can be loaded: samples by key, and the path of each video by number.

    It may have a `watchdog`; see `data/watchdog/`.
    """

    def __getitem__(self, key: Any) -> Any: ...

    def path(self, index: int) -> Path:
        """Return the path of video `index`."""


class LoaderOptions(NamedTuple):
    """Settings of the worker processes; without workers the main process reads."""

    workers: int
    timeout_seconds: float
    """Longest wait for one batch, with workers only."""
    pin_memory: bool


@contextmanager
def explain_worker_death() -> Iterator[None]:
    """Turn torch's error about a dead worker into one with a cause and a hint, in this block.

    torch raises it from a signal handler, so it may come out of any line of the main thread: put
    the whole loop inside.
    """
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        text = str(error).splitlines()[0]
        hint = "probably out of memory: use fewer workers (--set train.workers=1)"
        if "Bus error" in text:
            hint = f"out of shared memory: {MORE_SHARED_MEMORY}"
        raise TrainingError(f"a process that decodes videos died: {text}", hint) from error


def prefetch(
    dataset: Clips,
    keys: Iterable[list[Any]],
    collate: "Collate",
    options: LoaderOptions,
) -> Generator[Any, None, None]:
    """Read lists of samples ahead and yield them in order; end the workers in any case.

    `keys` is iterated several times. What `collate` returns for a list of samples is yielded, or
    raised if it is an error. If the watchdog of the data set finds a file that hangs, the workers
    are killed, and others start with the first list that was not yielded.

    Raises:
        DataError: A sample cannot be read, or takes longer than the time-out.
        TrainingError: A worker died.
    """
    from videomae_cli.data.shared_memory.parcels import share_batches

    first: int | None = 0
    with share_batches(collate, BUFFERS if options.workers else 0) as send:
        while first is not None:
            first = yield from _prefetch_from(first, dataset, keys, send, options)


def _prefetch_from(
    first: int,
    dataset: Clips,
    keys: Iterable[list[Any]],
    send: Callable[[list[Any]], Any],
    options: LoaderOptions,
) -> Generator[Any, None, int | None]:
    """Yield batches; return the number of the one to start again with, None after the last."""
    children_before = set(multiprocessing.active_children())
    iterator: Iterator[Any] | None = None
    workers: list[BaseProcess] = []
    end_workers = partial(_kill, workers)
    atexit.register(end_workers)  # an error elsewhere can leave this generator open at exit
    try:
        with warnings.catch_warnings(), _defer_signals():
            # more workers than cores are the user's choice; "auto" never uses more
            warnings.filterwarnings("ignore", message="This DataLoader will create")
            iterator = _start_loader(dataset, islice(keys, first, None), send, options)
            workers.extend(set(multiprocessing.active_children()) - children_before)
        for number, batch_keys in enumerate(islice(keys, first, None), start=first):
            batch = _next_batch(iterator, dataset, batch_keys, options)
            if batch is _START_AGAIN:
                end_workers()  # before the loader, which would wait for them
                return number
            if isinstance(batch, VideoMAEError):
                raise batch
            yield batch
    finally:
        del iterator  # lets idle workers finish
        end_workers()  # needed for workers that hang: they ignore SIGTERM
        atexit.unregister(end_workers)
    return None


@contextmanager
def _defer_signals() -> Iterator[None]:
    """Deliver signals after this block: a signal while workers start would leave some running."""
    # a signal mask is not enough: another thread receives it, and Python handles it in this one
    if threading.current_thread() is not threading.main_thread():
        yield  # Python handles no signal here
        return
    received: list[int] = []
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in handlers:
        signal.signal(number, lambda number, _: received.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
        for number in received:
            signal.raise_signal(number)


class _ErrorsAsValues:
    """Returns our errors instead of raising them: torch would reduce them to text, without hint."""

    def __init__(self, dataset: Clips) -> None:
        self.dataset = dataset

    def __getitem__(self, key: Any) -> Any:
        try:
            return self.dataset[key]
        except VideoMAEError as error:
            return error


def _start_loader(
    dataset: Clips,
    keys: Iterable[list[Any]],
    send: Callable[[list[Any]], Any],
    options: LoaderOptions,
) -> Iterator[Any]:
    method = "fork" if sys.platform == "linux" else "spawn"
    if options.workers:
        # PyAV leaves decoders in reference cycles; a worker that frees one waits for its threads,
        # which no fork copies
        gc.collect()
    watchdog = _watchdog_of(dataset)
    if watchdog is not None:
        watchdog.start(options.workers, method)
    loader: DataLoader[Any] = DataLoader(
        _ErrorsAsValues(dataset),  # type: ignore[arg-type]  # torch accepts any __getitem__
        batch_sampler=keys,
        collate_fn=send,
        num_workers=options.workers,
        multiprocessing_context=method if options.workers else None,
        worker_init_fn=_start_worker,
        prefetch_factor=PREFETCH if options.workers else None,
        timeout=_poll_seconds(watchdog, options) if options.workers else 0,
        pin_memory=options.pin_memory,
        # torch draws a seed for its workers; the global generator belongs to the model
        generator=torch.Generator(),
    )
    return iter(loader)


def _start_worker(_: int) -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)


def _next_batch(
    iterator: Iterator[Any], dataset: Clips, keys: Sequence[Any], options: LoaderOptions
) -> Any:
    from videomae_cli.data.shared_memory.parcels import open_parcel

    watchdog, deadline = _watchdog_of(dataset), time.monotonic() + options.timeout_seconds
    while True:
        try:
            with explain_worker_death():
                return open_parcel(next(iterator))
        except RuntimeError as error:
            if not str(error).startswith("DataLoader timed out"):
                raise
            if watchdog is not None and watchdog.quarantine_hung():
                return _START_AGAIN
            if time.monotonic() < deadline:
                continue
            numbers = [key[1] if isinstance(key, tuple) else key for key in keys]
            paths = "\n  ".join(str(dataset.path(number)) for number in numbers)
            raise DataError(
                f"no batch within {options.timeout_seconds:g} s; reading one of these videos"
                f" hangs:\n  {paths}",
                "check them with videomae prepare, and leave out the one that hangs",
            ) from error


def _watchdog_of(dataset: Clips) -> "Watchdog | None":
    return getattr(dataset, "watchdog", None)


def _poll_seconds(watchdog: "Watchdog | None", options: LoaderOptions) -> float:
    """Return the time after which a wait for a batch is interrupted to check the workers."""
    limit = options.timeout_seconds
    return limit if watchdog is None else min(limit, watchdog.limit_seconds / 4)


def _kill(workers: Sequence[BaseProcess]) -> None:
    for worker in workers:
        while worker.is_alive():
            with suppress(RuntimeError):  # torch's signal handler reports the death we cause
                worker.kill()
                worker.join()
