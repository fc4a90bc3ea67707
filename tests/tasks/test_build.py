"""Cards become models, checkpoints fill them, and nothing is left to chance or to silence."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.tasks.notes import AUTOENCODER, CLASSIFIER, STACK, written
from videomae_cli.checkpoints import save
from videomae_cli.checkpoints.files import write_native
from videomae_cli.config.recipes import load_recipe
from videomae_cli.errors import CheckpointError
from videomae_cli.models.sizes import SIZES
from videomae_cli.tasks.build import (
    build_autoencoder,
    build_classifier,
    expected_shapes,
    fill,
    read_checkpoint,
    start_from,
)
from videomae_cli.tasks.cards import card_for_finetune, card_for_pretrain


def test_a_pretraining_recipe_describes_its_model() -> None:
    recipe = load_recipe("k400-vitb", (), "pretrain")

    card = card_for_pretrain(recipe)
    shapes = expected_shapes(card)

    assert card.kind == "autoencoder" and card.encoder == SIZES["vitb"]
    assert card.mask == {"strategy": "tube", "ratio": 0.9}
    assert (card.grid.frames, card.grid.height, card.stride_frames) == (16, 224, 4)
    assert sum(shape.numel() for shape in shapes.values()) == 94_210_944
    assert card == type(card).model_validate_json(card.model_dump_json())


def test_a_fine_tuning_recipe_describes_its_model() -> None:
    recipe = load_recipe("k400-vitb-finetune", (), "finetune")

    card = card_for_finetune(recipe, [f"class {k}" for k in range(400)])
    shapes = expected_shapes(card)

    assert card.kind == "classifier" and card.classes is not None and len(card.classes) == 400
    assert card.protocol is not None and card.protocol["clips"] == recipe.eval.clips
    assert sum(shape.numel() for shape in shapes.values()) == 86_534_800


def test_expected_shapes_take_no_memory_and_leave_the_generator_alone() -> None:
    card = AUTOENCODER.model_copy(
        update={"encoder": SIZES["vith"], "decoder": SIZES["vith"], "mask": None}
    )
    before = torch.random.get_rng_state()

    shapes = expected_shapes(card)

    assert sum(shape.numel() for shape in shapes.values()) > 10**9
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_model_filled_from_its_own_weights_computes_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = build_autoencoder(AUTOENCODER)
    write_native(tmp_path / "final", first.state_dict(), AUTOENCODER)
    clip_BCTHW = torch.randint(0, 256, (1, 3, 4, 32, 32), dtype=torch.uint8)
    noise_B2N = torch.rand(1, 2, AUTOENCODER.grid.grid().tokens)

    loaded = read_checkpoint(tmp_path / "final")
    second = build_autoencoder(loaded.card, loaded.weights)

    assert torch.equal(first(clip_BCTHW, noise_B2N).loss, second(clip_BCTHW, noise_B2N).loss)


def test_a_card_of_the_other_kind_is_refused_with_what_to_do() -> None:
    with pytest.raises(CheckpointError, match="is a classifier") as deco:
        build_autoencoder(CLASSIFIER)
    with pytest.raises(CheckpointError, match="is an autoencoder") as head:
        build_classifier(AUTOENCODER)

    assert "pretrain" in deco.value.hint and "finetune" in head.value.hint


def test_a_mask_of_the_future_is_refused_in_words() -> None:
    card = AUTOENCODER.model_copy(update={"mask": {"strategy": "wavelet", "ratio": 0.5}})

    with pytest.raises(CheckpointError, match="wavelet"):
        build_autoencoder(card)


def test_a_checkpoint_that_lacks_a_tensor_is_refused_by_name(tmp_path: Path) -> None:
    weights = build_classifier(CLASSIFIER).state_dict()
    del weights["encoder.blocks.1.mlp.fc2.bias"]
    write_native(tmp_path / "final", weights, CLASSIFIER)

    with pytest.raises(CheckpointError, match=r"missing: encoder\.blocks\.1\.mlp\.fc2\.bias"):
        read_checkpoint(tmp_path / "final")


def test_filling_needs_every_tensor() -> None:
    with pytest.raises(CheckpointError, match="missing: bias"):
        fill(nn.Linear(2, 2), {"weight": torch.zeros(2, 2)})


@pytest.mark.parametrize("kind", ["native", "v1"])
def test_fine_tuning_starts_from_the_pretrained_encoder(tmp_path: Path, kind: str) -> None:
    source = written(tmp_path / "final", AUTOENCODER.model_copy(update={"license": "MIT"}), seed=1)
    pretrained = read_checkpoint(source)
    if kind == "v1":
        source = tmp_path / "pretrained.pth"
        save(source, pretrained.weights, pretrained.card, "v1")
    torch.manual_seed(2)
    classifier = build_classifier(CLASSIFIER)
    fresh_head = classifier.head.weight.clone()

    card, report = start_from(source, classifier, CLASSIFIER)

    state = classifier.state_dict()
    name = "encoder.blocks.1.attn.qkv.weight"
    assert torch.equal(state[name], pretrained.weights[name])
    assert torch.equal(classifier.head.weight, fresh_head)
    assert len(report.matched) == 28 and len(report.initialised) == 4
    assert card.license == "MIT" and card.derived_from == (str(source),)


def test_another_geometry_is_said_and_another_encoder_refused(tmp_path: Path) -> None:
    source = written(tmp_path / "final", AUTOENCODER)
    longer = CLASSIFIER.model_copy(
        update={"grid": CLASSIFIER.grid.model_copy(update={"frames": 8})}
    )
    heads = CLASSIFIER.model_copy(update={"encoder": STACK.model_copy(update={"heads": 4})})

    _, report = start_from(source, build_classifier(longer), longer)

    assert any("4x4x4 tokens" in sentence for sentence in report.assumed)
    with pytest.raises(CheckpointError, match=r"3 heads.*4 heads"):
        start_from(source, build_classifier(heads), heads)
