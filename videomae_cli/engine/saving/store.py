"""Saves on the disk: whole, or not there.

A save is a directory `step-000012500`. It is filled under another name, every file is forced to the
disk, `manifest.json` (size and SHA-256 of every other file, and of itself) comes last, and only
then is the directory renamed and its parent forced to the disk; older saves go after that. So a
directory that bears its name was complete, and one that is damaged later is found out and passed
over. Whatever ends in `.partial` is never read.
"""

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from videomae_cli.engine.saving.writer import write_hashed, write_tensors
from videomae_cli.errors import TrainingError

MANIFEST = "manifest.json"
_STEP = re.compile(r"step-(\d{9,})")
_PARTIAL = ".partial"
logger = logging.getLogger("videomae")


class Retention(NamedTuple):
    """Which saves stay: the last ones, and every so many steps one for good."""

    last: int
    every: int | None = None


def publish(folder: Path, step: int, contents: Mapping[str, Mapping[str, Tensor] | str]) -> Path:
    """Write a complete save of `step` under `folder`: tensors or text by file name.

    Raises:
        TrainingError: The disk refused (full, read-only); earlier saves are untouched.
    """
    target = folder / f"step-{step:09d}"
    partial = target.with_name(target.name + _PARTIAL)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(f"step-*{_PARTIAL}"):
            shutil.rmtree(leftover)
        partial.mkdir()
        seals = {name: _write(partial / name, content) for name, content in contents.items()}
        _write(partial / MANIFEST, _manifest(seals))
        _flush(partial)
        former = target.with_name(f"{target.name}.former{_PARTIAL}")
        if target.exists():
            target.rename(former)  # damaged, or from before the validation of its step
        partial.rename(target)
        _flush(folder)
        shutil.rmtree(former, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)  # room for the next attempt
        raise TrainingError(
            f"{target}: could not save step {step}: {error}",
            "free some space or make the directory writable, then --resume; "
            "earlier saves are untouched",
        ) from error
    return target


def prune(folder: Path, step: int, keep: Retention, *, always: Collection[int] = ()) -> None:
    """Remove the saves before `step` that nothing says to keep, oldest first.

    Those after `step` are of a future that was found damaged; they are replaced when it comes.
    """
    behind = [path for path in _saves(folder) if _step(path) <= step]
    for path in behind[: -keep.last]:
        number = _step(path)
        if number in always or (keep.every and number % keep.every == 0):
            continue
        doomed = path.with_name(path.name + _PARTIAL)
        try:
            path.rename(doomed)  # so that half of it is never taken for a damaged save
            shutil.rmtree(doomed)
        except OSError as error:
            logger.warning("%s: could not remove an old save: %s", path, error)


def newest_checkpoint(folder: Path) -> tuple[Path | None, list[str]]:
    """Return the newest whole save, and what is wrong with any newer ones."""
    problems: list[str] = []
    for path in reversed(_saves(folder)):
        problem = _problem(path)
        if problem is None:
            return path, problems
        problems.append(f"{path}: {problem}")
    return None, problems


def _write(path: Path, content: Mapping[str, Tensor] | str) -> dict[str, Any]:
    """Write one file; return its seal."""
    if isinstance(content, str):
        sha256 = write_hashed(path, iter([content.encode()]))
    else:
        sha256 = write_tensors(path, content)
    return {"bytes": path.stat().st_size, "sha256": sha256}


def _manifest(seals: Mapping[str, Any]) -> str:
    return json.dumps({"files": seals, "sha256": _digest_of(seals)}, separators=(",", ":"))


def _digest_of(seals: object) -> str:
    return hashlib.sha256(json.dumps(seals, sort_keys=True).encode()).hexdigest()


def _saves(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _STEP.fullmatch(path.name)), key=_step)


def _step(path: Path) -> int:
    found = _STEP.fullmatch(path.name)
    assert found is not None
    return int(found[1])


def _problem(path: Path) -> str | None:
    try:
        held = json.loads((path / MANIFEST).read_bytes())
        seals: dict[str, dict[str, Any]] = held["files"]
        is_whole = held["sha256"] == _digest_of(seals)
    except (OSError, ValueError, LookupError, TypeError) as error:
        return f"{MANIFEST} is missing or damaged ({error})"
    if not is_whole:
        return f"{MANIFEST} does not match its own SHA-256"
    return next((found for name in seals if (found := _damage(path / name, seals[name]))), None)


def _damage(file: Path, seal: Mapping[str, Any]) -> str | None:
    try:
        size = file.stat().st_size
        if size != seal["bytes"]:
            return f"{file.name} has {size:,} bytes, not {seal['bytes']:,}"
        if _digest(file) != seal["sha256"]:
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


def _flush(folder: Path) -> None:
    """Force the names in a directory onto the disk."""
    if os.name == "nt":
        return  # Windows has no handle on a directory
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
