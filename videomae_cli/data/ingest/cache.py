"""Results of earlier runs of `prepare`, so that only new and changed files are decoded.

One JSON object per line, appended when a result is ready: an interrupted run keeps its results. A
result is valid for the same path, size, modification time, decoder and decoder versions. For a
folder of frames, names, sizes and modification times of all files must be the same.
"""

import hashlib
import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import PIL

from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo

FILE = "probe-cache.jsonl"
VERSION = 5  # to be increased when the result for the same file would change


class ProbeCache:
    """The results stored in one directory; results are added inside a `with` block."""

    def __init__(self, directory: Path, decoder: str, versions: dict[str, str]) -> None:
        self.path = directory / FILE
        self._made_by = f"{VERSION} {decoder} {json.dumps(versions, sort_keys=True)}"
        self._results = self._read()

    def __enter__(self) -> "ProbeCache":
        """Open the file for new results; an OSError if it cannot be written."""
        self._file: IO[str] = self.path.open("a", encoding="ascii")
        if self._file.tell():
            self._file.write("\n")  # ends a line that a killed run left unfinished
            self._file.flush()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        with suppress(OSError):  # of text that could not be written; `put` has raised it already
            self._file.close()

    def get(self, path: Path) -> ReadableVideo | RejectedVideo | None:
        """Return the earlier result for a file that has not changed since."""
        line = self._results.get(str(path))
        if line is None or line["stamp"] != self._stamp(path):
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
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def _stamp(self, path: Path) -> list[Any]:
        return [*read_stamp(path), self._made_by]

    def _read(self) -> dict[str, dict[str, Any]]:
        results: dict[str, dict[str, Any]] = {}
        if not self.path.is_file():
            return results
        with self.path.open(encoding="ascii", errors="replace") as file:
            for text in file:
                try:
                    line = json.loads(text)
                except json.JSONDecodeError:
                    continue  # blank, or cut off when a run was killed
                if isinstance(line, dict) and {"path", "stamp"} < line.keys():
                    results[line["path"]] = line
        return results


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
