"""Lock a run directory, so that only one run uses it.

The kernel releases the lock when the process ends. It is a record lock, not `flock`, so decoding
processes that outlive a killed run do not keep it. The file `.lock` names the last process. On
Windows, and on file systems without locks, nothing is checked.
"""

import errno
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from videomae_cli.errors import TrainingError

LOCK_FILE = ".lock"


@contextmanager
def lock_directory(run_dir: Path) -> Iterator[None]:
    """Lock a directory inside the block; a `TrainingError` if another process has locked it."""
    with (run_dir / LOCK_FILE).open("a+") as file:
        if not _lock(file):
            file.seek(0)
            raise TrainingError(
                f"{run_dir} is in use by another run ({file.read().strip() or 'unknown'})",
                "wait for it to end, stop it, or choose another --out",
            )
        file.truncate(0)
        file.write(f"process {os.getpid()} on {platform.node()}\n")
        file.flush()
        yield


@contextmanager
def wait_for_directory(directory: Path) -> Iterator[None]:
    """Lock a directory inside the block; wait while another process has locked it."""
    with (directory / LOCK_FILE).open("a+") as file:
        _lock(file, is_waiting=True)
        yield


def _lock(file: IO[str], *, is_waiting: bool = False) -> bool:
    """Lock a file; without waiting, return False if another process has locked it."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.lockf(file, fcntl.LOCK_EX | (0 if is_waiting else fcntl.LOCK_NB))
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN)
    return True
