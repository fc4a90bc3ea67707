"""Image models become encoders with tubelets of one frame; every dropped tensor is reported."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.notes import Notes
from videomae_cli.checkpoints.hints import Hints
from videomae_cli.checkpoints.loading import load_any_format
from videomae_cli.cli import app
from videomae_cli.errors import CheckpointError, UsageError
from videomae_cli.tasks.convert import convert
from videomae_cli.tasks.load_model import read_checkpoint

timm = pytest.importorskip("timm")
HINTS = Hints(heads=3)


def image_weights(name: str = "vit_tiny_patch16_224", **options: object) -> dict[str, Tensor]:
    """Every tensor of a small timm ViT, random."""
    model = timm.create_model(
        name, img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=4,
        **options,
    )  # fmt: skip
    return {name: torch.randn_like(tensor) for name, tensor in model.state_dict().items()}


def test_every_tensor_is_matched_or_dropped_with_a_reason(tmp_path: Path) -> None:
    weights = image_weights()
    save_file(weights, tmp_path / "vit.safetensors")

    loaded = read_checkpoint(tmp_path / "vit.safetensors", HINTS)

    config, report = loaded.config, loaded.report
    assert (loaded.format, config.kind, config.norm_of) == ("image", "encoder", "tokens")
    assert (config.grid.tubelet, config.grid.patch, config.grid.height) == (1, 8, 32)
    whole = {name for name in report.dropped if "(" not in name}
    assert whole == {"cls_token", "pos_embed", "head.weight", "head.bias"}
    thirds = report.dropped.keys() - whole
    assert thirds == {f"blocks.{i}.attn.qkv.bias (the middle third)" for i in range(2)}
    fused = weights["blocks.1.attn.qkv.bias"]
    assert torch.equal(loaded.weights["encoder.blocks.1.attn.q_bias"], fused[:24])
    assert torch.equal(loaded.weights["encoder.blocks.1.attn.v_bias"], fused[48:])


def test_the_norm_after_pooling_of_a_model_with_average_pooling_is_read(tmp_path: Path) -> None:
    weights = image_weights(global_pool="avg", class_token=False, fc_norm=True)
    save_file(weights, tmp_path / "vit.safetensors")

    loaded = read_checkpoint(tmp_path / "vit.safetensors", HINTS)

    assert loaded.config.norm_of == "mean"
    assert torch.equal(loaded.weights["fc_norm.weight"], weights["fc_norm.weight"])


@pytest.mark.parametrize("options", [{"reg_tokens": 2}, {"qk_norm": True}, {"pre_norm": True}])
def test_a_model_with_another_function_is_refused(
    tmp_path: Path, options: dict[str, object]
) -> None:
    save_file(image_weights(**options), tmp_path / "vit.safetensors")

    with pytest.raises(CheckpointError, match="no rule for"):
        load_any_format(tmp_path / "vit.safetensors", HINTS)


def test_image_weights_are_converted_to_native_but_never_written(tmp_path: Path) -> None:
    save_file(image_weights(), tmp_path / "vit.safetensors")
    command = ["convert", f"{tmp_path}/vit.safetensors", f"{tmp_path}/native"]

    assert app.run([*command, "--heads", "3"]) == 0
    with pytest.raises(UsageError, match="unknown format to write"):
        convert.run(tmp_path / "native", tmp_path / "back.pth", Notes(), to="image")


def test_a_fault_is_refused_by_the_tensors_name(tmp_path: Path) -> None:
    name = "blocks.1.norm2.weight"
    whole = image_weights()
    wrong = {
        "missing": {key: tensor for key, tensor in whole.items() if key != name},
        "extra": {**whole, f"{name}.extra": torch.zeros(1)},
        "shape": {**whole, name: torch.zeros(25)},
    }

    for fault, weights in wrong.items():
        save_file(weights, tmp_path / f"{fault}.safetensors")
        with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
            read_checkpoint(tmp_path / f"{fault}.safetensors", HINTS)
