"""Time how fast commands start: help, completion, refusals, inspection, the first training step.

    python benchmarks/startup.py --json startup.json

Each command runs in a process of its own, by turns; CPU seconds (all threads and children) and
seconds by the clock:

- python, import torch: a program that does nothing, and one that only imports torch;
- help, completion, completion of recipes, recipes ls: `videomae --help`, what the shell asks for
  after `videomae pre` and after `videomae pretrain --recipe k400`, `videomae recipes ls`;
- typer alone, completion: the same request to a typer program of two empty commands;
- refusal: `videomae pretrain --recipe k400-vitb` where there are no data, to its error;
- inspect .pth, inspect native: `convert --inspect` of ViT-L's autoencoder, 1.3 GB;
- first step: `videomae pretrain --recipe demo` on 64 small videos, until the metrics of the first
  step are written (`train.log_every_steps=1`); then it is killed.

Ratios are CPU seconds over those of `import torch`, so that other machines can be compared.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
from measuring.commands import (
    VIDEOMAE,
    Usage,
    environment,
    run_apart,
    run_command,
    write_checkpoint,
)
from measuring.runner import Result, make_parser, quotients, run_rounds

PYTHON, BASE, TYPER = "python", "import torch", "typer alone, completion"
NO_DATA = 3  # exit code
BASH = {"_VIDEOMAE_COMPLETE": "complete_bash"}
COMMAND = BASH | {"COMP_WORDS": "videomae pre", "COMP_CWORD": "1"}
RECIPE = BASH | {"COMP_WORDS": "videomae pretrain --recipe k400", "COMP_CWORD": "3"}
EMPTY_PROGRAM = """
import typer
app = typer.Typer(name="videomae", rich_markup_mode=None)
@app.command()
def prepare() -> None: ...
@app.command()
def pretrain() -> None: ...
app()
"""
VIDEOS = 64
POLL_SECONDS = 0.01
GIVE_UP_SECONDS = 300.0


def write_videos(folder: Path, count: int) -> None:
    """Write and prepare the pretraining videos of the demonstration."""
    from videomae_cli.report import Silence
    from videomae_cli.tasks.demo.data import VideoCounts, make_unlabelled

    make_unlabelled(folder, VideoCounts(count, (8,), 8, 8, 8), seed=0, report=Silence())


def time_first_step(folder: Path) -> Usage:
    """Start a pretraining, and kill it when the metrics of its first step are there."""
    run_dir = folder / "run"
    shutil.rmtree(run_dir, ignore_errors=True)
    words = ["pretrain", "--recipe", "demo", "--data", str(folder / "data/unlabelled")]
    words += ["--out", str(run_dir), "--set", "train.log_every_steps=1"]
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = psutil.Popen(
            [*VIDEOMAE, *words],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(),
            start_new_session=True,
        )
        try:
            while not _has_line(run_dir / "metrics.jsonl"):
                if process.poll() is not None or time.perf_counter() - began > GIVE_UP_SECONDS:
                    output.seek(0)
                    sys.stderr.write(output.read().decode(errors="replace"))
                    raise SystemExit("videomae pretrain --recipe demo took no step")
                time.sleep(POLL_SECONDS)
            wall, cpu = time.perf_counter() - began, _cpu_seconds(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with its decoding processes
            process.wait()
    return Usage(cpu, wall, 0.0)


def _has_line(path: Path) -> bool:
    return path.is_file() and b"\n" in path.read_bytes()


def _cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time of a process and of all below it, also of those that have ended."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(one.cpu_times()[:4])  # user and system, its own and of ended children
    return total


def make_sides(folder: Path, size: str) -> dict[str, Callable[[], Usage]]:
    """Write checkpoint and videos into a folder, and return the sides."""
    write = partial(run_apart, write_checkpoint)
    write(folder / "large.pth", size, "v1")
    write(folder / "large", size, "native")
    run_apart(write_videos, folder, VIDEOS)
    (folder / "videomae").write_text(EMPTY_PROGRAM)  # typer asks for completion by this name
    run = partial(run_command, cwd=folder)

    def videomae(*words: str, **options: object) -> Callable[[], Usage]:
        return partial(run, [*VIDEOMAE, *words], **options)

    return {
        PYTHON: partial(run, [sys.executable, "-c", "pass"]),
        BASE: partial(run, [sys.executable, "-c", "import torch"]),
        "help": videomae("--help"),
        "completion": videomae(variables=COMMAND),
        "completion of recipes": videomae(variables=RECIPE),
        TYPER: partial(run, [sys.executable, "videomae"], variables=COMMAND),
        "recipes ls": videomae("recipes", "ls"),
        "refusal": videomae("pretrain", "--recipe", "k400-vitb", code=NO_DATA),
        "inspect .pth": videomae("convert", "large.pth", "--inspect"),
        "inspect native": videomae("convert", "large", "--inspect"),
        "first step": partial(time_first_step, folder),
    }


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__, has_device=False)
    parser.add_argument("--size", default="vitl", help="of the checkpoint that is inspected")
    chosen: argparse.Namespace = parser.parse_args()
    result = Result("startup", chosen, "torch", "typer", "pydantic", "accelerate")
    with tempfile.TemporaryDirectory() as name:
        rounds = run_rounds(make_sides(Path(name), chosen.size), chosen.rounds)
    for side, usages in rounds.items():
        result.add_side(f"{side}, CPU", [usage.cpu for usage in usages])
        result.add_side(f"{side}, wall", [usage.wall for usage in usages])
        if side not in (PYTHON, BASE, TYPER):
            key = side.replace(" .", "_").replace(" ", "_")
            spent = [usage.cpu for usage in usages]
            result.add_ratio(key, quotients(spent, [usage.cpu for usage in rounds[BASE]]), "lower")
    result.finish()


if __name__ == "__main__":
    main()
