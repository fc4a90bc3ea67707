"""What survives a restart, and how it reaches the disk whole.

A save is a directory `step-000012500`. It is written under another name, every file is flushed to
the disk, the marker `state.json` (with the size and SHA-256 of every other file) comes last, and
only then is the directory renamed. So a directory that bears its name is complete. Tensors are
safetensors, the rest is JSON: nothing is ever unpickled.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from videomae_cli.errors import TrainingError

MARKER = "state.json"
_STEP = re.compile(r"step-(\d{9,})")


@dataclass
class State:
    """Where a run stands.

    Args:
        step: Optimizer steps behind us.
        identity: What the run must agree with to be resumed: digests and versions by name.
        window: Sums since the last logged line, so that its average survives a restart.
        best: Best validation so far, `{"step": ..., "top1": ...}`; empty before the first.
        failed: Videos replaced because they could not be decoded, so far.
        scaler: Loss scaler of fp16; empty otherwise.
    """

    step: int = 0
    identity: dict[str, str] = field(default_factory=dict)
    window: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    failed: int = 0
    scaler: dict[str, float] = field(default_factory=dict)


def save(
    folder: Path, state: State, model: nn.Module, optimizer: torch.optim.Optimizer, *, keep: int
) -> Path:
    """Write a complete save under `folder`, then remove the oldest beyond `keep`.

    Raises:
        TrainingError: The disk refused (full, read-only).
    """
    target = folder / f"step-{state.step:09d}"
    partial = target.with_name(target.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        weights = {name: value.contiguous() for name, value in model.state_dict().items()}
        save_file(weights, partial / "model.safetensors")
        save_file(_optimizer_tensors(model, optimizer), partial / "optimizer.safetensors")
        files = {path.name: _seal(path) for path in sorted(partial.iterdir())}
        marker = partial / MARKER
        marker.write_text(json.dumps({**asdict(state), "files": files}, indent=1))
        _flush(marker)
        _flush(partial)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
        _flush(folder)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"{target}: could not save step {state.step}: {error}",
            "free some space or choose another --out; earlier saves are untouched",
        ) from error
    for old in _saves(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def newest(folder: Path) -> tuple[Path | None, list[str]]:
    """Return the newest whole save, and what is wrong with any newer ones."""
    problems: list[str] = []
    for path in reversed(_saves(folder)):
        problem = _problem(path)
        if problem is None:
            return path, problems
        problems.append(f"{path}: {problem}")
    return None, problems


def read(path: Path) -> State:
    """Read where the run stood at a save."""
    fields: dict[str, Any] = json.loads((path / MARKER).read_text())
    del fields["files"]
    return State(**fields)


def restore(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Bring model and optimizer back to a save."""
    model.load_state_dict(load_file(path / "model.safetensors"))
    index = {name: number for number, name in enumerate(_names(model, optimizer))}
    entries: dict[int, dict[str, Tensor]] = {}
    for key, value in load_file(path / "optimizer.safetensors").items():
        name, _, entry = key.rpartition("/")
        entries.setdefault(index[name], {})[entry] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": entries})


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return a SHA-256 over names and values."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(tensors[name].detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def _names(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[str]:
    """Return the parameters' names in the order in which the optimizer numbers them."""
    name_of = {id(parameter): name for name, parameter in model.named_parameters()}
    return [name_of[id(p)] for group in optimizer.param_groups for p in group["params"]]


def _optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    names, state = _names(model, optimizer), optimizer.state_dict()["state"]
    return {
        f"{names[number]}/{entry}": value.contiguous()
        for number, entries in state.items()
        for entry, value in entries.items()
    }


def _saves(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _STEP.fullmatch(path.name))


def _problem(path: Path) -> str | None:
    try:
        files: dict[str, dict[str, Any]] = json.loads((path / MARKER).read_text())["files"]
    except (OSError, ValueError, KeyError) as error:
        return f"{MARKER} is missing or damaged ({error})"
    for name, seal in files.items():
        file = path / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != seal["bytes"]:
            return f"{name} has {file.stat().st_size:,} bytes, not {seal['bytes']:,}"
        if _digest(file) != seal["sha256"]:
            return f"{name} does not match its SHA-256"
    return None


def _seal(path: Path) -> dict[str, Any]:
    _flush(path)
    return {"bytes": path.stat().st_size, "sha256": _digest(path)}


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def _flush(path: Path) -> None:
    """Force a file, or the names in a directory, onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
