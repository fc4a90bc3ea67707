"""Resume a run exactly, or fork it under a changed recipe.

A resumed run continues in the same directory; everything that affects its results must be as it
was. A fork copies the newest complete checkpoint of a run into a new directory and continues under
a changed recipe or with other data; the first run is only read.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from torch import Tensor

from videomae_cli import atomic
from videomae_cli.config.recipe_files import OLDER_VALUES, dump_recipe, load_recipe
from videomae_cli.config.schema import Recipe
from videomae_cli.data.decode import TORCHCODEC
from videomae_cli.data.manifest import Manifest
from videomae_cli.engine import environment
from videomae_cli.engine.saving import store
from videomae_cli.engine.saving.state import STATE, TrainingState, read_state, to_json
from videomae_cli.engine.saving.writer import read_tensors
from videomae_cli.errors import TrainingError
from videomae_cli.report import Report
from videomae_cli.tasks.run_dir import (
    CHECKPOINTS,
    FORK,
    METRICS,
    RECIPE,
    RunDir,
    newest_complete_checkpoint,
)

# Keys that may change on a resume: they do not affect the results of the run.
FREE = (
    "data",  # its content has a digest of its own
    "start",  # likewise
    "train.workers",
    "train.decode_seconds",
    "train.track",
    "train.save_every_steps",
    "train.keep",
    "train.keep_every_steps",
    *(f"eval.probe_{name}" for name in ("every_epochs", "data", "kind", "videos")),
)
_HINT = "a resumed run keeps its recipe and data; to change them: --resume RUN --fork --out NEW"


class Fork(NamedTuple):
    """The content of `fork.json`: where a forked run comes from."""

    run: str
    save: str
    """Name of the checkpoint."""
    changed: dict[str, list[Any]]
    """Recipe key -> [old value, new value]."""


def identity(
    recipe: Recipe, *, data: str, decoders: str, precision: str, init: str = ""
) -> dict[str, str]:
    """Return everything that affects the results of a run, as digests and versions by name.

    `data` is the digest of the manifest, `precision` the resolved one, and `init` the digest of the
    pretrained weights, if any.
    """
    text = json.dumps(_fixed_values(recipe), sort_keys=True)
    return {
        "recipe": hashlib.sha256(text.encode()).hexdigest(),
        "data": data,
        "decoders": decoders,
        "precision": precision,
        "init": init,
    }


def list_decoders(manifest: Manifest) -> str:
    """Return the decoders that results depend on, with their versions: torchcodec if it is used."""
    from videomae_cli.data.manifests.video_table import uses_decoder

    extras = [TORCHCODEC] if uses_decoder(manifest.videos, TORCHCODEC) else []
    return environment.decoders(*extras)


def check_recipe(run_dir: RunDir, recipe: Recipe, report: Report) -> None:
    """Check that a run may start or continue under this recipe; write `fork.json` for a fork.

    The recipe itself is written later, when nothing can refuse the run any more, so that a refused
    start leaves no run behind.
    """
    if run_dir.fork_of is not None:
        with run_dir.writing(run_dir.path / FORK):
            _record_fork(run_dir.fork_of, run_dir.path, recipe, report)
        return
    if (run_dir.path / RECIPE).is_file():
        require_same_recipe(run_dir.path / RECIPE, recipe)
        return
    rest = [name for name in (FORK, CHECKPOINTS) if (run_dir.path / name).exists()]
    if rest:
        raise TrainingError(
            f"{run_dir.path} contains {' and '.join(rest)} without a {RECIPE}: the rest of a fork"
            " that never started",
            "repeat the command with --fork, remove the directory, or choose another --out",
        )


def require_same_recipe(file: Path, recipe: Recipe) -> None:
    """Raise a `TrainingError` that names the keys that affect results and differ from the run's."""
    changed = [key for key in _changed_values(file, recipe) if key not in FREE]
    if changed:
        raise TrainingError(
            f"{file}: this run was started with other values of {', '.join(changed)}", _HINT
        )


def require_same_identity(
    saved: Mapping[str, str], current: Mapping[str, str], checkpoint: Path
) -> None:
    """Raise a `TrainingError` if something differs that affects the results of a run."""
    for name, value in current.items():
        if saved.get(name) != value:
            raise TrainingError(
                f"{checkpoint}: {name} changed since this run was saved"
                f" ({saved.get(name)} -> {value})",
                _HINT,
            )


def checkpoint_to_continue(
    run_dir: RunDir, identity: Mapping[str, str], report: Report
) -> Path | None:
    """Return the checkpoint that training continues from.

    1. Resume: the newest complete checkpoint of this run, if it has started and has one.
    2. Fork: else a copy of the checkpoint of the run that this one was forked from.
    3. Pretrained weights: else None; `build_job` has loaded them into the model.
    4. Fresh weights: else None; `build_job` has drawn them.

    Raises:
        TrainingError: All checkpoints are damaged, or a copy cannot be written.
    """
    if (run_dir.path / RECIPE).is_file():
        newest = newest_complete_checkpoint(run_dir.path, report)
        if newest is not None:
            return newest
    with run_dir.writing(run_dir.path / METRICS):
        return _copy_fork(run_dir.path, identity, report)


def report_differences(
    state: TrainingState, world: int, software: Mapping[str, str], report: Report
) -> None:
    """Warn about what may change the last digits of a resumed run."""
    if state.world != world:
        report.warn(
            f"saved on {state.world} processes, resuming on {world}: clips, crops and masks stay "
            "the same; sums, dropout, drop path and Mixup differ"
        )
    changed = [
        f"{name} {version} -> {software[name]}"
        for name, version in state.software.items()
        if software.get(name, version) != version
    ]
    if changed:
        report.warn(f"versions differ from the checkpoint's, so sums may: {', '.join(changed)}")


def _record_fork(parent: Path, run_dir: Path, recipe: Recipe, report: Report) -> None:
    """Write `fork.json`."""
    checkpoint = newest_complete_checkpoint(parent, report)
    if checkpoint is None:
        raise TrainingError(f"{parent} has no checkpoint yet", "start a new run instead")
    changed = _changed_values(parent / RECIPE, recipe)
    if recipe.kind == "finetune":
        from videomae_cli.tasks.train.class_check import require_same_classes

        require_same_classes(parent, recipe)
    fork = Fork(str(parent.resolve()), checkpoint.name, changed)
    atomic.write_text(run_dir / FORK, json.dumps(fork._asdict(), indent=1) + "\n")


def _copy_fork(run_dir: Path, identity: Mapping[str, str], report: Report) -> Path | None:
    """Copy the checkpoint that a forked run continues from, and its log, into its directory."""
    if not (run_dir / FORK).is_file():
        return None
    fork = Fork(**json.loads((run_dir / FORK).read_text()))
    parent = Path(fork.run)
    named = parent / CHECKPOINTS / fork.save  # its run may have removed it since
    checkpoint = named if named.is_dir() else newest_complete_checkpoint(parent, report)
    if checkpoint is None:
        raise TrainingError(
            f"{run_dir / FORK}: {parent} has no checkpoint any more",
            "fork another run, or start a new one",
        )
    state = read_state(checkpoint)
    for key, (before, now) in fork.changed.items():
        report.say(f"changed: {key}: {before} -> {now}")
    for name in [name for name in identity if state.identity.get(name) != identity[name]]:
        report.say(f"changed: {name} (at step {state.step:,})")
    if (parent / METRICS).is_file():
        lines = (parent / METRICS).read_text().splitlines(keepends=True)
        atomic.write_text(run_dir / METRICS, "".join(lines[: state.lines]))
    contents: dict[str, Mapping[str, Tensor] | str] = {
        file.name: read_tensors(file) for file in sorted(checkpoint.glob("*.safetensors"))
    }
    contents[STATE] = to_json(replace(state, identity=dict(identity)))
    report.say(f"forked from {checkpoint}")
    return store.publish(run_dir / CHECKPOINTS, state.step, contents)


def _changed_values(file: Path, recipe: Recipe) -> dict[str, list[Any]]:
    old = load_recipe(str(file), [], recipe.kind)
    before, after = (yaml.safe_load(dump_recipe(one)) for one in (old, recipe))
    return dict(sorted(_differences("", before, after)))


def _differences(prefix: str, before: object, now: object) -> list[tuple[str, list[Any]]]:
    if isinstance(before, dict) and isinstance(now, dict):
        found = []
        for key in before.keys() | now.keys():
            found += _differences(f"{prefix}.{key}".lstrip("."), before.get(key), now.get(key))
        return found
    return [] if before == now else [(prefix, [before, now])]


def _fixed_values(recipe: Recipe) -> dict[str, Any]:
    """Return the values that affect results and are not defaults (new keys start as defaults).

    `OLDER_VALUES` take the place of the defaults of their keys.
    """
    values: dict[str, Any] = recipe.model_dump(mode="json", exclude_defaults=True)
    for key, older in OLDER_VALUES.items():
        group, name = key.split(".")
        values[group].pop(name, None)
        if (value := getattr(getattr(recipe, group), name)) != older:
            values[group][name] = value
    for key in FREE:
        *sections, last = key.split(".")
        section = values
        for name in sections:
            section = section.get(name, {})
        section.pop(last, None)
    if not values.get("eval", True):  # of a pretraining, as before it had this section
        del values["eval"]
    return values
