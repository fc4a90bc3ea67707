"""Folders of videomae and of `transformers`, if installed, give the same outputs in both."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.notes import AUTOENCODER, CLASSIFIER, STACK
from videomae_cli.checkpoints.loading import save_as_format
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.masking.mask import Mask
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.build import Backbone, build_autoencoder, build_classifier
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.encoder import normalize_clip
from videomae_cli.tasks.load_model import load_weights, read_checkpoint

transformers = pytest.importorskip("transformers", reason="transformers is not installed")

pytestmark = pytest.mark.filterwarnings("ignore")  # the library's own, at import and at loading
FIRST = CLASSIFIER.model_copy(update={"pooling": "first"})
PIXELS = AUTOENCODER.model_copy(update={"normalize": "none"})
TOKENS = ModelConfig(kind="encoder", encoder=STACK, grid=CLASSIFIER.grid, norm_of="tokens")
BARE = TOKENS.model_copy(update={"norm_of": None})
CONFIGS = {"mean": CLASSIFIER, "first": FIRST, "patch": AUTOENCODER, "pixels": PIXELS}
CONFIGS |= {"tokens": TOKENS, "bare": BARE}
WIDE = replace(CLASSIFIER.grid, height=32, width=48)
CONFIGS["wide"] = CLASSIFIER.model_copy(update={"grid": WIDE})
CLASSES = {
    "autoencoder": "VideoMAEForPreTraining",
    "classifier": "VideoMAEForVideoClassification",
    "encoder": "VideoMAEModel",
}


def randomised(model: nn.Module) -> nn.Module:
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


def build(config: ModelConfig) -> nn.Module:
    """Build our model of a configuration."""
    if config.kind == "encoder":
        return Backbone(config)
    return build_autoencoder(config) if config.kind == "autoencoder" else build_classifier(config)


def theirs_from(folder: Path, config: ModelConfig) -> tuple[nn.Module, dict[str, Any]]:
    kind = getattr(transformers, CLASSES[config.kind])
    model, about = kind.from_pretrained(folder, output_loading_info=True)
    for layer in model.modules():  # 1e-5 in norms that its config does not cover
        if isinstance(layer, nn.LayerNorm):
            layer.eps = 1e-6
    return model.eval(), about


@torch.no_grad()
def agree(ours: nn.Module, theirs: nn.Module) -> None:
    """Compare the outputs for one clip."""
    torch.manual_seed(1)
    width = 32 if isinstance(ours, Autoencoder) else ours.encoder.grid.width
    pixels = torch.randint(0, 256, (2, 3, 4, 32, width), dtype=torch.uint8)
    video = normalize_clip(pixels).transpose(1, 2)
    if isinstance(ours, Autoencoder):
        order = torch.rand(2, ours.grid.tokens).argsort(dim=1)
        visible, target = (part.sort(dim=1).values for part in order.split([8, 24], dim=1))
        mask = Mask(visible, target, torch.ones_like(target, dtype=torch.bool))
        hidden = torch.zeros(2, ours.grid.tokens, dtype=torch.bool).scatter_(1, target, True)
        expected = theirs(video, bool_masked_pos=hidden)
        ours.masker = lambda noise, content: mask
        found = ours(pixels, torch.zeros(2, 2, ours.grid.tokens))
        near(found.prediction_BMP, expected.logits)
        near(found.loss, expected.loss)
    elif isinstance(ours, Classifier):
        near(ours(pixels), theirs(video).logits)
    else:
        near(ours.encoder(pixels), theirs(video).last_hidden_state)


def near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_folder_of_videomae_gives_the_same_outputs_in_transformers(
    tmp_path: Path, name: str
) -> None:
    torch.manual_seed(0)
    config = CONFIGS[name]
    ours = randomised(build(config))

    save_as_format(tmp_path / "hf", ours.state_dict(), config, "hf")
    theirs, about = theirs_from(tmp_path / "hf", config)

    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        assert not about[kind], (kind, about[kind])
    agree(ours, theirs)
    if config.classes is not None:
        assert theirs.config.id2label == dict(enumerate(config.classes))


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_folder_of_transformers_gives_the_same_outputs_in_videomae(
    tmp_path: Path, name: str
) -> None:
    torch.manual_seed(0)
    config = CONFIGS[name]
    save_as_format(tmp_path / "hf", build(config).state_dict(), config, "hf")
    theirs, _ = theirs_from(tmp_path / "hf", config)
    randomised(theirs).save_pretrained(tmp_path / "theirs", max_shard_size="20KB")

    loaded = read_checkpoint(tmp_path / "theirs")
    ours = build(loaded.config)
    load_weights(ours, loaded.weights)

    assert len(list((tmp_path / "theirs").glob("model-*.safetensors"))) > 1
    assert loaded.format == "hf"
    for field in ("kind", "encoder", "decoder", "grid", "classes", "normalize", "pooling"):
        assert getattr(loaded.config, field) == getattr(config, field), field
    assert loaded.config.norm_of == config.norm_of and not loaded.report.dropped
    agree(ours.eval(), theirs)


def test_the_linear_spelling_loads_in_transformers_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    ours = randomised(build_classifier(CLASSIFIER))

    save_as_format(tmp_path / "linear", ours.state_dict(), CLASSIFIER, "hf-linear")
    theirs, about = theirs_from(tmp_path / "linear", CLASSIFIER)

    assert not about["missing_keys"]
    agree(ours, theirs)


def test_the_processor_of_transformers_reads_our_folder(tmp_path: Path) -> None:
    config = CLASSIFIER.model_copy(update={"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6)})
    save_as_format(tmp_path / "hf", build_classifier(config).state_dict(), config, "hf")

    theirs = transformers.VideoMAEImageProcessor.from_pretrained(tmp_path / "hf")

    assert tuple(theirs.image_mean) == config.mean and tuple(theirs.image_std) == config.std
    assert dict(theirs.crop_size) == {"height": 32, "width": 32}
    assert theirs.size["shortest_edge"] == 32
