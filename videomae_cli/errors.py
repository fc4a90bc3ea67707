"""The exceptions for problems that the user can solve, each with an exit code.

The message of a `VideoMAEError` names the problem (with the value) and the place (file, key, line);
its `hint` names the next step. Any other exception is a bug of this program. Exit codes: 0 done,
1 our bug, 2 command line or recipe, 3 data, 4 checkpoint, 5 training, 6 check with findings
(`prepare --check`), 75 stopped by a signal and resumable, 130 stopped by Ctrl-C and resumable.
"""

import errno
from collections.abc import Mapping
from typing import TypeVar

# system errors that the user can solve: permissions, disk space, names, broken disks
_USER_ERRNOS = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.ENAMETOOLONG,
        errno.ELOOP,
        errno.ENOTDIR,
        errno.EIO,
        errno.ESTALE,
    }
)


Raised = TypeVar("Raised", bound="VideoMAEError")


class VideoMAEError(Exception):
    """A problem that the user can solve.

    Args:
        message: The problem, with the value, and the place.
        hint: The next step; may be empty.
    """

    exit_code = 2
    is_shared = False
    """Whether all processes of a run raise it together, so that only one needs to print it."""
    answer: Mapping[str, object] | None = None
    """What `--json` prints all the same, such as which videos are rejected; None: nothing."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type["VideoMAEError"], tuple[str, str]]:
        """Keep the hint when the error is sent from a worker process to its parent."""
        return type(self), (self.message, self.hint)

    def with_answer(self: Raised, facts: Mapping[str, object]) -> Raised:
        """Return this error with an answer for programs: facts, the message and the hint."""
        self.answer = {"error": self.message, "hint": self.hint, **facts}
        return self


class UsageError(VideoMAEError):
    """A command line that is wrong or contradicts itself."""


def convert_os_error(error: OSError) -> UsageError | None:
    """Convert a system error that the user can solve; return None if it may be a bug."""
    if error.errno not in _USER_ERRNOS or error.filename is None:
        return None
    return UsageError(
        f"{error.filename}: {error.strerror}",
        "check the permissions of this path and of its parent folders, and the free disk space",
    )


class RecipeError(VideoMAEError):
    """A recipe that cannot be read, has wrong keys or values, or cannot be run."""


class DataError(VideoMAEError):
    """A list, a manifest or a video that cannot be used."""

    exit_code = 3


class CheckpointError(VideoMAEError):
    """Weights that are missing, damaged, unsafe or do not fit the model."""

    exit_code = 4


class TrainingError(VideoMAEError):
    """A run that cannot continue: non-finite loss, refused resume, unwritable checkpoint."""

    exit_code = 5


class Stopped(VideoMAEError):  # noqa: N818  (a requested stop, not an error)
    """A run that was asked to stop; it has written a checkpoint and can be resumed."""

    is_shared = True

    def __init__(self, message: str, hint: str = "", *, exit_code: int = 75) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code
