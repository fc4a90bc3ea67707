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
# a format, a model it holds, and one of its tensors under the format's name
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


def copied(folder: Path, format_name: str, config: ModelConfig) -> Path:
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
    held = torch.load(path, weights_only=True)  # noqa: TID251  (as others write it)
    change(held["state_dict" if "state_dict" in held else "model"])
    torch.save(held, path)


def wider(tensors: dict[str, Tensor], name: str) -> None:
    tensors[name] = torch.cat((tensors[name], tensors[name]))


@pytest.mark.parametrize(("format_name", "config", "name"), CASES)
@pytest.mark.parametrize("fault", ["extra", "missing", "shape"])
def test_a_fault_is_refused_by_the_tensors_name(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    format_name: str,
    config: ModelConfig,
    name: str,
    fault: str,
) -> None:
    path = copied(tmp_path, format_name, config)
    changes: dict[str, Edit] = {
        "extra": lambda tensors: tensors.update({f"{name}.extra": torch.zeros(1)}),
        "missing": lambda tensors: tensors.pop(name),
        "shape": lambda tensors: wider(tensors, name),
    }

    edit(path, changes[fault])
    code = app.run(
        ["convert", str(path), "--inspect", "--heads", "3", "--decoder-heads", "2"]
        if config.decoder
        else ["convert", str(path), "--inspect", "--heads", "3"]
    )

    side_info = capsys.readouterr().err.replace("\n", " ")
    assert code == 4
    assert (f"{name}.extra" if fault == "extra" else name) in side_info


@pytest.mark.parametrize("name", sorted({case[0] for case in CASES} - {"native"}))
def test_a_whole_copy_is_not_refused(tmp_path: Path, name: str) -> None:
    path = copied(tmp_path, name, MAE_ST if name == "mae-st" else CLASSIFIER)

    assert len(read_checkpoint(path).weights) > 30
