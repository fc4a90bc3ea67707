"""Read the source of a conversion, with the user's hints and selection."""

import json
from pathlib import Path
from typing import NamedTuple

from videomae_cli.checkpoints.hints import NO_HINTS, Hints
from videomae_cli.checkpoints.loading import Checkpoint
from videomae_cli.config.model import Task
from videomae_cli.errors import CheckpointError, UsageError
from videomae_cli.grid import format_size
from videomae_cli.models.outputs import fold_units
from videomae_cli.report import Report
from videomae_cli.tasks.load_model import read_checkpoint


class Selection(NamedTuple):
    """The weights of a source to convert."""

    ema: bool = False
    head_rows: Path | None = None
    """JSON list of the rows of the head to keep, in order."""


ALL_WEIGHTS = Selection()
OUTPUTS: dict[Task, str] = {
    "single-label": "logits, before softmax",
    "multi-label": "logits of each class, before sigmoid",
    "regression": "values, in the units of the training data",
}
"""What the outputs of a classifier are, by task."""


def read_source(
    source: Path,
    hints: Hints = NO_HINTS,
    selection: Selection = ALL_WEIGHTS,
    license_text: str | None = None,
) -> Checkpoint:
    """Read the selected weights of a file, a directory of any format, or a finished run.

    `hints` and `license_text` are what the user knows and the file does not state.

    Raises:
        CheckpointError: The source cannot be read completely.
        UsageError: A hint contradicts the source, or the rows do not fit its head.
    """
    loaded = read_checkpoint(source, hints, ema=selection.ema)
    _check_hints(hints, loaded)
    if license_text is not None:
        loaded = loaded._replace(config=loaded.config.model_copy(update={"license": license_text}))
    if selection.head_rows is not None:
        loaded = _select_head_rows(loaded, selection.head_rows)
    return loaded


def fold_outputs(loaded: Checkpoint, report: Report) -> Checkpoint:
    """Return a regression whose head outputs values in the units of the training data."""
    if loaded.config.target_mean is None:
        return loaded
    weights, config = fold_units(loaded.weights, loaded.config)
    report.say("head: outputs multiplied by the std of the values and shifted by their mean")
    return loaded._replace(weights=weights, config=config)


def _check_hints(hints: Hints, loaded: Checkpoint) -> None:
    config = loaded.config
    facts = Hints(
        heads=config.encoder.heads,
        decoder_heads=None if config.decoder is None else config.decoder.heads,
        frames=config.grid.frames,
        size=config.grid.size,
    )
    for name, hint, fact in zip(Hints._fields, hints, facts, strict=True):
        if hint is not None and hint != fact:
            option = "--" + name.replace("_", "-")
            raise UsageError(
                f"{option} {format_size(hint)}: {loaded.file} has {format_size(fact)}",
                f"leave out {option}",
            )


def _select_head_rows(loaded: Checkpoint, file: Path) -> Checkpoint:
    """Restrict a classifier to some of its classes, before any softmax (K710 to K400)."""
    config, weights = loaded.config, loaded.weights
    if config.classes is None:
        raise CheckpointError(
            f"{loaded.file} has no head to select rows from", "leave out --head-rows"
        )
    rows = _read_rows(file, len(config.classes))
    heads = {name: weights[name][rows].clone() for name in ("head.weight", "head.bias")}
    is_numbered = config.classes == tuple(map(str, range(len(config.classes))))
    names = range(len(rows)) if is_numbered else [config.classes[row] for row in rows]
    note = f"head: {len(rows)} of {len(config.classes)} rows selected by {file.name}"
    config = config.model_copy(update={"classes": tuple(map(str, names))})
    report = loaded.report._replace(assumed=(*loaded.report.assumed, note))
    return loaded._replace(weights={**weights, **heads}, config=config, report=report)


def _read_rows(file: Path, count: int) -> list[int]:
    """Return different row numbers of a head with `count` rows."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--head-rows {file}: {error}", "give a JSON list of numbers") from error
    is_list = isinstance(rows, list) and rows and all(type(row) is int for row in rows)
    if not is_list or len(set(rows)) < len(rows) or min(rows) < 0 or max(rows) >= count:
        raise UsageError(
            f"--head-rows {file}: not a list of different rows of a head with {count} rows",
            "give a JSON list such as [341, 158, 189]",
        )
    return list(rows)
