"""A head that was never trained is recognised by its bias, whoever has created it."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from tests.notes import AUTOENCODER, CLASSIFIER
from videomae_cli.checkpoints.untrained_head import is_untrained_head
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.engine.optim import adamw, parameter_groups
from videomae_cli.models.build import BUILDERS, build_classifier
from videomae_cli.tasks.load_model import read_checkpoint

ATTENTIVE = CLASSIFIER.model_copy(
    update={"norm_of": "tokens", "pooling": "attentive", "pooler_heads": 3}
)


def hugging_face_folder(folder: Path, *, steps: int) -> Path:
    """Write a small classifier of transformers, its head drawn by it and trained for some steps."""
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    torch.manual_seed(0)
    model = VideoMAEForVideoClassification(
        VideoMAEConfig(
            image_size=32,
            patch_size=8,
            num_frames=4,
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=3,
            intermediate_size=96,
            num_labels=3,
        )
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    for _ in range(steps):
        model(torch.rand(2, 4, 3, 32, 32), labels=torch.tensor([0, 2])).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("steps", [0, 1])
def test_a_head_drawn_by_transformers_is_untrained_until_its_first_step(
    tmp_path: Path, steps: int
) -> None:
    loaded = read_checkpoint(hugging_face_folder(tmp_path, steps=steps))

    assert loaded.config.kind == "classifier"
    assert is_untrained_head(loaded.weights) == (steps == 0)


@pytest.mark.parametrize("config", [CLASSIFIER, ATTENTIVE], ids=["linear", "attentive"])
@pytest.mark.parametrize("loss", ["single-label", "multi-label", "regression"])
def test_our_own_head_is_untrained_until_its_first_step(config: ModelConfig, loss: str) -> None:
    torch.manual_seed(0)
    model = build_classifier(config)
    assert is_untrained_head(model.state_dict())

    optimizer = adamw(
        parameter_groups(model, weight_decay=0.05), betas=(0.9, 0.999), eps=1e-8, lr=1e-4
    )
    logits_BK, target_BK = model(torch.rand(2, 3, 4, 32, 32)), torch.eye(3)[[0, 2]]
    losses = {
        "single-label": F.cross_entropy,
        "multi-label": F.binary_cross_entropy_with_logits,
        "regression": F.mse_loss,
    }
    losses[loss](logits_BK, target_BK).backward()
    optimizer.step()

    assert not is_untrained_head(model.state_dict())


def test_weights_without_a_head_are_not_an_untrained_head() -> None:
    assert not is_untrained_head(BUILDERS["autoencoder"](AUTOENCODER).state_dict())
