"""The counted multiply-accumulates are those that the papers give."""

import pytest
import torch

from videomae_cli.config.model_config import autoencoder_config, classifier_config
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.models.build import build_autoencoder, build_classifier
from videomae_cli.models.macs import MACs, count_macs

CLIP = torch.randint(0, 256, (1, 3, 16, 224, 224), dtype=torch.uint8)
CLASSES = [str(k) for k in range(400)]
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


def pretraining_macs(changes: list[str], device: str) -> MACs:
    with torch.device(device):
        recipe = load_recipe("k400-vitb", changes, "pretrain")
        model = build_autoencoder(autoencoder_config(recipe)).eval().to(device)
        return count_macs(model, CLIP.to(device), torch.rand(1, 2, model.grid.tokens))


@pytest.mark.parametrize(
    ("changes", "giga", "device"),
    [
        ([], 35.44, "meta"),
        (["mask.ratio=0.75"], 57.4, "meta"),
        (DUAL, 25.84, "meta"),
        (MOTION, 19.8, "cpu"),
    ],
    ids=["tube", "tube 75 %", "dual", "motion"],
)
def test_a_pretraining_pass_of_vitb_has_the_published_macs(
    changes: list[str], giga: float, device: str
):
    macs = pretraining_macs(changes, device)

    assert macs.published / 1e9 == pytest.approx(giga, rel=0.01)
    assert macs.executed <= 1.01 * macs.published


@pytest.mark.parametrize(("size", "giga"), [("vitb", 46.1), ("vitl", 81.0)])
def test_a_pretraining_pass_of_mae_st_has_the_published_macs(size: str, giga: float):
    macs = pretraining_macs([*MAE_ST, f"model.size={size}"], "meta")

    assert macs.published / 1e9 == pytest.approx(giga, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "giga", "device"),
    [([], 180.34, "meta"), (SELECTED, 98.0, "cpu")],
    ids=["all", "motion"],
)
def test_a_classification_by_vitb_has_the_published_macs(
    changes: list[str], giga: float, device: str
):
    with torch.device(device):
        recipe = load_recipe("k400-vitb-finetune", changes, "finetune")
        model = build_classifier(classifier_config(recipe, CLASSES)).eval().to(device)

        macs = count_macs(model, CLIP.to(device))

    assert macs.published / 1e9 == pytest.approx(giga, rel=0.001)


def test_the_count_is_the_same_without_computing():
    assert pretraining_macs([], "meta") == pretraining_macs([], "cpu")
