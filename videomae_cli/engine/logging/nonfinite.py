"""What a run leaves behind when its loss or gradient is not finite once too often: the evidence."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from videomae_cli.engine.distributed.fsdp import full_tensor
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.saving.state import TrainingState
from videomae_cli.errors import TrainingError

MOST_NAMES = 8


class MicroBatchResult(NamedTuple):
    """One micro-batch of a step, after its backward pass."""

    samples: list[int]
    loss: Tensor
    """Scalar, on the device; its part of the step's mean."""
    failed: int
    """Videos that were replaced."""


class NonFiniteError(TrainingError):
    """The loss or the gradient was not a number once too often; the optimizer has not moved."""


class Figures(Protocol):
    """What is known of the step."""

    @property
    def loss(self) -> float:
        """Mean over the batch."""
        ...

    @property
    def norm(self) -> float:
        """Of the gradient."""
        ...


def nonfinite_error(
    model: nn.Module,
    micros: list[MicroBatchResult],
    figures: Figures,
    state: TrainingState,
    name: Callable[[int], str],
    runtime: Runtime,
    run_dir: Path,
) -> NonFiniteError:
    """Write `crash-step-*.json` into the run directory; return the error that says what it says.

    To be called on all processes.
    """
    mine: list[dict[str, Any]] = [
        {"rank": runtime.rank, "loss": str(float(micro.loss)), "samples": micro.samples}
        for micro in micros
    ]
    found = runtime.gather(mine)
    spoiled = [part for part in found if not math.isfinite(float(part["loss"]))]
    weights = _not_finite(runtime.unwrap(model).named_parameters())
    gradients = _not_finite(
        (label, p.grad)
        for label, p in runtime.unwrap(model).named_parameters()
        if p.grad is not None
    )
    cause, advice = _likely_cause(bool(weights), bool(spoiled), runtime.precision)
    videos = [name(i) for part in spoiled or found for i in part["samples"]]
    record = {
        "step": state.step,
        "loss": str(figures.loss),
        "gradient_norm": str(figures.norm),
        "likely_cause": cause,
        "skipped_before": state.skipped,
        "precision": runtime.precision,
        "processes": runtime.world,
        "weights_not_finite": weights,
        "gradients_not_finite": gradients,
        "micro_batches": found,
        "videos": videos,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    path = run_dir / f"crash-step-{state.step:09d}.json"
    runtime.run_on_rank0(lambda: _write(path, record))
    error = NonFiniteError(
        f"step {state.step}: loss {figures.loss}, gradient norm {figures.norm}, after "
        f"{state.skipped} skipped steps; likely cause: {cause}; videos {', '.join(videos[:4])}"
        f"{' ...' if len(videos) > 4 else ''}; all in {path}",
        f"weights and saves are untouched. {advice}",
    )
    error.is_shared = True
    return error


def _not_finite(tensors: Any) -> list[str]:
    names = (
        label for label, tensor in tensors if not bool(torch.isfinite(full_tensor(tensor)).all())
    )
    return [label for label, _ in zip(names, range(MOST_NAMES), strict=False)]


def _likely_cause(has_bad_weights: bool, has_bad_loss: bool, precision: str) -> tuple[str, str]:
    """Return what has most likely happened, and what to do."""
    gentler = "--set optim.base_lr=... (lower) or optim.clip_grad=1.0"
    if has_bad_weights:
        return (
            "the weights themselves are not finite, so an earlier update went too far",
            f"Fork an earlier save with {gentler}: --resume RUN --fork --out NEW",
        )
    if has_bad_loss and precision != "fp32":
        return (
            f"the forward pass left the range of {precision}, or these videos are unusual",
            f"Fork the run with --set train.precision=fp32, or {gentler}",
        )
    if has_bad_loss:
        return (
            "the forward pass overflowed: training diverges, or these videos are unusual",
            f"Look at the loss in metrics.jsonl; fork the run with {gentler}",
        )
    return (
        "the loss is finite and its gradient is not: training is about to diverge",
        f"Fork the run with {gentler}",
    )


def _write(path: Path, record: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(record, indent=1) + "\n")
    except OSError as error:
        raise TrainingError(
            f"step {record['step']}: loss {record['loss']}, and {path} cannot be written: {error}",
            "weights and saves are untouched",
        ) from error
