"""Load a checkpoint as a `Model`."""

import os
from pathlib import Path
from typing import Literal

import torch

from videomae_cli.api.messages import LogReport, explain_errors
from videomae_cli.api.model import Model
from videomae_cli.checkpoints.finite import require_finite
from videomae_cli.engine.local_runtime import LocalRuntime
from videomae_cli.engine.runtime import Precision
from videomae_cli.models.build import BUILDERS
from videomae_cli.tasks.load_model import load_weights, read_run


def load(
    path: str | os.PathLike[str],
    *,
    device: str | torch.device | None = None,
    precision: Precision | Literal["auto"] = "auto",
    workers: int = 0,
) -> Model:
    """Load a checkpoint of any format and kind.

    Nothing outside the returned model is changed: no signal handler, no random state, no process
    group. Messages go to the logger `videomae`.

    Args:
        path: A run directory (of an unfinished pretraining, its newest checkpoint is read), a
            directory or a file of weights: native, VideoMAE, VideoMAE V2, MAE-ST, MMAction2,
            Hugging Face.
        device: Such as "cpu", "cuda" or "cuda:1"; None: a GPU if there is one.
        precision: "fp32", "bf16", "fp16" or "auto", the fastest safe one of the device.
        workers: Processes that decode videos ahead; 0: none are started, which is safe in notebooks
            and in programs with windows or threads.

    Raises:
        CheckpointError: The weights are missing, damaged, unsafe or of an unknown format, or have
            values that are not finite.
        UsageError: There is no such device, or it does not support the precision.
    """
    with explain_errors():
        return _load(Path(path), LocalRuntime(device, precision, workers=workers))


def _load(path: Path, runtime: LocalRuntime) -> Model:
    loaded, report = read_run(path), LogReport()
    for sentence in (*loaded.report.assumed, *filter(None, [loaded.warning])):
        report.warn(f"{loaded.file}: {sentence}")
    require_finite(loaded.weights, loaded.file, loaded.origins)
    with torch.random.fork_rng(devices=[]):  # weights are drawn, and then replaced
        network = BUILDERS[loaded.config.kind](loaded.config)
    load_weights(network, loaded.weights)
    return Model(loaded, network.eval().requires_grad_(False).to(runtime.device), runtime)
