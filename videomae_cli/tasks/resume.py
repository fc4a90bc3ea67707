"""What a resumed run must have in common with the interrupted one, and how a fork may differ.

A resume goes on in the same directory and repeats nothing; whatever decides a number must be as it
was. A fork takes the newest save of a run into a new directory, under a changed recipe or other
data, and says what changed; the first run is only read.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from safetensors.torch import load_file
from torch import Tensor

from videomae_cli.checkpoints.atomic import replacing
from videomae_cli.config.recipes import dump, load_recipe
from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe
from videomae_cli.engine import saves
from videomae_cli.engine.report import Report
from videomae_cli.engine.state import STATE, State, as_text, read
from videomae_cli.errors import TrainingError

TrainingRecipe = PretrainRecipe | FinetuneRecipe

RECIPE = "recipe.yaml"
FORK = "fork.json"
CHECKPOINTS = "checkpoints"
METRICS = "metrics.jsonl"
# where things lie, how fast they come, what is kept: no number of the run depends on these
FREE = (
    "data",  # its content has a digest of its own
    "start",  # likewise
    "train.workers",
    "train.track",
    "train.save_every_steps",
    "train.keep",
    "train.keep_every_steps",
)
_HINT = "a resumed run repeats what was; for a run with changes: --resume RUN --fork --out NEW"


class Fork(NamedTuple):
    """Where a forked run came from, as its `fork.json` tells."""

    run: str
    save: str
    changed: dict[str, list[Any]]
    """Key of the recipe -> value before, value now."""


def identity(
    recipe: TrainingRecipe, *, data: str, decoders: str, precision: str, init: str = ""
) -> dict[str, str]:
    """Return what decides the numbers of a run, as digests and versions by name.

    Args:
        recipe: The resolved recipe.
        data: Digest of the manifest.
        decoders: Names and versions.
        precision: What `train.precision` came to on this machine.
        init: What the weights were that training started from; empty for none.
    """
    text = json.dumps(_fixed(recipe), sort_keys=True)
    return {
        "recipe": hashlib.sha256(text.encode()).hexdigest(),
        "data": data,
        "decoders": decoders,
        "precision": precision,
        "init": init,
    }


def require_same_recipe(path: Path, recipe: TrainingRecipe) -> None:
    """Make sure that a run's recipe is still the one it was started with.

    Raises:
        TrainingError: Keys differ that decide numbers; it names them.
    """
    changed = _changes(path, recipe)
    fixed = [key for key in changed if not _is_free(key)]
    if fixed:
        raise TrainingError(
            f"{path}: this run was started with other values of {', '.join(fixed)}", _HINT
        )


def require_same(saved: Mapping[str, str], now: Mapping[str, str], save: Path) -> None:
    """Refuse to resume what would be another run.

    Raises:
        TrainingError: Recipe, data, decoders, precision or starting weights differ.
    """
    for name, value in now.items():
        if saved.get(name) != value:
            raise TrainingError(
                f"{save}: {name} changed since this run was saved ({saved.get(name)} -> {value})",
                _HINT,
            )


def newest_save(run_dir: Path, report: Report) -> Path | None:
    """Return the newest whole save of a run, saying which newer ones are damaged and why.

    Raises:
        TrainingError: There are saves, and none is whole.
    """
    save, problems = saves.newest(run_dir / CHECKPOINTS)
    if save is None and problems:
        raise TrainingError(
            f"none of {len(problems)} saves can be used:\n  " + "\n  ".join(problems),
            f"bring one back from a backup, or start over with another --out; {run_dir} is kept",
        )
    for problem in problems:
        report.warn(f"{problem}: passed over, going back to {save}")
    return save


def prepare_fork(parent: Path, run_dir: Path, recipe: TrainingRecipe, report: Report) -> None:
    """Write down, in a new run directory, which save of `parent` it goes on from.

    Raises:
        TrainingError: `parent` has no save to go on from.
    """
    save = newest_save(parent, report)
    if save is None:
        raise TrainingError(f"{parent} has saved nothing yet", "start a new run instead")
    fork = Fork(str(parent.resolve()), save.name, _changes(parent / RECIPE, recipe))
    with replacing(run_dir / FORK) as partial:
        partial.write_text(json.dumps(fork._asdict(), indent=1) + "\n")


def plant_fork(run_dir: Path, made: Mapping[str, str], report: Report) -> Path | None:
    """Copy the save that a forked run goes on from, with its log, into its directory.

    Args:
        run_dir: Of the forked run; it has no save of its own yet.
        made: The identity under which the forked run goes on.
        report: Told what changed.

    Returns:
        The copy; None if the run is no fork.
    """
    if not (run_dir / FORK).is_file():
        return None
    fork = Fork(**json.loads((run_dir / FORK).read_text()))
    parent = Path(fork.run)
    save = parent / CHECKPOINTS / fork.save
    if not save.is_dir():  # pruned by its run since
        save = newest_save(parent, report) or save
    state = read(save)
    for key, (before, now) in fork.changed.items():
        report.say(f"changed: {key}: {before} -> {now}")
    for name in [name for name in made if state.identity.get(name) != made[name]]:
        report.say(f"changed: {name} (at step {state.step:,})")
    if (parent / METRICS).is_file():
        lines = (parent / METRICS).read_text().splitlines(keepends=True)
        with replacing(run_dir / METRICS) as partial:
            partial.write_text("".join(lines[: state.lines]))
    contents: dict[str, Mapping[str, Tensor] | str] = {
        file.name: load_file(file) for file in sorted(save.glob("*.safetensors"))
    }
    contents[STATE] = as_text(replace(state, identity=dict(made)))
    report.say(f"forked from {save}")
    return saves.publish(run_dir / CHECKPOINTS, state.step, contents)


def say_differences(state: State, world: int, software: Mapping[str, str], report: Report) -> None:
    """Warn about what a resume may change in the last digits, and about nothing else."""
    if state.world != world:
        report.warn(
            f"saved on {state.world} processes, going on with {world}: the same clips, crops and "
            "masks; sums, dropout, drop path and Mixup differ"
        )
    moved = [
        f"{name} {version} -> {software[name]}"
        for name, version in state.software.items()
        if software.get(name, version) != version
    ]
    if moved:
        report.warn(f"other versions than at the save, so sums may differ: {', '.join(moved)}")


def _changes(path: Path, recipe: TrainingRecipe) -> dict[str, list[Any]]:
    held = load_recipe(str(path), [], recipe.kind)  # a key it does not know yet has its default
    before, now = yaml.safe_load(dump(held)), yaml.safe_load(dump(recipe))
    return dict(sorted(_differences("", before, now)))


def _differences(prefix: str, before: object, now: object) -> list[tuple[str, list[Any]]]:
    if isinstance(before, dict) and isinstance(now, dict):
        found = []
        for key in before.keys() | now.keys():
            found += _differences(f"{prefix}.{key}".lstrip("."), before.get(key), now.get(key))
        return found
    return [] if before == now else [(prefix, [before, now])]


def _is_free(key: str) -> bool:
    return key in FREE


def _fixed(recipe: TrainingRecipe) -> dict[str, Any]:
    """Return all of a recipe that decides numbers and is not a default, which new keys start as."""
    whole: dict[str, Any] = recipe.model_dump(mode="json", exclude_defaults=True)
    for key in FREE:
        *parts, last = key.split(".")
        part = whole
        for name in parts:
            part = part.get(name, {})
        part.pop(last, None)
    return whole
