"""What can go wrong because of the outside world, as seven exceptions with an exit code each.

A `VideoMAEError` says what is wrong (with the value), where (file, key, line) and, in `hint`, what
to do next. Anything else that escapes is a bug of ours. Exit codes: 0 done, 1 our bug, 2 command
line or recipe, 3 data, 4 checkpoint, 5 training, 75 stopped by a signal and resumable, 130 stopped
by Ctrl-C and resumable.
"""

import errno

# what the machine says no to, whatever the program: not our bugs
_REFUSALS = frozenset(
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


class VideoMAEError(Exception):
    """A problem a user can cause and cure.

    Args:
        message: What is wrong, with the value, and where.
        hint: What to do next; may be empty.
    """

    exit_code = 2
    is_shared = False
    """All processes of a run raise it together, so one of them says so."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type["VideoMAEError"], tuple[str, str]]:
        """Survive the trip home from a worker process with the hint intact."""
        return type(self), (self.message, self.hint)


class UsageError(VideoMAEError):
    """A command line that cannot be followed."""


def refusal(error: OSError) -> UsageError | None:
    """Return what the machine refused as an error of ours; `None` where it may be a bug."""
    if error.errno not in _REFUSALS or error.filename is None:
        return None
    return UsageError(
        f"{error.filename}: {error.strerror}",
        "may you use this path and the folders above it, and is there room on the disk?",
    )


class RecipeError(VideoMAEError):
    """A recipe that cannot be read or bound, or asks for the impossible."""


class DataError(VideoMAEError):
    """A list, a manifest or a video that cannot be used."""

    exit_code = 3


class CheckpointError(VideoMAEError):
    """Weights that are missing, damaged, unsafe or do not fit."""

    exit_code = 4


class TrainingError(VideoMAEError):
    """A run that cannot go on: non-finite loss, a refused resume, a failed save."""

    exit_code = 5


class Stopped(VideoMAEError):  # noqa: N818  (not an error: the run was asked to stop, and saved)
    """The run was asked to stop, has saved, and can be resumed."""

    is_shared = True

    def __init__(self, message: str, hint: str = "", *, exit_code: int = 75) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code
