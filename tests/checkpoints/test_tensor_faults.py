"""One tensor too many, too few, or of another shape: refused by name in every format."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.notes import AUTOENCODER, CLASSIFIER, STACK, written
from videomae_cli.checkpoints.formats import FORMATS
from videomae_cli.checkpoints.loading import save_as_format
from videomae_cli.cli import app
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.tasks.load_model import read_checkpoint

SEPARABLE = {
    "encoder": STACK.model_copy(
        update={"positions": "separable", "class_token": True, "biases": "all"}
    )
}
MAE_ST = CLASSIFIER.model_copy(update=SEPARABLE)
# a format, a model that it supports, and one of its tensors under the format's name
CASES = [
    ("native", CLASSIFIER, "encoder.blocks.1.attn.proj.weight"),
    ("v1", CLASSIFIER, "blocks.1.attn.proj.weight"),
    ("v1", AUTOENCODER, "decoder.blocks.0.mlp.fc1.bias"),
    ("v2", CLASSIFIER, "model.blocks.1.norm2.weight"),
    ("mmaction2", CLASSIFIER, "backbone.blocks.1.mlp.layers.0.0.bias"),
    ("hf", CLASSIFIER, "videomae.encoder.layer.1.attention.attention.key.weight"),
    ("hf", AUTOENCODER, "decoder.decoder_layers.0.attention.attention.v_bias"),
    ("hf-linear", CLASSIFIER, "videomae.encoder.layer.0.attention.attention.value.bias"),
    ("mae-st", MAE_ST, "blocks.1.attn.k.weight"),
]
Edit = Callable[[dict[str, Tensor]], object]


def write_copy(folder: Path, format_name: str, config: ModelConfig) -> Path:
    """Write a model in a format; return what is given to --checkpoint."""
    native = written(folder / "native", config)
    if format_name == "native":
        return native
    loaded = read_checkpoint(native)
    out = folder / ("copy" if FORMATS[format_name].is_folder else "copy.pth")
    save_as_format(out, loaded.weights, config, format_name)
    return out


def edit(path: Path, change: Edit) -> None:
    """Change the tensors of a checkpoint, and nothing else about it."""
    if path.is_dir():
        file = path / "model.safetensors"
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file, metadata={"format": "pt"})
        return
    saved = torch.load(path, weights_only=True)  # noqa: TID251  (as others write it)
    change(saved["state_dict" if "state_dict" in saved else "model"])
    torch.save(saved, path)


def widen(tensors: dict[str, Tensor], name: str) -> None:
    tensors[name] = torch.cat((tensors[name], tensors[name]))


def test_every_fault_is_refused_by_the_tensors_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted = []
    for number, (format_name, config, name) in enumerate(CASES):
        faults: dict[str, tuple[str, Edit]] = {
            "extra": (
                f"{name}.extra",
                lambda tensors, name=name: tensors.update({f"{name}.extra": torch.zeros(1)}),
            ),
            "missing": (name, lambda tensors, name=name: tensors.pop(name)),
            "shape": (name, lambda tensors, name=name: widen(tensors, name)),
        }
        heads = ["--heads", "3", *(["--decoder-heads", "2"] if config.decoder else [])]
        for fault, (words, change) in faults.items():
            path = write_copy(tmp_path / f"{number}-{fault}", format_name, config)
            edit(path, change)
            code = app.run(["convert", str(path), "--inspect", *heads])
            printed = capsys.readouterr().err.replace("\n", " ")
            if code != 4 or words not in printed:
                accepted.append(f"{format_name}, {fault}: {words}: exit code {code}: {printed}")

    assert accepted == []


def test_a_complete_copy_is_not_refused(tmp_path: Path) -> None:
    for name in sorted({case[0] for case in CASES} - {"native"}):
        path = write_copy(tmp_path / name, name, MAE_ST if name == "mae-st" else CLASSIFIER)

        assert len(read_checkpoint(path).weights) > 30, name
