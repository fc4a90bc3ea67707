"""The directory of a run: what is in it, where a new one is created, and its lock.

runs/k400-vitb-20260114-0930/
  recipe.yaml  environment.json  metrics.jsonl  speed.jsonl  quarantine.jsonl
  checkpoints/step-000012500/  checkpoints/step-000025000/
  final/model.safetensors  final/model.json  verdict.json  curves.png
"""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from videomae_cli import atomic
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.recipe_files import dump_recipe
from videomae_cli.config.schema import Recipe
from videomae_cli.engine import environment
from videomae_cli.engine.distributed.lock import lock_directory
from videomae_cli.errors import CheckpointError, TrainingError, UsageError
from videomae_cli.report import Report

if TYPE_CHECKING:  # a directory is chosen, or refused, before torch is imported
    from torch import nn

    from videomae_cli.engine.runtime import Runtime
    from videomae_cli.engine.saving.state import TrainingState

RUNS = Path("runs")
RECIPE = "recipe.yaml"
ENVIRONMENT = "environment.json"
METRICS = "metrics.jsonl"
QUARANTINE = "quarantine.jsonl"
FORK = "fork.json"
CHECKPOINTS = "checkpoints"
FINAL = "final"


class RunDir:
    """The directory of one run, locked for this process while the context is entered.

    All processes use the path of rank 0. `fork_of` is the run that this one continues under a
    changed recipe. All methods raise an error that names the file if they cannot write it.
    """

    def __init__(self, path: Path, runtime: "Runtime", fork_of: Path | None = None) -> None:
        self.path = runtime.broadcast(path)
        self.fork_of = fork_of
        self._runtime = runtime
        self._locked = ExitStack()

    def __enter__(self) -> "RunDir":
        """Create and lock it; a `TrainingError` if it is not writable, or in use by another run."""
        self._runtime.run_on_rank0(self._lock)
        return self

    def __exit__(self, *exc: object) -> None:
        self._locked.close()

    def _lock(self) -> None:
        with self.writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self._locked.enter_context(lock_directory(self.path))

    def write_recipe(self, recipe: Recipe) -> None:
        """Write the recipe and the software environment."""
        text = json.dumps(environment.describe(), indent=1) + "\n"
        files = {ENVIRONMENT: text, RECIPE: dump_recipe(recipe)}  # the recipe last
        for name, content in files.items():
            with self.writing(self.path / name):
                atomic.write_text(self.path / name, content)

    def write_final(self, model: "nn.Module", config: ModelConfig, state: "TrainingState") -> Path:
        """Write the final weights; called by all processes. Return their directory."""
        from videomae_cli.checkpoints.native import write_native
        from videomae_cli.engine.distributed.fsdp import gather_to_cpu

        config = config.model_copy(update={"step": state.step, "software": environment.software()})
        weights = gather_to_cpu(model.state_dict(), is_writer=self._runtime.is_main)
        final = self.path / FINAL
        self._runtime.run_on_rank0(lambda: write_native(final, weights, config))
        return final

    @contextmanager
    def writing(self, file: Path) -> Iterator[None]:
        """Turn an `OSError` inside this block into an error that names the file."""
        try:
            yield
        except OSError as error:
            raise TrainingError(
                f"{file} cannot be written: {error.strerror or error}",
                "free some space, make it writable, or choose another --out",
            ) from error


def newest_complete_checkpoint(run_dir: Path, report: Report) -> Path | None:
    """Return the newest complete checkpoint of a run; report newer ones that are damaged.

    Raises a `TrainingError` if there are checkpoints, and all are damaged.
    """
    from videomae_cli.engine.saving.store import newest_checkpoint

    newest, problems = newest_checkpoint(run_dir / CHECKPOINTS)
    if newest is None and problems:
        raise TrainingError(
            f"none of {len(problems)} checkpoints can be used:\n  " + "\n  ".join(problems),
            f"restore one from a backup, or start over with another --out; {run_dir} is kept",
        )
    for problem in problems:
        report.warn(f"{problem}: skipped; using {newest}")
    return newest


def is_finished(run_dir: Path) -> bool:
    """Return whether a run has written its final weights."""
    return (run_dir / FINAL / "model.json").is_file()


def choose_run_dir(name: str, *, out: Path | None, resume: Path | None, is_fork: bool) -> Path:
    """Return the run directory that --out, --resume and --fork ask for; `name` is the recipe's.

    Raises a `UsageError` if the flags contradict each other, or the directory contains another run.
    """
    if is_fork and (resume is None or out is None):
        raise UsageError(
            "--fork needs both", "--resume RUN to fork from, and --out NEW to write to"
        )
    if resume is not None and out is not None and not is_fork:
        raise UsageError(
            f"--out {out}: a resumed run stays in its directory",
            "omit --out, or add --fork to start a new run from the state of the old one",
        )
    return resume if resume is not None and not is_fork else _new_run_dir(name, out)


def newest_final_weights(kind: str, report: Report) -> Path:
    """Report and return `final/` of the newest finished run of a kind, else a `CheckpointError`."""
    finals = [
        config.parent
        for config in RUNS.glob(f"*/{FINAL}/model.json")
        if json.loads(config.read_text()).get("kind") == kind
    ]
    verb = {"autoencoder": "pretrain", "classifier": "finetune"}[kind]
    if not finals:
        raise CheckpointError(
            f"no finished `videomae {verb}` run under {RUNS}/",
            f"give --checkpoint PATH, or run `videomae {verb}` first"
            + (", or train from scratch: --checkpoint scratch" if kind == "autoencoder" else ""),
        )
    newest = max(finals, key=lambda path: path.stat().st_mtime)
    report.say(f"no --checkpoint given: using the newest finished {verb} run, {newest.parent}")
    return newest


def _new_run_dir(name: str, out: Path | None) -> Path:
    """Return `out`, or `runs/<recipe>-<time>`."""
    if out is None:
        first = RUNS / time.strftime(f"{name}-%Y%m%d-%H%M")
        existing = len(list(RUNS.glob(f"{first.name}*")))
        return first.with_name(f"{first.name}-{existing + 1}") if existing else first
    if (out / RECIPE).is_file():
        raise UsageError(
            f"--out {out}: already contains a run",
            f"continue it with --resume {out}, or choose another directory",
        )
    return out
