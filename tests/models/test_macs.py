"""A counter over the real modules finds the cost that the papers state."""

import pytest
import torch

from videomae_cli.config.model_config import autoencoder_config, classifier_config
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.models.build import build_autoencoder, build_classifier
from videomae_cli.models.macs import count_macs

CLIP = torch.randint(0, 256, (1, 3, 16, 224, 224), dtype=torch.uint8)
MOTION = ["mask.strategy=motion", "mask.pool=0.3"]
DUAL = ["mask.targets=running-cell", "mask.targets_ratio=0.5"]
MAE_ST = [
    "mask.strategy=random",
    "model.positions=separable",
    "model.class_token=true",
    "model.biases=all",
    "model.decoder.dim=512",
    "model.decoder.heads=16",
    "target.normalize=joint",
    "target.frames=first",
]
SELECTED = ["select.strategy=motion", "select.pool=0.6"]


@pytest.mark.parametrize(
    ("changes", "giga"),
    [([], 35.44), (["mask.ratio=0.75"], 57.4), (DUAL, 25.84), (MOTION, 19.8)],
    ids=["tube", "tube 75 %", "dual", "motion"],
)
def test_a_pretraining_pass_of_vitb_costs_what_is_published(changes: list[str], giga: float):
    recipe = load_recipe("k400-vitb", changes, "pretrain")
    model = build_autoencoder(autoencoder_config(recipe)).eval()

    cost = count_macs(model, CLIP, torch.rand(1, 2, model.grid.tokens))

    assert cost.published / 1e9 == pytest.approx(giga, rel=0.01)
    assert cost.executed <= 1.01 * cost.published


@pytest.mark.parametrize(
    ("size", "giga"), [("vitb", 46.1), pytest.param("vitl", 81.0, marks=pytest.mark.slow)]
)
def test_a_pretraining_pass_of_mae_st_costs_what_is_published(size: str, giga: float):
    recipe = load_recipe("k400-vitb", [*MAE_ST, f"model.size={size}"], "pretrain")
    model = build_autoencoder(autoencoder_config(recipe)).eval()

    cost = count_macs(model, CLIP, torch.rand(1, 2, model.grid.tokens))

    assert cost.published / 1e9 == pytest.approx(giga, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "giga"), [([], 180.34), (SELECTED, 98.0)], ids=["all", "motion"]
)
def test_a_classification_by_vitb_costs_what_is_published(changes: list[str], giga: float):
    recipe = load_recipe("k400-vitb-finetune", changes, "finetune")
    model = build_classifier(classifier_config(recipe, [str(k) for k in range(400)])).eval()

    cost = count_macs(model, CLIP)

    assert cost.published / 1e9 == pytest.approx(giga, rel=0.001)
