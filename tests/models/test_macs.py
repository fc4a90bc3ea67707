"""The counted multiply-accumulates are those that the papers give, and a formula exactly."""

import pytest
import torch

from tests.notes import AUTOENCODER, CLASSIFIER
from videomae_cli.config.model_config import ModelConfig, autoencoder_config, classifier_config
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.transformer import SIZES, TransformerConfig
from videomae_cli.grid import TokenGrid
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


GRID = TokenGrid(frames=16, height=112, width=112)  # 8 x 7 x 7 tokens
SMALL = SIZES["vits"]
SMALL_CLASSIFIER = CLASSIFIER.model_copy(
    update={"encoder": SMALL, "grid": GRID, "classes": tuple(CLASSES)}
)


def block_macs(config: TransformerConfig, tokens: int) -> int:
    """Count queries, keys, values and projection; logits and mixtures; both layers of the MLP."""
    dim, mlp_dim = config.dim, config.mlp_dim
    per_block = tokens * (4 * dim * dim + 2 * tokens * dim + 2 * dim * mlp_dim)
    return config.depth * per_block


def encoder_macs(config: ModelConfig, tokens: int) -> int:
    return tokens * config.grid.tubelet_pixels * config.encoder.dim + block_macs(
        config.encoder, tokens
    )


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", ["test", "vits"])
def test_a_classification_counts_what_the_formula_gives(
    name: str, training: bool, batch: int, device: str
) -> None:
    config = CLASSIFIER if name == "test" else SMALL_CLASSIFIER
    assert config.classes is not None
    with torch.device(device):
        model = build_classifier(config, drop_path=0.1, head_dropout=0.5)
        shape = (batch, 3, config.grid.frames, config.grid.height, config.grid.width)
        clip_BCTHW = torch.zeros(shape, dtype=torch.uint8)
        macs = count_macs(model.to(device).train(training), clip_BCTHW)

    head = config.encoder.dim * len(config.classes)
    assert macs.executed == macs.published
    assert macs.executed == batch * (encoder_macs(config, config.grid.tokens) + head)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_pretraining_pass_counts_what_the_formula_gives(device: str) -> None:
    decoder = TransformerConfig(dim=192, depth=4, heads=3, mlp_dim=768)
    config = AUTOENCODER.model_copy(update={"encoder": SMALL, "decoder": decoder, "grid": GRID})
    tokens, visible = GRID.tokens, 8 * 13  # a ratio of 0.75 hides 36 of 49
    with torch.device(device):
        model = build_autoencoder(config).to(device)
        clip_BCTHW = torch.zeros(1, 3, 16, 112, 112, dtype=torch.uint8)
        macs = count_macs(model, clip_BCTHW, torch.rand(1, 2, tokens))

    predicted = (tokens - visible) * decoder.dim * GRID.tubelet_pixels
    decoded = visible * SMALL.dim * decoder.dim + block_macs(decoder, tokens) + predicted
    # in the last block the visible tokens are keys and values alone
    undecoded = visible * (2 * tokens * 192 + 192 * 192 + 2 * 192 * 768)
    assert macs.executed == encoder_macs(config, visible) + decoded - undecoded
    hidden = (tokens - visible) * GRID.tubelet_pixels * SMALL.dim
    assert macs.published == macs.executed + hidden + undecoded


def test_the_attention_of_a_vits_is_counted_by_every_torch() -> None:
    """Without attention, which the counter of torch 2.10 lacks on a CPU: 8,554,811,136."""
    config = SMALL_CLASSIFIER.model_copy(update={"classes": tuple(CLASSES[:10])})

    macs = count_macs(build_classifier(config), torch.zeros(1, 3, 16, 112, 112, dtype=torch.uint8))

    assert macs.executed == 9_970_978_560
