"""What earlier runs wrote, so that only new and changed videos are written again.

One JSON object per line, appended when a file is complete: an interrupted run keeps its files. A
line is valid for the same source (size and modification time), settings and number of frames, as
long as the file that was written is unchanged.

Jobs that share the work (`--shard`) may run on several machines, so each appends to a file of its
own, `transcoded-0-of-4.jsonl`; every job reads the files of all. The run that writes the manifest
puts all lines into one file.
"""

import hashlib
import json
import secrets
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli import atomic
from videomae_cli.data.executors.share import Share
from videomae_cli.data.ingest.cache import ALONE, read_stamp
from videomae_cli.data.transcoding.forms import Settings
from videomae_cli.data.transcoding.pool import StoredVideo, Task, copy_time

FILE, FILES, SHARD_FILES = "transcoded.jsonl", "transcoded*.jsonl", "transcoded-*-of-*.jsonl"
FIELDS = ("width", "height", "channels", "bytes", "sha256")
LONGEST_END = 200  # characters of the last line of a job that has finished; it has fewer
Lines = dict[str, dict[str, Any]]


class Mark(NamedTuple):
    """A line of a record, by which other machines see that they have the same directory."""

    path: str
    """Of the record."""
    start: int
    """Its first byte."""
    text: str


class TranscodeRecord(atomic.LineLog):
    """The files written to one directory; new ones are added inside a `with` block.

    Args:
        directory: The prepared directory.
        share: The job that adds files.
    """

    def __init__(self, directory: Path, share: Share = ALONE) -> None:
        self._directory = directory
        super().__init__(_file_of(directory, share))
        self._lines, self._disputed = _read_lines(directory)
        self._written: set[str] = set()

    def get(self, task: Task) -> StoredVideo | None:
        """Return what is stored for a task, if neither source nor output has changed since."""
        name = self._name(task.output)
        line = self._lines.get(name)
        try:
            if line is None or line["stamp"] != _stamp(task):
                return None
            if not _is_intact(task, line, is_disputed=name in self._disputed):
                return None
        except OSError:
            return None
        return StoredVideo(*(line[field] for field in FIELDS))

    def put(self, task: Task, stored: StoredVideo) -> None:
        """Add a file that was written."""
        name, facts = self._name(task.output), dict(zip(FIELDS, stored, strict=False))
        self._written.add(name)
        line = self._lines[name] = {"output": name, "stamp": _stamp(task), **facts}
        self.write(json.dumps(line))

    def put_mark(self) -> Mark:
        """Add a line that exists nowhere else, for the machines that write the files."""
        mark = Mark(
            str(self.path), self.path.stat().st_size, json.dumps({"mark": secrets.token_hex(16)})
        )
        self.write(mark.text)
        atomic.sync(self.path)  # other machines do not see what is not on the disk
        return mark

    def mark_finished(self, settings: Settings) -> None:
        """Note that this job has written all its files; an OSError if the disk is full."""
        self.write(_end_of(settings))

    def tidy(self) -> None:
        """Write one line for each file that exists, sorted: the same after any interruptions.

        The records of jobs are removed then. Of a file that several records describe differently,
        the line remains if the file has its digest.
        """
        lines, disputed = _read_lines(self._directory)
        lines |= {name: self._lines[name] for name in self._written}
        whole = [
            json.dumps(line) + "\n"
            for name, line in sorted(lines.items())
            if name in self._written or self._describes(line, is_disputed=name in disputed)
        ]
        atomic.write_text(self._directory / FILE, "".join(whole))
        for path in self._directory.glob(SHARD_FILES):
            path.unlink()

    def find_unused(self, outputs: Collection[Path]) -> list[Path]:
        """Return the files that an earlier run wrote and that are not among `outputs`."""
        written = (self._directory / name for name in sorted(self._lines))
        return [path for path in written if path not in outputs and path.is_file()]

    def _name(self, output: Path) -> str:
        return output.relative_to(self._directory).as_posix()

    def _describes(self, line: dict[str, Any], *, is_disputed: bool) -> bool:
        path = self._directory / line["output"]
        return path.is_file() and (not is_disputed or _digest_file(path) == line["sha256"])


def sum_bytes(directory: Path, settings: Settings) -> int:
    """Return the bytes of all files that all jobs have written so far, with these settings."""
    lines, _ = _read_lines(directory)
    return sum(line["bytes"] for line in lines.values() if line["stamp"][-2] == settings.stamp)


def find_finished(directory: Path, jobs: int, settings: Settings) -> list[Share]:
    """Return those of the jobs that have written all their files with these settings."""
    shares = (Share(number, jobs) for number in range(jobs))
    return [share for share in shares if _is_finished(_file_of(directory, share), settings)]


def find_unfinished(directory: Path, settings: Settings) -> list[Share]:
    """Return the jobs that are missing among the records, or have not ended, of each number N."""
    numbers = {
        int(path.stem.rpartition("-")[2])
        for path in directory.glob(SHARD_FILES)
        if path.stem.rpartition("-")[2].isdecimal()
    }
    return [
        Share(number, jobs)
        for jobs in sorted(numbers)
        for number in range(jobs)
        if not _is_finished(_file_of(directory, Share(number, jobs)), settings)
    ]


def _is_finished(path: Path, settings: Settings) -> bool:
    return atomic.read_last_line(path, LONGEST_END) == _end_of(settings)


def _end_of(settings: Settings) -> str:
    return json.dumps({"finished": settings.stamp})


def _file_of(directory: Path, share: Share) -> Path:
    return directory / (FILE if share == ALONE else f"transcoded-{share.name}.jsonl")


def _read_lines(directory: Path) -> tuple[Lines, set[str]]:
    """Return the newest line of each output, and the outputs that have other lines elsewhere."""
    lines: Lines = {}
    disputed: set[str] = set()
    files = [path for path in directory.glob(FILES) if path.is_file()]
    for path in sorted(files, key=lambda path: path.stat().st_mtime_ns):
        own = {line["output"]: line for line in _read_file(path)}
        disputed.update(name for name, line in own.items() if lines.get(name, line) != line)
        lines.update(own)
    return lines, disputed


def _read_file(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="ascii", errors="replace") as file:
        for text in file:
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                continue  # blank, or cut off when a run was killed
            if isinstance(line, dict) and {"output", "stamp", *FIELDS} <= line.keys():
                yield line


def _stamp(task: Task) -> list[Any]:
    return [*read_stamp(task.source), task.settings.stamp, task.video.frames]


def _is_intact(task: Task, line: dict[str, Any], *, is_disputed: bool) -> bool:
    """Return whether an output is the one that was written; a copy with another time is."""
    output = task.output.stat()
    if output.st_size != line["bytes"]:
        return False
    is_of_time = output.st_mtime_ns == task.source.stat().st_mtime_ns
    if is_of_time and not is_disputed:
        return True
    if _digest_file(task.output) != line["sha256"]:
        return False
    if not is_of_time:
        copy_time(task.source, task.output)
    return True


def _digest_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
