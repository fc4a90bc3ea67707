"""Write `rejected.csv`: the listed videos that cannot be used, each with its reason."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.data.manifest import write_text


def write_rejected(path: Path, entries: Sequence[VideoEntry], reasons: Sequence[str]) -> None:
    """Write path and reason of each entry that has a reason; only the header if none has.

    Raises:
        OSError: The file cannot be written.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("path", "reason"))
    rows = zip(entries, reasons, strict=True)
    writer.writerows((entry.path, reason) for entry, reason in rows if reason)
    write_text(path, buffer.getvalue())
