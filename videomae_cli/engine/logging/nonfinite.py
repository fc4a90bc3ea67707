"""The record of a run that stops because its loss or gradient is not finite."""

import math
import time
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from videomae_cli import atomic
from videomae_cli.engine.distributed.fsdp import full_tensor
from videomae_cli.engine.runtime import Runtime
from videomae_cli.engine.saving.state import TrainingState
from videomae_cli.engine.step import FitInputs, MicroBatchResult, NonFiniteError, StepResult
from videomae_cli.errors import TrainingError

_MAX_NAMES = 8
_MAX_VIDEOS = 4


def record_nonfinite_step(
    inputs: FitInputs,
    results: list[MicroBatchResult],
    result: StepResult,
    state: TrainingState,
    runtime: Runtime,
    run_dir: Path,
) -> NonFiniteError:
    """Write `crash-step-*.json` into the run directory; return an error that summarises it.

    Called by all processes, each with its own micro-batches.
    """
    record, advice = _collect(inputs, results, result, state, runtime)
    path = run_dir / f"crash-step-{state.step:09d}.json"
    runtime.run_on_rank0(lambda: _write(path, record))
    videos = record["videos"]
    error = NonFiniteError(
        f"step {state.step}: loss {result.loss}, gradient norm {result.norm}, after "
        f"{state.skipped} skipped steps; likely cause: {record['likely_cause']}; videos "
        f"{', '.join(videos[:_MAX_VIDEOS])}{' ...' if len(videos) > _MAX_VIDEOS else ''}; "
        f"details in {path}",
        f"weights and checkpoints are unchanged. {advice}",
    )
    error.is_shared = True
    return error


def _collect(
    inputs: FitInputs,
    results: list[MicroBatchResult],
    result: StepResult,
    state: TrainingState,
    runtime: Runtime,
) -> tuple[dict[str, Any], str]:
    """Return the content of the record, and advice; called by all processes."""
    parts: list[dict[str, Any]] = runtime.gather(
        [
            {"rank": runtime.rank, "loss": str(float(part.loss)), "samples": part.samples}
            for part in results
        ]
    )
    bad_parts = [part for part in parts if not math.isfinite(float(part["loss"]))]
    parameters = list(runtime.unwrap(inputs.model).named_parameters())
    weights = _not_finite(parameters)
    gradients = _not_finite((name, p.grad) for name, p in parameters if p.grad is not None)
    cause, advice = _explain(bool(weights), bool(bad_parts), runtime.precision)
    record = {
        "step": state.step,
        "loss": str(result.loss),
        "gradient_norm": str(result.norm),
        "likely_cause": cause,
        "skipped_before": state.skipped,
        "precision": runtime.precision,
        "processes": runtime.world,
        "weights_not_finite": weights,
        "gradients_not_finite": gradients,
        "micro_batches": parts,
        "videos": [inputs.sample_name(i) for part in bad_parts or parts for i in part["samples"]],
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    return record, advice


def _not_finite(tensors: Any) -> list[str]:
    """Return the names of the first tensors with a NaN or an infinity; they may be sharded."""
    names = (
        name for name, tensor in tensors if not bool(torch.isfinite(full_tensor(tensor)).all())
    )
    return list(islice(names, _MAX_NAMES))


def _explain(has_bad_weights: bool, has_bad_loss: bool, precision: str) -> tuple[str, str]:
    """Return the likely cause, and what to do next."""
    gentler = "--set optim.base_lr=... (lower) or optim.clip_grad=1.0"
    if has_bad_weights:
        return (
            "some weights are not finite, so an earlier update was too large",
            f"Fork an earlier checkpoint with {gentler}: --resume RUN --fork --out NEW",
        )
    if has_bad_loss and precision != "fp32":
        return (
            f"the forward pass overflowed the range of {precision}, or these videos are unusual",
            f"Fork the run with --set train.precision=fp32, or {gentler}",
        )
    if has_bad_loss:
        return (
            "the forward pass overflowed: training diverges, or these videos are unusual",
            f"Check the loss in metrics.jsonl; fork the run with {gentler}",
        )
    return (
        "the loss is finite, but its gradient is not: training is about to diverge",
        f"Fork the run with {gentler}",
    )


def _write(path: Path, record: dict[str, Any]) -> None:
    try:
        atomic.write_json(path, record)
    except OSError as error:
        raise TrainingError(
            f"step {record['step']}: loss {record['loss']}, and {path} cannot be written: {error}",
            "weights and checkpoints are unchanged",
        ) from error
