"""Run directories: where a run writes, one run at a time.

runs/k400-vitb-20260114-0930/
  recipe.yaml  environment.json  metrics.jsonl  speed.jsonl
  checkpoints/step-000012500/  checkpoints/step-000025000/
  final/model.safetensors  final/model.json  verdict.json  curves.png
"""

import json
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from videomae_cli.checkpoints.atomic import replacing
from videomae_cli.config.recipes import dump
from videomae_cli.engine.lock import only_run
from videomae_cli.engine.report import Report
from videomae_cli.errors import CheckpointError, TrainingError, UsageError
from videomae_cli.tasks.resume import RECIPE, TrainingRecipe, prepare_fork, require_same_recipe

RUNS = Path("runs")
_PACKAGES = ("videomae", "torch", "torchvision", "timm", "accelerate", "decord2", "decord", "av")


def fresh_directory(name: str, out: Path | None) -> Path:
    """Choose where a new run writes: `out`, or `runs/<recipe>-<time>`.

    Raises:
        UsageError: The directory holds a run already.
    """
    if out is None:
        first = RUNS / time.strftime(f"{name}-%Y%m%d-%H%M")
        twins = len(list(RUNS.glob(f"{first.name}*")))
        return first.with_name(f"{first.name}-{twins + 1}") if twins else first
    if (out / RECIPE).is_file():
        raise UsageError(
            f"--out {out}: already holds a run",
            f"go on with it by --resume {out}, or choose another directory",
        )
    return out


def directory(name: str, *, out: Path | None, resume: Path | None, is_fork: bool) -> Path:
    """Return where a command's run writes, as its flags say.

    Raises:
        UsageError: The flags do not go together, or the directory holds another run.
    """
    if is_fork and (resume is None or out is None):
        raise UsageError(
            "--fork needs both", "--resume RUN to fork from, and --out NEW to write to"
        )
    if resume is not None and out is not None and not is_fork:
        raise UsageError(
            f"--out {out}: a resumed run stays in its directory",
            "leave --out away, or add --fork for a new run from the old one's state",
        )
    return resume if resume is not None and not is_fork else fresh_directory(name, out)


@contextmanager
def opened(
    run_dir: Path, recipe: TrainingRecipe, report: Report, parent: Path | None = None
) -> Iterator[None]:
    """Hold a run's directory; make sure that what is in it may go on.

    Recipe and environment wait for `describe`, until nothing can refuse the run any more: a start
    that was refused leaves no run behind. Only a fork is described now, before its first save.

    Args:
        run_dir: The directory; made if need be.
        recipe: The resolved recipe.
        report: Who is told.
        parent: The run that this one is forked from.

    Raises:
        TrainingError: The directory cannot be written, another run is at work in it, or it holds a
            run that was started with another recipe.
    """
    with ExitStack() as held:
        try:
            run_dir.mkdir(parents=True, exist_ok=True)
            held.enter_context(only_run(run_dir))
            if parent is not None:
                prepare_fork(parent, run_dir, recipe, report)
                describe(run_dir, recipe)
            elif (run_dir / RECIPE).is_file():
                require_same_recipe(run_dir / RECIPE, recipe)
        except OSError as error:
            raise TrainingError(
                f"{run_dir}: cannot be written: {error}",
                "free some space, make it writable, or choose another --out",
            ) from error
        yield


def describe(run_dir: Path, recipe: TrainingRecipe) -> None:
    """Write the recipe and what it runs on into a run's directory."""
    environment = {
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "packages": software(),
    }
    with replacing(run_dir / "environment.json") as partial:
        partial.write_text(json.dumps(environment, indent=1) + "\n")
    with replacing(run_dir / RECIPE) as partial:  # last: it makes the directory a run
        partial.write_text(dump(recipe))


def newest_weights(kind: str, report: Report) -> Path:
    """Return `final/` of the newest finished run, and say which it is.

    Args:
        kind: `autoencoder` or `classifier`.
        report: Who is told.

    Raises:
        CheckpointError: There is none.
    """
    found = [
        card.parent
        for card in RUNS.glob("*/final/model.json")
        if json.loads(card.read_text()).get("kind") == kind
    ]
    verb = {"autoencoder": "pretrain", "classifier": "finetune"}[kind]
    if not found:
        raise CheckpointError(
            f"no finished `videomae {verb}` run under {RUNS}/",
            f"give --checkpoint PATH, or run `videomae {verb}` first"
            + (", or train from scratch: --checkpoint scratch" if kind == "autoencoder" else ""),
        )
    chosen = max(found, key=_touched)
    report.say(f"no --checkpoint: taking the newest finished {verb} run, {chosen.parent}")
    return chosen


def is_finished(run_dir: Path) -> bool:
    """Tell whether a run has written its final weights."""
    return (run_dir / "final" / "model.json").is_file()


def decoders() -> str:
    """Return the decoders at hand, with their versions."""
    known = software()
    return ", ".join(
        f"{name} {known[name]}" for name in ("decord2", "decord", "av") if name in known
    )


def software() -> dict[str, str]:
    """Return the versions of what decides numbers."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _touched(path: Path) -> float:
    return path.stat().st_mtime
