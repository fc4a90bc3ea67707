"""Run directories: where a run writes, and what it must agree with to be resumed.

runs/k400-vitb-20260114-0930/
  recipe.yaml  environment.json  metrics.jsonl  speed.jsonl
  checkpoints/step-000012500/  checkpoints/step-000025000/
  final/model.safetensors  final/model.json  verdict.json  curves.png
"""

import hashlib
import json
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

from videomae_cli.config.recipes import dump
from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe
from videomae_cli.engine.report import Report
from videomae_cli.engine.state import newest
from videomae_cli.errors import CheckpointError, TrainingError, UsageError

RUNS = Path("runs")
RECIPE = "recipe.yaml"
_PACKAGES = ("videomae", "torch", "torchvision", "timm", "accelerate", "decord2", "decord", "av")

TrainingRecipe = PretrainRecipe | FinetuneRecipe


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


def open_run(run_dir: Path, recipe: TrainingRecipe) -> None:
    """Write recipe and environment into a run's directory.

    Raises:
        TrainingError: The directory holds a run that was started with another recipe.
    """
    path = run_dir / RECIPE
    if path.is_file():
        _require_same_recipe(path, recipe)
    run_dir.mkdir(parents=True, exist_ok=True)
    path.write_text(dump(recipe))
    environment = {
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "packages": software(),
    }
    (run_dir / "environment.json").write_text(json.dumps(environment, indent=1) + "\n")


def identity(recipe: TrainingRecipe, *, data: str, init: str = "") -> dict[str, str]:
    """Return what a resumed run must have in common with the interrupted one.

    Args:
        recipe: The resolved recipe.
        data: Digest of the manifest.
        init: What the weights were that training started from; empty for none.
    """
    known = software()
    decoder = ", ".join(
        f"{name} {known[name]}" for name in ("decord2", "decord", "av") if name in known
    )
    return {"recipe": _digest(dump(recipe)), "data": data, "decoders": decoder, "init": init}


def require_same(saved: dict[str, str], now: dict[str, str], save: Path) -> None:
    """Refuse to resume what would be another run.

    Raises:
        TrainingError: Recipe, data, decoders or starting weights differ.
    """
    for name, value in now.items():
        if saved.get(name) != value:
            raise TrainingError(
                f"{save}: {name} changed since this run was saved ({saved.get(name)} -> {value})",
                "a resumed run must repeat what was; start a new run with another --out",
            )


def latest_save(run_dir: Path, report: Report) -> Path | None:
    """Return the newest whole save of a run, warning about damaged ones."""
    save, problems = newest(run_dir / "checkpoints")
    for problem in problems:
        report.warn(f"{problem}: passed over")
    return save


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


def software() -> dict[str, str]:
    """Return the versions of what decides numbers."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _require_same_recipe(path: Path, recipe: TrainingRecipe) -> None:
    before, now = yaml.safe_load(path.read_text()), yaml.safe_load(dump(recipe))
    changed = sorted(set(_differences("", before, now)))
    if changed:
        raise TrainingError(
            f"{path}: this run was started with other values of {', '.join(changed)}",
            "resume with the same recipe and --set, or start a new run with another --out",
        )


def _differences(prefix: str, before: object, now: object) -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        found = []
        for key in before.keys() | now.keys():
            found += _differences(f"{prefix}.{key}".lstrip("."), before.get(key), now.get(key))
        return found
    return [] if before == now else [prefix]


def _touched(path: Path) -> float:
    return path.stat().st_mtime


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
