"""Choose one of several kinds of labels: the tier, the attribute or the control of a tool."""

from collections.abc import Collection
from pathlib import Path

from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError, UsageError


def choose_label(source: Path, kind: str, names: Collection[str], reading: Reading) -> str:
    """Return the name that the user gives, or the only one.

    Raises:
        UsageError: There is no such name.
        DataError: There are several and the user gives none, or there are none.
    """
    given = reading.label_column
    if given is not None:
        if given not in names:
            raise UsageError(
                f"{source}: no {kind} {given!r}", f"one of: {', '.join(names) or 'none'}"
            )
        return given
    if not names:
        raise DataError(f"{source}: no labels of segments", f"label them: no {kind} has any")
    if len(names) > 1:
        raise DataError(
            f"{source}: which {kind} is the label: {', '.join(names)}?",
            f"choose one: --label-column {next(iter(names))!r}",
        )
    return next(iter(names))
