"""One run per directory. The lock is the kernel's, so it ends with the process, however that dies.

A record lock (not `flock`) is held by the process alone: decoding processes that outlive a killed
run for a moment do not hold it. The file `.lock` stays, as its name, and says who had it last.
Not covered: Windows, and file systems without locks, where nothing is checked.
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

NAME = ".lock"


@contextmanager
def lock_directory(run_dir: Path) -> Iterator[None]:
    """Hold a directory for this process.

    Raises:
        TrainingError: Another process holds it.
        OSError: The lock file cannot be written.
    """
    with (run_dir / NAME).open("a+") as file:
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


def _lock(file: IO[str]) -> bool:
    """Lock a file without waiting; tell whether that worked, or cannot be known."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN)
    return True
