"""Run programs as users do, and measure CPU time, time by the clock and peak memory of each."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

ROOT = Path(__file__).resolve().parent.parent.parent
Value = TypeVar("Value")
VIDEOMAE = (sys.executable, "-m", "videomae_cli")


class Usage(NamedTuple):
    """What one run of a program used; the children that it waited for are included."""

    cpu: float
    """Seconds, user and system."""
    wall: float
    """Seconds by the clock."""
    peak: float
    """Peak resident memory of the largest process, MiB; mapped files count."""


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a program that finds this checkout and keeps its bytecode."""
    kept = {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH"))))
    return kept | {"PYTHONPATH": path, **more}


def run_command(
    words: Sequence[str],
    *,
    cwd: Path,
    code: int = 0,
    variables: Mapping[str, str] | None = None,
) -> Usage:
    """Run a program to its end.

    The peak is right only if this process is small: Linux counts what it had when it forked.

    Args:
        words: The program and its arguments.
        cwd: The folder it runs in.
        code: Its exit code; another one ends the benchmark with its output.
        variables: Environment variables to add.
    """
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            words, cwd=cwd, env=environment(**(variables or {})), stdout=output, stderr=output
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != code:
            output.seek(0)
            sys.stderr.write(output.read().decode(errors="replace"))
            raise SystemExit(f"{' '.join(words)}: exit code {process.returncode}, not {code}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Usage(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * unit / 2**20)


def run_apart(function: Callable[..., Value], *arguments: object) -> Value:
    """Call a function in a new process, so that what it imports does not stay in this one."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def write_checkpoint(path: Path, size: str, to: str) -> None:
    """Write a pretrained autoencoder with random weights, as `native` or another format."""
    import torch

    from measuring.training_steps import pretrain_recipe
    from videomae_cli.checkpoints.loading import save_as_format
    from videomae_cli.checkpoints.native import write_native
    from videomae_cli.config.model_config import autoencoder_config
    from videomae_cli.models.build import expected_shapes

    config = autoencoder_config(pretrain_recipe(size))
    weights = {name: torch.randn(shape) for name, shape in expected_shapes(config).items()}
    if to == "native":
        write_native(path, weights, config)
    else:
        save_as_format(path, weights, config, to)
