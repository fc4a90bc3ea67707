"""The watchdog over worker processes that decode, and the list of files that hang.

Code of a decoder that hangs cannot be interrupted: the process has to be killed. Workers write the
file that they read into shared memory, and the main process checks it while it waits for a batch;
see `workers.py`. A file that takes too long is left out from the epoch on in which it hangs, so
that a run that resumes, also from an earlier epoch, reads the same samples; but other segments of
the file that were read earlier in that epoch are left out when the epoch is read again.
Not covered: reading in the main process (no workers), which only leaves listed files out. On
several processes each finds files for itself; a run that resumes leaves them out in all.
"""

import ctypes
import json
import logging
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from torch.utils.data import get_worker_info

from videomae_cli.data.dataset import SampleKey
from videomae_cli.data.decode import guard_reads
from videomae_cli.data.workers import Clips
from videomae_cli.errors import DataError, TrainingError

LONGEST_PATH = 4096  # bytes
STORAGE_WORKERS = 3  # if so many workers or more all wait at once, no single file is the cause
logger = logging.getLogger("videomae")


class Read(NamedTuple):
    """A file that a worker is reading."""

    path: Path
    epoch: int
    seconds: float
    """So far."""


class _Slot(ctypes.Structure):
    """What one worker is reading; written by the worker, read by the main process."""

    _fields_ = (
        ("started", ctypes.c_double),  # monotonic seconds; 0: nothing is read
        ("epoch", ctypes.c_int64),
        ("path", ctypes.c_char * LONGEST_PATH),
    )


class Watchdog:
    """Knows the files that hang, and finds those that are read for too long."""

    def __init__(self, limit_seconds: float, file: Path) -> None:
        """Read the files that an earlier part of the run has listed in `file`, if it exists."""
        self.limit_seconds, self.file = limit_seconds, file
        self._epochs = _read_list(file)
        self._slots: Any = ()
        self._is_warned = False

    def start(self, workers: int, method: str) -> None:
        """Make room for workers that are about to start."""
        self._slots = multiprocessing.get_context(method).RawArray(_Slot, max(1, workers))

    def quarantine_hung(self) -> bool:
        """Leave out all files that workers have been reading for longer than the limit, if any.

        If all workers, three or more, have been reading for half the limit, none is left out.
        """
        reads = list(self._reads())
        hung = [read for read in reads if read.seconds > self.limit_seconds]
        slow = [read for read in reads if read.seconds > self.limit_seconds / 2]
        if hung and len(slow) == len(self._slots) >= STORAGE_WORKERS:
            self._warn_of_storage(len(slow))
            return False
        for read in hung:
            self._quarantine(read)
        return bool(hung)

    def _warn_of_storage(self, workers: int) -> None:
        if not self._is_warned:
            logger.warning(
                "all %d workers have been reading for more than %g s: the storage seems to hang;"
                " waiting for it",
                *(workers, self.limit_seconds / 2),
            )
        self._is_warned = True

    def _reads(self) -> Iterator[Read]:
        now = time.monotonic()
        for slot in self._slots:
            started, epoch, path = slot.started, slot.epoch, slot.path
            if started and started == slot.started:  # the worker has not gone on meanwhile
                yield Read(Path(os.fsdecode(path)), epoch, now - started)

    def _quarantine(self, read: Read) -> None:
        """Leave a file out from now on: log it, and add it to the list of the run."""
        logger.warning(
            "%s: decoding it takes longer than %g s; it is left out from epoch %d on, and listed in"
            " %s",
            *(read.path, self.limit_seconds, read.epoch, self.file),
        )
        known = self._epochs.get(str(read.path), read.epoch)
        self._epochs[str(read.path)] = min(read.epoch, known)
        line = {"path": str(read.path), "epoch": read.epoch, "seconds": round(read.seconds, 1)}
        try:
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise TrainingError(
                f"{self.file} cannot be written: {error.strerror}", "free some space"
            ) from error

    @contextmanager
    def watch_sample(self, epoch: int) -> Iterator[None]:
        """Watch the files that are read inside this block, by this process, for one sample."""
        worker = get_worker_info()
        slot = None if worker is None else self._slots[worker.id]

        @contextmanager
        def guard(path: Path) -> Iterator[None]:
            if self._epochs.get(str(path), epoch + 1) <= epoch:
                raise DataError(
                    f"{path} is left out: decoding it took longer than {self.limit_seconds:g} s",
                    f"replace the file, or delete its line in {self.file} to try again",
                )
            if slot is None:
                yield
                return
            slot.epoch, slot.path = epoch, os.fsencode(path)[: LONGEST_PATH - 1]
            slot.started = time.monotonic()
            try:
                yield
            finally:
                slot.started = 0

        with guard_reads(guard):
            yield


class WatchedClips:
    """A data set of training samples, by (epoch, number), with a watchdog."""

    def __init__(self, clips: Clips, watchdog: Watchdog) -> None:
        self.clips, self.watchdog = clips, watchdog

    def __getitem__(self, key: SampleKey) -> Any:
        with self.watchdog.watch_sample(key[0]):
            return self.clips[key]

    def path(self, index: int) -> Path:
        """Return the path of video `index`."""
        return self.clips.path(index)


def _read_list(file: Path) -> dict[str, int]:
    """Return the epoch from which each listed file is left out; a DataError if a line is wrong."""
    if not file.is_file():
        return {}
    epochs: dict[str, int] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            entry = json.loads(line)
            path, epoch = str(entry["path"]), int(entry["epoch"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{file}, line {number}: not an entry of the list of files that hang",
                'each line is like {"path": "a.mp4", "epoch": 0}: mend or delete it',
            ) from error
        epochs[path] = min(epoch, epochs.get(path, epoch))
    return epochs
