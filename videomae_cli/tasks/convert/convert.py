"""`videomae convert`: convert any format to native and native to any format.

Every tensor is reported as matched, dropped or initialised.
"""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from videomae_cli.checkpoints.formats import FORMATS
from videomae_cli.checkpoints.hints import NO_HINTS, Hints
from videomae_cli.checkpoints.keymap import list_names
from videomae_cli.checkpoints.loading import Checkpoint, save_as_format
from videomae_cli.checkpoints.native import MODEL_CONFIG_FILE, WEIGHTS_FILE, write_native
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError, UsageError
from videomae_cli.report import Report
from videomae_cli.tasks.convert.load_report import count_values, get_title, print_checkpoint
from videomae_cli.tasks.convert.preprocessing import summarize_preprocessing
from videomae_cli.tasks.convert.source import (
    ALL_WEIGHTS,
    OUTPUTS,
    Selection,
    fold_outputs,
    read_source,
)
from videomae_cli.tasks.load_model import read_checkpoint

NATIVE = "native"
TORCH_SUFFIXES = (".pth", ".pt")


class Conversion(NamedTuple):
    """The checkpoint that was read, and where it was written."""

    loaded: Checkpoint
    out: Path | None
    """None if nothing was written; `format` is empty then."""
    format: str

    def as_json(self) -> dict[str, Any]:
        """Return the conversion as plain data."""
        loaded = self.loaded
        return {
            "source": str(loaded.file),
            "source_format": loaded.format,
            "out": None if self.out is None else str(self.out),
            "out_format": self.format or None,
            "card": loaded.config.model_dump(mode="json"),
            "warning": loaded.warning or None,
            "tensors": len(loaded.weights),
            "numbers": count_values(loaded.weights),
            "report": loaded.report.as_json(),
        }


def run(
    source: Path,
    out: Path | None,
    report: Report,
    *,
    to: str | None = None,
    hints: Hints = NO_HINTS,
    license_text: str | None = None,
    selection: Selection = ALL_WEIGHTS,
    force: bool = False,
) -> Conversion:
    """Read a checkpoint, print it, write it in another format, and read the result back.

    `to` is `native` or a key of `FORMATS`; None chooses V1 for `.pth`, else native. Without `out`
    the checkpoint is only printed. The other arguments are those of `read_source`.

    Raises:
        CheckpointError: The source cannot be read completely, or `out` exists.
        UsageError: `to` is not a format, or a hint contradicts the source.
    """
    target = "" if out is None else _choose_target(out, to)
    if out is not None:
        _refuse_existing(out, target, force=force)
    loaded = read_source(source, hints, selection, license_text)
    print_checkpoint(loaded, report)
    if out is not None:
        if target != NATIVE:
            loaded = fold_outputs(loaded, report)
        _warn_of_losses(loaded.config, target, report)
        _write(out, target, loaded, force=force)
        report.say(f"wrote {out} ({get_title(target)}); read back, all tensors identical")
        if target.startswith("hf"):
            _say_sampling(loaded.config, report)
    return Conversion(loaded, out, target)


def _choose_target(out: Path, to: str | None) -> str:
    if to is None:
        return "v1" if out.suffix in TORCH_SUFFIXES else NATIVE
    writable = [name for name, known in FORMATS.items() if known.write is not None]
    if to != NATIVE and to not in writable:
        names = ", ".join((NATIVE, *writable))
        raise UsageError(f"--to {to}: unknown format to write", f"known formats: {names}")
    if to == NATIVE and out.suffix in (*TORCH_SUFFIXES, ".safetensors"):
        raise UsageError(
            f"{out}: native is a directory with {WEIGHTS_FILE} and {MODEL_CONFIG_FILE}",
            "give a name without suffix",
        )
    return to


def _warn_of_losses(config: ModelConfig, target: str, report: Report) -> None:
    """Warn if programs that read the target format compute something else with these weights."""
    if target != NATIVE and (config.select is not None or config.oversample != 1):
        report.warn(
            f"this classifier selects tokens by motion; {get_title(target)} cannot store that, and"
            " other programs will use all tokens"
        )
    if config.task != "single-label" and target != NATIVE and not target.startswith("hf"):
        report.warn(
            f"the task is {config.task}; programs that read {get_title(target)} take its outputs"
            f" for logits of one class, but they are {OUTPUTS[config.task]}"
        )
    if target.startswith("hf"):
        report.say(
            "transformers uses epsilon 1e-5 in fc_norm and decoder.norm, not 1e-6: outputs differ"
            " by about 1e-6"
        )
    if target == "v2":
        report.say("the two Python files of the hub are not written: they belong to the authors")


def _say_sampling(config: ModelConfig, report: Report) -> None:
    """Say which frames the model takes, which the folder's JSON files cannot store."""
    report.say(f"clip: {summarize_preprocessing(config, config.grid.frames)}")
    report.say(
        "transformers' pipeline takes other frames, spread over the whole video, whatever"
        " frame_sampling_rate says; README.md in the folder has code that takes these"
    )


def _refuse_existing(out: Path, target: str, *, force: bool) -> None:
    is_folder = target == NATIVE or FORMATS[target].is_folder
    if not is_folder and out.is_dir():
        raise CheckpointError(f"{out} is a directory; {get_title(target)} is a file", "name a file")
    exists = any(out.iterdir()) if out.is_dir() else out.exists()
    if exists and not force:
        raise CheckpointError(f"{out} exists", "give another name, or --force to replace it")


def _write(out: Path, target: str, loaded: Checkpoint, *, force: bool) -> None:
    if target == NATIVE:
        write_native(out, loaded.weights, loaded.config, replace=force)
    else:
        save_as_format(out, loaded.weights, loaded.config, target)
    try:
        _check(out, loaded)
    except CheckpointError:
        _remove(out)
        raise


def _check(out: Path, loaded: Checkpoint) -> None:
    """Read what was written; values that are not finite must be the same bytes, too."""
    written = read_checkpoint(out)
    different = [n for n, t in loaded.weights.items() if not _is_same(t, written.weights.get(n))]
    different += written.weights.keys() - loaded.weights.keys()
    if different or written.config != loaded.config:
        reason = list_names(different) or "the model configuration"
        raise CheckpointError(
            f"{out} did not read back as written ({reason}), and was removed",
            "check the disk for errors",
        )


def _is_same(first: Tensor, second: Tensor | None) -> bool:
    if second is None or (first.dtype, first.shape) != (second.dtype, second.shape):
        return False
    one, other = (tensor.flatten().view(torch.uint8) for tensor in (first, second))
    return torch.equal(one, other)


def _remove(out: Path) -> None:
    if out.is_dir():
        shutil.rmtree(out)
    else:
        out.unlink(missing_ok=True)
