"""An inflated image model of `timm` gives the same features for a still clip as for the image."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.notes import CLASSIFIER, STACK
from videomae_cli.checkpoints.hints import Hints
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.grid import TokenGrid
from videomae_cli.models.build import build_classifier
from videomae_cli.models.encoder import normalize_clip
from videomae_cli.position_table import sine_table
from videomae_cli.tasks.load_model import init_from_pretrained, read_checkpoint

timm = pytest.importorskip("timm")


def config(tubelet: int) -> ModelConfig:
    grid = TokenGrid(frames=tubelet, height=32, width=32, tubelet=tubelet, patch=8, channels=3)
    return CLASSIFIER.model_copy(update={"grid": grid, "encoder": STACK})


@torch.no_grad()
@pytest.mark.parametrize("tubelet", [1, 2, 3, 4])
@pytest.mark.parametrize("init_values", [None, 0.5])
def test_an_inflated_model_gives_the_features_of_the_image_for_a_still_clip(
    tmp_path: Path, tubelet: int, init_values: float | None
) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3,
        num_classes=4, class_token=False, global_pool="avg", fc_norm=True, init_values=init_values,
    ).eval()  # fmt: skip
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2)  # keys get a bias too
    theirs.pos_embed.copy_(sine_table(16, 24))  # native positions, so that both see the same
    save_file({n: t.contiguous() for n, t in theirs.state_dict().items()}, tmp_path / "vit.st")
    loaded = read_checkpoint(tmp_path / "vit.st", Hints(heads=3, size=32))
    ours = build_classifier(config(tubelet)).eval()
    image = torch.randint(0, 256, (2, 3, 1, 32, 32), dtype=torch.uint8)

    _, report = init_from_pretrained(loaded, ours, config(tubelet))
    expected = theirs.forward_head(
        theirs.forward_features(normalize_clip(image)[:, :, 0]), pre_logits=True
    )
    found = ours.features(image.expand(-1, -1, tubelet, -1, -1))

    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    inflated = {"encoder.patch_embed.proj.weight"} if tubelet > 1 else set()
    assert report.interpolated.keys() == inflated
