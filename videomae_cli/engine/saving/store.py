"""Training checkpoints on disk: each is complete or absent, and damage is detected.

A checkpoint is a directory `step-000012500`, written under a hidden name, flushed to the disk and
renamed (see `atomic.py`). `manifest.json`, written last, contains size and SHA-256 of every other
file, and a SHA-256 of these entries.
"""

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from videomae_cli import atomic
from videomae_cli.engine.saving.writer import write_bytes, write_tensors
from videomae_cli.errors import TrainingError

MANIFEST = "manifest.json"
_NAME = re.compile(r"step-\d{9,}")
logger = logging.getLogger("videomae")

Entry = dict[str, Any]
"""Entry of a file in the manifest: `bytes` and `sha256`."""


class Retention(NamedTuple):
    """Which checkpoints are kept: the `last` ones, and those of all multiples of `every` steps."""

    last: int
    every: int | None = None


def publish(folder: Path, step: int, contents: Mapping[str, Mapping[str, Tensor] | str]) -> Path:
    """Write the checkpoint of a step under `folder`, in place of one of that step; return its path.

    `contents` are tensors or text by file name. Raises a `TrainingError` if they cannot be written;
    earlier checkpoints are unchanged.
    """
    path = folder / f"step-{step:09d}"
    try:
        # incomplete checkpoints of killed processes; the run directory is locked by us
        atomic.remove_leftovers(folder / "step-*")
        for leftover in folder.glob("step-*.partial"):  # as earlier versions named them
            shutil.rmtree(leftover)
        with atomic.replacing_directory(path) as partial:
            entries = {name: _write(partial / name, content) for name, content in contents.items()}
            manifest = {"files": entries, "sha256": _digest_of(entries)}
            _write(partial / MANIFEST, json.dumps(manifest, separators=(",", ":")))
    except OSError as error:
        raise TrainingError(
            f"{path}: the checkpoint of step {step} cannot be written: {error.strerror or error}",
            "free some space or make the directory writable, then --resume; "
            "earlier checkpoints are unchanged",
        ) from error
    return path


def prune(folder: Path, step: int, keep: Retention, *, always: Collection[int] = ()) -> None:
    """Remove checkpoints before `step`, oldest first, except for those of the steps `always`.

    Checkpoints after `step` were damaged when this run was resumed. They do not count towards
    `keep.last`, and are replaced when the run reaches their steps.
    """
    older = [path for path in _checkpoints(folder) if _step(path) <= step]
    for path in older[: -keep.last]:
        number = _step(path)
        if number in always or (keep.every and number % keep.every == 0):
            continue
        try:
            atomic.remove_directory(path)
        except OSError as error:
            logger.warning("%s: could not remove an old checkpoint: %s", path, error)


def newest_checkpoint(folder: Path) -> tuple[Path | None, list[str]]:
    """Return the newest undamaged checkpoint, and a description of the damage of newer ones."""
    problems: list[str] = []
    for path in reversed(_checkpoints(folder)):
        problem = _problem(path)
        if problem is None:
            return path, problems
        problems.append(f"{path}: {problem}")
    return None, problems


def _write(path: Path, content: Mapping[str, Tensor] | str) -> Entry:
    """Write one file; return its entry in the manifest."""
    if isinstance(content, str):
        sha256 = write_bytes(path, iter([content.encode()]))
    else:
        sha256 = write_tensors(path, content)
    return {"bytes": path.stat().st_size, "sha256": sha256}


def _digest_of(entries: object) -> str:
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()


def _checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, damaged ones too, in the order of their steps."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), key=_step)


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _problem(path: Path) -> str | None:
    """Return a description of the damage of a checkpoint; None if it is complete."""
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        entries: dict[str, Entry] = manifest["files"]
        is_intact = manifest["sha256"] == _digest_of(entries)
    except (OSError, ValueError, LookupError, TypeError) as error:
        return f"{MANIFEST} is missing or damaged ({error})"
    if not is_intact:
        return f"{MANIFEST} does not match its own SHA-256"
    return next((problem for n in entries if (problem := _damage(path / n, entries[n]))), None)


def _damage(file: Path, entry: Entry) -> str | None:
    """Return a description of the damage of a file; None if it matches its entry."""
    try:
        size = file.stat().st_size
        if size != entry["bytes"]:
            return f"{file.name} has {size:,} bytes, not {entry['bytes']:,}"
        if _digest(file) != entry["sha256"]:
            return f"{file.name} does not match its SHA-256"
    except FileNotFoundError:
        return f"{file.name} is missing"
    except OSError as error:
        return f"{file.name} cannot be read ({error})"
    return None


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
