"""Files that contain their part already, by their names: `ID_000010_000020.mp4`, as of Kinetics."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.errors import DataError

_TIMES = re.compile(r".*_(\d+(?:\.\d+)?)_(\d+(?:\.\d+)?)")


def use_cut_files(entries: Sequence[VideoEntry]) -> tuple[list[VideoEntry], list[str]]:
    """Use whole files if all are named after the times of their segments; also return a remark.

    Raises:
        DataError: Some are, and others are not.
    """
    parts = [entry for entry in entries if entry.segment is not None]
    cut = [entry for entry in parts if _is_cut(entry)]
    if not cut:
        return list(entries), []
    if len(cut) < len(parts):
        other = next(entry for entry in parts if not _is_cut(entry))
        raise DataError(
            f"{cut[0].where}: {cut[0].path!r} is named after its start and end, so it is cut "
            f"already, but {other.path!r} ({other.where}) is not",
            "list cut files and whole files apart; a list of cut files needs no times",
        )
    return [entry._replace(segment=None) for entry in entries], [
        "the files are named after their start and end, so they are cut already, and used whole "
        f"({cut[0].path!r})"
    ]


def _is_cut(entry: VideoEntry) -> bool:
    """Return whether the name of a file ends with the start and the end of its segment."""
    match = _TIMES.fullmatch(PurePosixPath(entry.path.replace("\\", "/")).stem)
    if match is None or entry.segment is None or entry.segment.unit != "seconds":
        return False
    return (float(match[1]), float(match[2])) == (entry.segment.start, entry.segment.end)
