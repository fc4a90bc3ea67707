"""Results of earlier probing, so that a second run of `prepare` opens only new or changed files.

One JSON object per line, appended as soon as a result is there: an interrupted run keeps them all.
A result holds for the same path, size, modification time, decoder choice and decoder versions.
"""

import json
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from videomae_cli.data.ingest.pool import Refused
from videomae_cli.data.ingest.probe import Probe

FILE = "probe-cache.jsonl"
VERSION = 1  # raise it when the same file would be judged differently


class ProbeCache:
    """The results kept in one directory; use it in a `with` block.

    Args:
        directory: Where the file lies.
        decoder: The decoder choice of this run.
        versions: What else decides a result.
    """

    def __init__(self, directory: Path, decoder: str, versions: dict[str, str]) -> None:
        self._path = directory / FILE
        self._made_by = f"{VERSION} {decoder} {json.dumps(versions, sort_keys=True)}"
        self._known = self._read()
        self._file: IO[str] | None = None

    def __enter__(self) -> "ProbeCache":
        """Open the file for new results."""
        self._file = self._path.open("a", encoding="ascii")
        if self._file.tell():
            self._file.write("\n")  # ends a line that a killed run left unfinished
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        assert self._file is not None, "entered"
        self._file.close()
        self._file = None

    def get(self, path: Path) -> Probe | Refused | None:
        """Return the earlier result for a file that has not changed since."""
        known = self._known.get(str(path))
        if known is None or known["stamp"] != self._stamp(path):
            return None
        return Probe(*known["probe"]) if "probe" in known else Refused(known["reason"])

    def put(self, path: Path, result: Probe | Refused) -> None:
        """Keep a result, unless another attempt may end differently."""
        assert self._file is not None, "entered"
        if isinstance(result, Refused) and not result.is_lasting:
            return
        line: dict[str, Any] = {"path": str(path), "stamp": self._stamp(path)}
        if isinstance(result, Refused):
            line["reason"] = result.reason
        else:
            line["probe"] = result
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def _stamp(self, path: Path) -> list[Any]:
        state = path.stat()
        return [state.st_size, state.st_mtime_ns, self._made_by]

    def _read(self) -> dict[str, dict[str, Any]]:
        known: dict[str, dict[str, Any]] = {}
        if not self._path.is_file():
            return known
        with self._path.open(encoding="ascii", errors="replace") as file:
            for text in file:
                try:
                    line = json.loads(text)
                except json.JSONDecodeError:
                    continue  # blank, or cut off when a run was killed
                if isinstance(line, dict) and {"path", "stamp"} < line.keys():
                    known[line["path"]] = line
        return known
