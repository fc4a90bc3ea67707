"""What survives a restart. Tensors are safetensors, the rest is JSON: nothing is ever unpickled."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from videomae_cli.engine.distributed.fsdp import gather_to_cpu, shard_like
from videomae_cli.engine.ema import EMA
from videomae_cli.engine.saving import store as saves
from videomae_cli.engine.saving.store import Retention
from videomae_cli.errors import TrainingError

STATE = "state.json"
MODEL = "model.safetensors"
OPTIMIZER = "optimizer.safetensors"
AVERAGE = "average.safetensors"

Files = Mapping[str, Mapping[str, Tensor]]
"""Tensors by file name."""


@dataclass
class TrainingState:
    """Where a run stands.

    Args:
        step: Optimizer steps behind us.
        identity: What the run must agree with to be resumed: digests and versions by name.
        window: Sums since the last logged line, so that its average survives a restart.
        lines: Lines of `metrics.jsonl` written so far.
        is_due: The validation after `step` is still to come.
        best: Best validation so far, `{"step": ..., "top1": ...}`; empty before the first.
        failed: Videos replaced because they could not be decoded, so far.
        skipped: Steps that changed nothing because their loss or gradient was not finite, so far.
        scaler: Loss scaler of fp16; empty otherwise.
        world: Processes that made this state.
        software: Versions that made this state, by package.
    """

    step: int = 0
    identity: dict[str, str] = field(default_factory=dict)
    window: dict[str, float] = field(default_factory=dict)
    lines: int = 0
    is_due: bool = False
    best: dict[str, float] = field(default_factory=dict)
    failed: int = 0
    skipped: int = 0
    scaler: dict[str, float] = field(default_factory=dict)
    world: int = 1
    software: dict[str, str] = field(default_factory=dict)


def collect_tensors(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: EMA | None = None,
    *,
    here: bool = True,
) -> Files:
    """Return what a save holds beside the state, by file name; to be called by all processes.

    Args:
        model: Not wrapped; it may be sharded.
        optimizer: Its optimizer.
        average: Of its weights.
        here: Is it this process that writes? The others only give their parts.
    """
    files: dict[str, Mapping[str, Tensor]] = {
        MODEL: model.state_dict(),
        OPTIMIZER: _optimizer_tensors(model, optimizer),
    }
    if average is not None:
        files[AVERAGE] = average.tensors
    return {name: gather_to_cpu(tensors, here=here) for name, tensors in files.items()}


def write_checkpoint(folder: Path, state: TrainingState, files: Files, *, keep: Retention) -> Path:
    """Write a complete save under `folder`, then remove older ones; the best one so far stays.

    Raises:
        TrainingError: The disk refused (full, read-only).
    """
    target = saves.publish(folder, state.step, {**files, STATE: to_json(state)})
    best = [int(state.best["step"])] if state.best else []
    saves.prune(folder, state.step, keep, always=best)
    return target


def to_json(state: TrainingState) -> str:
    """Return the state as JSON."""
    return json.dumps(asdict(state), indent=1)


def read_state(path: Path) -> TrainingState:
    """Read where the run stood at a save."""
    fields: dict[str, Any] = json.loads((path / STATE).read_text())
    return TrainingState(**fields)


def restore_tensors(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: EMA | None = None,
) -> None:
    """Bring model, optimizer and average back to a save; a save without one begins it anew.

    Raises:
        TrainingError: The save is of another model.
    """
    index = {name: number for number, name in enumerate(_names(model, optimizer))}
    entries: dict[int, dict[str, Tensor]] = {}
    try:
        own = model.state_dict()
        weights = load_file(path / MODEL)
        model.load_state_dict({n: shard_like(v, own.get(n, v)) for n, v in weights.items()})
        for key, value in load_file(path / OPTIMIZER).items():
            name, _, entry = key.rpartition("/")
            is_step = value.ndim == 0
            entries.setdefault(index[name], {})[entry] = (
                value if is_step else shard_like(value, own[name])
            )
    except (RuntimeError, KeyError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise TrainingError(
            f"{path} is of another model: {reason}",
            "keep model and clip of the recipe as they were",
        ) from error
    optimizer.load_state_dict({**optimizer.state_dict(), "state": entries})
    if average is not None:
        held = load_file(path / AVERAGE) if (path / AVERAGE).is_file() else model.state_dict()
        for name, value in average.tensors.items():
            value.copy_(shard_like(held[name], value))


def digest_of(tensors: Mapping[str, Tensor]) -> str:
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
        f"{names[number]}/{entry}": value
        for number, entries in state.items()
        for entry, value in entries.items()
    }
