"""MAE-ST with either set of names, and separate or fused queries and keys: the same weights."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.notes import AUTOENCODER, CLASSIFIER, STACK, written
from videomae_cli.checkpoints.formats.mae_st import MEAN, STD
from videomae_cli.checkpoints.hints import Hints
from videomae_cli.checkpoints.loading import load_any_format, save_as_format
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.tasks.load_model import read_checkpoint

HINTS = Hints(heads=3, decoder_heads=2)
LEARNED = {"positions": "separable", "class_token": True, "biases": "all"}
MODEL = CLASSIFIER.model_copy(update={"encoder": STACK.model_copy(update=LEARNED)})
DECODER = AUTOENCODER.decoder
assert DECODER is not None
MASKED = AUTOENCODER.model_copy(
    update={
        "encoder": MODEL.encoder,
        "decoder": DECODER.model_copy(update=LEARNED),
        "normalize": "joint",
        "target_frames": "linspace",
    }
)


def published(folder: Path, config: ModelConfig) -> dict[str, Tensor]:
    """A file's tensors under the repository's names."""
    loaded = read_checkpoint(written(folder / "native", config))
    save_as_format(folder / "ours.pth", loaded.weights, config, "mae-st")
    saved = torch.load(folder / "ours.pth", weights_only=True)  # noqa: TID251  (as others read it)
    state: dict[str, Tensor] = saved["model"]
    return {name: torch.randn_like(tensor) for name, tensor in state.items()}


def fused(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Join queries, keys and values, as PySlowFast does by default."""
    joined = {
        name: t for name, t in weights.items() if ".attn.proj" in name or ".attn." not in name
    }
    for name in weights:
        if ".attn.q." in name:
            parts = [weights[name.replace(".q.", f".{part}.")] for part in "qkv"]
            joined[name.replace(".q.", ".qkv.")] = torch.cat(parts)
    return joined


@pytest.mark.parametrize("config", [MODEL, MASKED])
def test_fused_and_separate_attention_give_the_same_weights(
    tmp_path: Path, config: ModelConfig
) -> None:
    weights = published(tmp_path, config)
    torch.save({"model": weights}, tmp_path / "apart.pth")
    torch.save({"model_state": fused(weights)}, tmp_path / "fused.pth")

    apart = read_checkpoint(tmp_path / "apart.pth", HINTS)
    other = read_checkpoint(tmp_path / "fused.pth", HINTS)

    assert apart.weights.keys() == other.weights.keys()
    assert all(torch.equal(t, other.weights[name]) for name, t in apart.weights.items())
    assert not apart.report.dropped and not other.report.dropped


def test_the_clip_geometry_follows_from_the_positions(tmp_path: Path) -> None:
    torch.save({"model": published(tmp_path, MASKED)}, tmp_path / "x.pth")

    loaded = load_any_format(tmp_path / "x.pth", HINTS)

    config = loaded.config
    assert (config.grid, config.encoder, config.decoder) == (
        MASKED.grid,
        MASKED.encoder,
        MASKED.decoder,
    )
    assert (config.mean, config.std, config.normalize) == (MEAN, STD, "joint")
    assert "CC BY-NC 4.0" in loaded.warning


def test_a_fine_tuned_file_of_pyslowfast_is_the_same_classifier(tmp_path: Path) -> None:
    weights = published(tmp_path, MODEL)
    torch.save({"model": weights}, tmp_path / "ours.pth")
    renamed = {name.replace("head.", "head.projection."): t for name, t in weights.items()}
    torch.save({"model_state": renamed, "cfg": "TRAIN: {}"}, tmp_path / "theirs.pyth")

    first = read_checkpoint(tmp_path / "ours.pth", HINTS)
    second = read_checkpoint(tmp_path / "theirs.pyth", HINTS)

    assert first.config.kind == second.config.kind == "classifier"
    assert all(torch.equal(t, second.weights[name]) for name, t in first.weights.items())
    assert second.report.dropped == {"cfg": "not weights"}


def test_only_the_encoder_of_a_published_file_is_read_and_the_rest_has_a_reason(
    tmp_path: Path,
) -> None:
    weights = published(tmp_path, MASKED)
    encoder = {name: t for name, t in weights.items() if "decoder" not in name}
    stem = "pred_head.transforms.0"
    decoder = {
        "decoder_embed.weight": torch.ones(16, 24),
        "decoder_pos_embed": torch.ones(1, 33, 16),
        f"{stem}.0.norm1.weight": torch.ones(16),
        f"{stem}.1.weight": torch.ones(16),
        "pred_head.projections.0.weight": torch.ones(192, 16),
    }
    torch.save({"model_state": encoder | decoder}, tmp_path / "x.pyth")

    loaded = read_checkpoint(tmp_path / "x.pyth", HINTS)

    assert (loaded.config.kind, loaded.config.norm_of) == ("encoder", "tokens")
    assert loaded.config.encoder == MODEL.encoder
    assert loaded.report.dropped.keys() == decoder.keys() | {"mask_token"}
    assert all("joint positions" in reason for reason in loaded.report.dropped.values())
