"""What earlier runs wrote, so that only new and changed videos are written again.

One JSON object per line, appended when a file is complete: an interrupted run keeps its files. A
line is valid for the same source (size and modification time), settings and number of frames, as
long as the file that was written is unchanged.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from videomae_cli import atomic
from videomae_cli.data.ingest.cache import read_stamp
from videomae_cli.data.transcoding.pool import StoredVideo, Task, copy_time

FILE = "transcoded.jsonl"
FIELDS = ("width", "height", "channels", "bytes", "sha256")


class TranscodeRecord(atomic.LineLog):
    """The files written to one directory; new ones are added inside a `with` block."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        super().__init__(directory / FILE)
        self._lines = self._read()

    def get(self, task: Task) -> StoredVideo | None:
        """Return what is stored for a task, if neither source nor output has changed since."""
        line = self._lines.get(self._name(task.output))
        try:
            if line is None or line["stamp"] != _stamp(task) or not _is_intact(task, line):
                return None
        except OSError:
            return None
        return StoredVideo(*(line[field] for field in FIELDS))

    def put(self, task: Task, stored: StoredVideo) -> None:
        """Add a file that was written."""
        name, facts = self._name(task.output), dict(zip(FIELDS, stored, strict=False))
        line = self._lines[name] = {"output": name, "stamp": _stamp(task), **facts}
        self.write(json.dumps(line))

    def tidy(self) -> None:
        """Write one line for each file that exists, sorted: the same after any interruptions."""
        lines = [
            json.dumps(line) + "\n"
            for name, line in sorted(self._read().items())
            if (self._directory / name).is_file()
        ]
        atomic.write_text(self.path, "".join(lines))

    def find_unused(self, outputs: set[Path]) -> list[Path]:
        """Return the files that an earlier run wrote and that are not among `outputs`."""
        written = (self._directory / name for name in sorted(self._lines))
        return [path for path in written if path not in outputs and path.is_file()]

    def _name(self, output: Path) -> str:
        return output.relative_to(self._directory).as_posix()

    def _read(self) -> dict[str, dict[str, Any]]:
        lines: dict[str, dict[str, Any]] = {}
        if not self.path.is_file():
            return lines
        with self.path.open(encoding="ascii", errors="replace") as file:
            for text in file:
                try:
                    line = json.loads(text)
                except json.JSONDecodeError:
                    continue  # blank, or cut off when a run was killed
                if isinstance(line, dict) and {"output", "stamp", *FIELDS} <= line.keys():
                    lines[line["output"]] = line
        return lines


def _stamp(task: Task) -> list[Any]:
    return [*read_stamp(task.source), task.settings.stamp, task.video.frames]


def _is_intact(task: Task, line: dict[str, Any]) -> bool:
    """Return whether an output is the one that was written; a copy with another time is."""
    output = task.output.stat()
    if output.st_size != line["bytes"]:
        return False
    if output.st_mtime_ns == task.source.stat().st_mtime_ns:
        return True
    if _digest_file(task.output) != line["sha256"]:
        return False
    copy_time(task.source, task.output)
    return True


def _digest_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
