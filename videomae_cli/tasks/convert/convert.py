"""`videomae convert`: any format to native, native to any format, every tensor accounted for."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch

from videomae_cli.checkpoints.formats import FORMATS
from videomae_cli.checkpoints.infer_config import Hints
from videomae_cli.checkpoints.loading import NO_HINTS, Loaded, save
from videomae_cli.checkpoints.native import MODEL_CONFIG_FILE, WEIGHTS_FILE, write_native
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError, UsageError
from videomae_cli.report import Report
from videomae_cli.tasks.convert.load_report import count, tell, title
from videomae_cli.tasks.load_model import read_checkpoint

NATIVE = "native"
TORCH_SUFFIXES = (".pth", ".pt")


class Choice(NamedTuple):
    """What of a source to take."""

    ema: bool = False
    """The moving average instead of the weights."""
    head_rows: Path | None = None
    """JSON list: for each class wanted, the row of the head to take."""


EVERYTHING = Choice()


class Converted(NamedTuple):
    """What was read, and what was written."""

    loaded: Loaded
    out: Path | None
    """None: nothing was written."""
    format: str
    """Format written; empty if none."""

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        loaded = self.loaded
        return {
            "source": str(loaded.file),
            "source_format": loaded.format,
            "out": None if self.out is None else str(self.out),
            "out_format": self.format or None,
            "card": loaded.config.model_dump(mode="json"),
            "warning": loaded.warning or None,
            "tensors": len(loaded.weights),
            "numbers": count(loaded.weights),
            "report": loaded.report._asdict(),
        }


def run(
    source: Path,
    out: Path | None,
    report: Report,
    *,
    to: str | None = None,
    hints: Hints = NO_HINTS,
    license_text: str | None = None,
    choice: Choice = EVERYTHING,
    force: bool = False,
) -> Converted:
    """Read a checkpoint, say all about it, write it in another format, and check what was written.

    Args:
        source: A file of weights, a native directory, or a finished run.
        out: What to write; None only inspects.
        report: Who is told.
        to: `native` or a key of `FORMATS`; None takes V1 for `.pth` and native for anything else.
        hints: What the user knows and the file does not tell.
        license_text: Licence to write into the card, where the user knows it.
        choice: What of the source to take.
        force: Replace what `out` holds.

    Raises:
        CheckpointError: The source cannot be read completely, or `out` is in the way.
        UsageError: `to` is not a format, or a hint contradicts the source.
    """
    target = "" if out is None else _target(out, to)
    if out is not None:
        _refuse_occupied(out, target, force=force)
    loaded = read(source, hints, choice, license_text)
    tell(loaded, report)
    if out is not None:
        _say_what_is_lost(loaded.config, target, report)
        _write(out, target, loaded, force=force)
        report.say(f"wrote {out} ({title(target)}); read back, every tensor identical")
    return Converted(loaded, out, target)


def read(
    source: Path,
    hints: Hints = NO_HINTS,
    choice: Choice = EVERYTHING,
    license_text: str | None = None,
) -> Loaded:
    """Read what of a source is wanted, with what the user knows of it; as for `run`.

    Raises:
        CheckpointError: The source cannot be read completely.
        UsageError: A hint contradicts the source, or the rows are not of its head.
    """
    loaded = read_checkpoint(source, hints, ema=choice.ema)
    _refuse_contradiction(hints, loaded)
    if license_text is not None:
        loaded = loaded._replace(config=loaded.config.model_copy(update={"license": license_text}))
    if choice.head_rows is not None:
        loaded = _with_rows(loaded, choice.head_rows)
    return loaded


def _target(out: Path, to: str | None) -> str:
    if to is None:
        return "v1" if out.suffix in TORCH_SUFFIXES else NATIVE
    writable = [name for name, known in FORMATS.items() if known.write is not None]
    if to != NATIVE and to not in writable:
        known = ", ".join((NATIVE, *writable))
        raise UsageError(f"--to {to}: no such format to write", f"known are {known}")
    if to == NATIVE and out.suffix in (*TORCH_SUFFIXES, ".safetensors"):
        raise UsageError(
            f"{out}: native is a directory with {WEIGHTS_FILE} and {MODEL_CONFIG_FILE}",
            "give a name without suffix",
        )
    return to


def _with_rows(loaded: Loaded, file: Path) -> Loaded:
    """Narrow a classifier to some of its classes, before any softmax (K710 to K400).

    Raises:
        CheckpointError: There is no head.
        UsageError: The file is not a list of its rows, each once.
    """
    config, weights = loaded.config, loaded.weights
    if config.classes is None:
        raise CheckpointError(f"{loaded.file} has no head to take rows of", "leave --head-rows out")
    rows = _read_rows(file, len(config.classes))
    heads = {name: weights[name][rows].clone() for name in ("head.weight", "head.bias")}
    is_numbered = config.classes == tuple(map(str, range(len(config.classes))))
    names = range(len(rows)) if is_numbered else [config.classes[row] for row in rows]
    note = f"head: {len(rows)} of {len(config.classes)} rows taken, as {file.name} lists them"
    narrowed = config.model_copy(update={"classes": tuple(map(str, names))})
    report = loaded.report._replace(assumed=(*loaded.report.assumed, note))
    return loaded._replace(weights={**weights, **heads}, config=narrowed, report=report)


def _read_rows(file: Path, count: int) -> list[int]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--head-rows {file}: {error}", "give a JSON list of numbers") from error
    is_list = isinstance(rows, list) and rows and all(type(row) is int for row in rows)
    if not is_list or len(set(rows)) < len(rows) or min(rows) < 0 or max(rows) >= count:
        raise UsageError(
            f"--head-rows {file}: not a list of different rows of a head with {count}",
            "give a JSON list such as [341, 158, 189]",
        )
    return list(rows)


def _say_what_is_lost(config: ModelConfig, target: str, report: Report) -> None:
    """Warn where readers of another format compute something else with the same weights."""
    if target == NATIVE:
        return
    if config.select is not None or config.oversample != 1:
        report.warn(
            f"this classifier chooses tokens by motion; {title(target)} cannot say so, and other"
            " programs will let it see every token"
        )
    if target.startswith("hf"):
        report.say("transformers adds 1e-5 in fc_norm and decoder.norm, not 1e-6: about 1e-6 apart")
    if target == "v2":
        report.say("the hub's two Python files are not written: they are the authors'")


def _refuse_contradiction(hints: Hints, loaded: Loaded) -> None:
    config = loaded.config
    told = Hints(
        heads=config.encoder.heads,
        decoder_heads=None if config.decoder is None else config.decoder.heads,
        frames=config.grid.frames,
        size=config.grid.height,
    )
    for name, hint, fact in zip(Hints._fields, hints, told, strict=True):
        if hint is not None and hint != fact:
            option = "--" + name.replace("_", "-")
            raise UsageError(f"{option} {hint}: {loaded.file} says {fact}", f"leave {option} out")


def _refuse_occupied(out: Path, target: str, *, force: bool) -> None:
    is_folder = target == NATIVE or FORMATS[target].is_folder
    if not is_folder and out.is_dir():
        raise CheckpointError(f"{out} is a directory; {title(target)} is a file", "name a file")
    is_occupied = any(out.iterdir()) if out.is_dir() else out.exists()
    if is_occupied and not force:
        raise CheckpointError(f"{out} exists", "give another name, or --force to replace it")


def _write(out: Path, target: str, loaded: Loaded, *, force: bool) -> None:
    if target == NATIVE:
        write_native(out, loaded.weights, loaded.config, replace=force)
    else:
        save(out, loaded.weights, loaded.config, target)
    written = read_checkpoint(out)
    same = written.weights.keys() == loaded.weights.keys() and all(
        torch.equal(tensor, written.weights[name]) for name, tensor in loaded.weights.items()
    )
    if not same or written.config != loaded.config:
        raise CheckpointError(f"{out} does not read back as written", "is the disk sound?")
