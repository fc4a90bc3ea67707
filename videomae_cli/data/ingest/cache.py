"""Results of earlier runs of `prepare`, so that only new and changed files are decoded.

One JSON object per line, appended when a result is ready: an interrupted run keeps its results. A
result is valid for the same path, size, modification time, decoder and decoder versions. For a
folder of frames, names, sizes and modification times of all files must be the same.

Jobs that share the work (`--shard`) may run on several machines, so each appends to a file of its
own, `probe-cache-0-of-4.jsonl`; every job reads the files of all.
"""

import hashlib
import json
import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Any

import PIL

from videomae_cli.atomic import LineLog
from videomae_cli.data.executors.share import Share
from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo

FILE, FILES = "probe-cache.jsonl", "probe-cache*.jsonl"
VERSION = 5  # to be increased when the result for the same file would change
FINISHED = '{"finished": true}'  # the last line of a job that has probed its files
ALONE = Share()


class ProbeCache(LineLog):
    """The results stored in one directory; results are added inside a `with` block.

    Args:
        directory: Contains the files of results; it need not exist.
        decoder: The decoder asked for.
        versions: Of the decoding packages.
        share: The job that adds results.
        wanted: Paths whose results are kept in memory; None: all.
    """

    def __init__(
        self,
        directory: Path,
        decoder: str,
        versions: dict[str, str],
        *,
        share: Share = ALONE,
        wanted: Collection[str] | None = None,
    ) -> None:
        super().__init__(_file_of(directory, share))
        self._made_by = describe_software(decoder, versions)
        self._lines = _read_lines(directory, wanted)

    def get(self, path: Path) -> ReadableVideo | RejectedVideo | None:
        """Return the earlier result for a file that has not changed since."""
        text = self._lines.get(str(path))
        if text is None:
            return None
        line = json.loads(text)
        if line["stamp"] != self._stamp(path):
            return None
        return (
            ReadableVideo.from_json(line["probe"])
            if "probe" in line
            else RejectedVideo(line["reason"])
        )

    def put(self, path: Path, result: ReadableVideo | RejectedVideo) -> None:
        """Store a result, unless another attempt may end differently, or the file is gone."""
        if isinstance(result, RejectedVideo) and not result.is_lasting:
            return
        try:
            line: dict[str, Any] = {"path": str(path), "stamp": self._stamp(path)}
        except OSError:
            return
        if isinstance(result, RejectedVideo):
            line["reason"] = result.reason
        else:
            line["probe"] = result
        self.write(json.dumps(line))

    def mark_finished(self) -> None:
        """Note that this job has probed all its files; an OSError if the disk is full."""
        self.write(FINISHED)

    def _stamp(self, path: Path) -> list[Any]:
        return [*read_stamp(path), self._made_by]


def describe_software(decoder: str, versions: dict[str, str]) -> str:
    """Return a text that is equal for runs that find the same of the same file."""
    return f"{VERSION} {decoder} {json.dumps(versions, sort_keys=True)}"


def count_finished(directory: Path, jobs: int) -> int:
    """Return how many of the jobs that share the work have probed their files."""
    return sum(
        _last_line(_file_of(directory, Share(number, jobs))) == FINISHED for number in range(jobs)
    )


def _file_of(directory: Path, share: Share) -> Path:
    return directory / (FILE if share == ALONE else f"probe-cache-{share.name}.jsonl")


def _read_lines(directory: Path, wanted: Collection[str] | None) -> dict[str, str]:
    """Return the newest line of each path, as text: it takes a third of the memory."""
    lines: dict[str, str] = {}
    files = [path for path in directory.glob(FILES) if path.is_file()]
    for path in sorted(files, key=lambda path: path.stat().st_mtime_ns):
        with path.open(encoding="ascii", errors="replace") as file:
            for text in file:
                try:
                    line = json.loads(text)
                except json.JSONDecodeError:
                    continue  # blank, or cut off when a run was killed
                if not (isinstance(line, dict) and {"path", "stamp"} < line.keys()):
                    continue
                if wanted is None or line["path"] in wanted:
                    lines[line["path"]] = text
    return lines


def _last_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(-min(file.seek(0, os.SEEK_END), 2 * len(FINISHED)), os.SEEK_END)
            return file.read().decode("ascii", "replace").rstrip("\n").rpartition("\n")[2]
    except OSError:
        return ""


def read_stamp(path: Path) -> list[Any]:
    """Return what changes if a file, or a folder of frames, is changed."""
    state = path.stat()
    if stat.S_ISDIR(state.st_mode):
        return [_digest_folder(path), PIL.__version__]
    return [state.st_size, state.st_mtime_ns]


def _digest_folder(folder: Path) -> str:
    """Return a digest of names, sizes and times of the files in a folder; links are followed."""
    digest = hashlib.sha256()
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            try:
                state = entry.stat()
                facts = f"{state.st_size} {state.st_mtime_ns}"
            except OSError:
                facts = "broken link"
            digest.update(os.fsencode(entry.name) + f"/{facts}/".encode())
    return digest.hexdigest()
