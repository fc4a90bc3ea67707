"""Models are built from configurations and loaded from checkpoints; every fault is named."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.notes import AUTOENCODER, CLASSIFIER, STACK, learned, written
from videomae_cli.checkpoints.loading import save_as_format
from videomae_cli.checkpoints.native import parse_model_config, write_native
from videomae_cli.config.model import MaskSpec
from videomae_cli.config.model_config import ModelConfig, autoencoder_config, classifier_config
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.transformer import SIZES
from videomae_cli.errors import CheckpointError
from videomae_cli.models.build import build_autoencoder, build_classifier, expected_shapes
from videomae_cli.tasks.load_model import (
    init_from_pretrained,
    load_autoencoder,
    load_weights,
    read_checkpoint,
)


def test_a_pretraining_recipe_describes_its_model() -> None:
    recipe = load_recipe("k400-vitb", (), "pretrain")

    config = autoencoder_config(recipe)
    shapes = expected_shapes(config)

    assert config.kind == "autoencoder" and config.encoder == SIZES["vitb"]
    assert config.mask == MaskSpec(strategy="tube", ratio=0.9)
    assert (config.grid.frames, config.grid.height, config.stride_frames) == (16, 224, 4)
    assert sum(shape.numel() for shape in shapes.values()) == 94_210_944
    assert config == type(config).model_validate_json(config.model_dump_json())


def test_a_fine_tuning_recipe_describes_its_model() -> None:
    recipe = load_recipe("k400-vitb-finetune", (), "finetune")

    config = classifier_config(recipe, [f"class {k}" for k in range(400)])
    shapes = expected_shapes(config)

    assert config.kind == "classifier" and config.classes is not None and len(config.classes) == 400
    assert config.protocol is not None and config.protocol.clips == recipe.eval.clips
    assert sum(shape.numel() for shape in shapes.values()) == 86_534_800


def test_expected_shapes_take_no_memory_and_leave_the_generator_alone() -> None:
    config = AUTOENCODER.model_copy(
        update={"encoder": SIZES["vith"], "decoder": SIZES["vith"], "mask": None}
    )
    before = torch.random.get_rng_state()

    shapes = expected_shapes(config)

    assert sum(shape.numel() for shape in shapes.values()) > 10**9
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_model_loaded_from_its_own_weights_computes_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = build_autoencoder(AUTOENCODER)
    write_native(tmp_path / "final", first.state_dict(), AUTOENCODER)
    clip_BCTHW = torch.randint(0, 256, (1, 3, 4, 32, 32), dtype=torch.uint8)
    noise_B2N = torch.rand(1, 2, AUTOENCODER.grid.tokens)

    loaded = read_checkpoint(tmp_path / "final")
    second = load_autoencoder(loaded)

    assert torch.equal(first(clip_BCTHW, noise_B2N).loss, second(clip_BCTHW, noise_B2N).loss)


def test_a_configuration_of_another_kind_is_refused_with_a_hint() -> None:
    with pytest.raises(CheckpointError, match="is a classifier") as deco:
        build_autoencoder(CLASSIFIER)
    with pytest.raises(CheckpointError, match="is an autoencoder") as head:
        build_classifier(AUTOENCODER)

    assert "pretrain" in deco.value.hint and "finetune" in head.value.hint


def test_a_mask_of_a_newer_version_is_refused_by_name() -> None:
    text = AUTOENCODER.model_dump_json().replace('"strategy":"tube"', '"strategy":"wavelet"')

    with pytest.raises(CheckpointError, match=r"mask\.strategy") as caught:
        parse_model_config(text, "model.json")

    assert "newer videomae" in caught.value.hint


def test_a_checkpoint_that_lacks_a_tensor_is_refused_by_name(tmp_path: Path) -> None:
    weights = build_classifier(CLASSIFIER).state_dict()
    del weights["encoder.blocks.1.mlp.fc2.bias"]
    write_native(tmp_path / "final", weights, CLASSIFIER)

    with pytest.raises(CheckpointError, match=r"missing: encoder\.blocks\.1\.mlp\.fc2\.bias"):
        read_checkpoint(tmp_path / "final")


def test_loading_needs_every_tensor() -> None:
    with pytest.raises(CheckpointError, match="missing: bias"):
        load_weights(nn.Linear(2, 2), {"weight": torch.zeros(2, 2)})


@pytest.mark.parametrize("kind", ["native", "v1"])
def test_fine_tuning_starts_from_the_pretrained_encoder(tmp_path: Path, kind: str) -> None:
    source = written(tmp_path / "final", AUTOENCODER, seed=1)
    pretrained = read_checkpoint(source)
    if kind == "v1":
        source = tmp_path / "pretrained.pth"
        save_as_format(source, pretrained.weights, pretrained.config, "v1")
    torch.manual_seed(2)
    classifier = build_classifier(CLASSIFIER)
    fresh_head = classifier.head.weight.clone()

    _, report = init_from_pretrained(read_checkpoint(source), classifier, CLASSIFIER)

    state = classifier.state_dict()
    name = "encoder.blocks.1.attn.qkv.weight"
    assert torch.equal(state[name], pretrained.weights[name])
    assert torch.equal(classifier.head.weight, fresh_head)
    assert len(report.matched) == 28 and len(report.initialised) == 4


@pytest.mark.parametrize(
    ("classes", "rows", "words"),
    [
        (("left", "right", "up"), [0, 1, 2], ""),
        (("up", "left", "right"), [2, 0, 1], "rows of the head: classes matched by name"),
        (("Up", "right", "LEFT"), [2, 1, 0], "spelled otherwise"),
        (("0", "1", "2"), [0, 1, 2], "the data only number their 3 classes"),
        (("2", "0", "1"), [2, 0, 1], "the data only number their 3 classes"),
    ],
)
def test_the_rows_of_a_head_follow_the_names_of_the_classes(
    tmp_path: Path, classes: tuple[str, ...], rows: list[int], words: str
) -> None:
    loaded = read_checkpoint(written(tmp_path / "final", CLASSIFIER, seed=1))
    config = CLASSIFIER.model_copy(update={"classes": classes})
    classifier = build_classifier(config)

    weights, report = init_from_pretrained(loaded, classifier, config)

    for name in ("head.weight", "head.bias"):
        assert torch.equal(classifier.state_dict()[name], loaded.weights[name][rows])
        assert torch.equal(weights[name], loaded.weights[name][rows])
    assert len(report.assumed) == bool(words) and words in "".join(report.assumed)


def test_a_head_for_other_classes_is_not_used(tmp_path: Path) -> None:
    loaded = read_checkpoint(written(tmp_path / "final", CLASSIFIER, seed=1))
    for classes, reason in (
        (("jump", "run", "wave"), "a head for other classes"),
        (("1", "2", "3"), "a head for other classes"),
        (("left", "right"), "a head for another number of classes"),
    ):
        config = CLASSIFIER.model_copy(update={"classes": classes})
        classifier = build_classifier(config)
        fresh = classifier.head.weight.clone()

        _, report = init_from_pretrained(loaded, classifier, config)

        assert torch.equal(classifier.head.weight, fresh)
        assert report.dropped == {"head.weight": reason, "head.bias": reason}
        assert report.initialised == ("head.bias", "head.weight")


def test_another_geometry_is_reported_and_another_encoder_refused(tmp_path: Path) -> None:
    source = written(tmp_path / "final", AUTOENCODER)
    longer = CLASSIFIER.model_copy(update={"grid": replace(CLASSIFIER.grid, frames=8)})
    heads = CLASSIFIER.model_copy(update={"encoder": STACK.model_copy(update={"heads": 4})})

    loaded = read_checkpoint(source)
    _, report = init_from_pretrained(loaded, build_classifier(longer), longer)

    assert any("4x4x4 tokens" in sentence for sentence in report.assumed)
    with pytest.raises(CheckpointError, match=r"3 heads.*4 heads"):
        init_from_pretrained(loaded, build_classifier(heads), heads)


def test_a_model_with_learned_positions_is_rebuilt_from_its_configuration(tmp_path: Path) -> None:
    source = written(tmp_path / "final", learned(AUTOENCODER), seed=3)
    clip_BCTHW = torch.randint(0, 256, (1, 3, 4, 32, 32), dtype=torch.uint8)
    noise_B2N = torch.rand(1, 2, AUTOENCODER.grid.tokens)
    torch.manual_seed(3)
    first = build_autoencoder(learned(AUTOENCODER))

    loaded = read_checkpoint(source)
    second = load_autoencoder(loaded)

    assert loaded.config == learned(AUTOENCODER)
    assert first.decoder.head.out_features == AUTOENCODER.grid.tubelet_pixels // 2
    assert torch.equal(first(clip_BCTHW, noise_B2N).loss, second(clip_BCTHW, noise_B2N).loss)


def test_a_configuration_without_learned_parts_is_videomae() -> None:
    content = json.loads(AUTOENCODER.model_dump_json())
    for part in ("encoder", "decoder"):
        for key in ("positions", "class_token", "biases"):
            del content[part][key]
    del content["target_frames"]

    config = ModelConfig.model_validate_json(json.dumps(content))

    assert config == AUTOENCODER


def test_a_recipe_with_learned_parts_describes_them() -> None:
    changes = ("model.positions=separable", "model.class_token=true", "model.biases=all")
    recipe = load_recipe("k400-vitb", (*changes, "target.frames=linspace"), "pretrain")

    config = autoencoder_config(recipe)

    assert config.decoder is not None and config.target_frames == "linspace"
    for transformer in (config.encoder, config.decoder):
        assert (transformer.positions, transformer.class_token, transformer.biases) == (
            "separable",
            True,
            "all",
        )
    shapes = expected_shapes(config)
    assert shapes["encoder.positions.space"] == (1, 196, 768)
    assert shapes["decoder.positions.time"] == (1, 8, 384)
    assert shapes["decoder.head.weight"] == (768, 384)
    assert "encoder_to_decoder.bias" in shapes and "encoder.blocks.0.attn.k_bias" in shapes


@pytest.mark.parametrize("which", ["checkpoint", "recipe"])
def test_learned_parts_on_one_side_only_are_refused(tmp_path: Path, which: str) -> None:
    source, config = AUTOENCODER, CLASSIFIER
    if which == "checkpoint":
        source = learned(AUTOENCODER)
    else:
        config = learned(CLASSIFIER)
    path = written(tmp_path / "final", source)

    with pytest.raises(CheckpointError) as caught:
        init_from_pretrained(read_checkpoint(path), build_classifier(config), config)

    for words in ("sine positions", "separable positions", "a class token", "no class token"):
        assert words in caught.value.message
    assert "positions" in caught.value.hint


def test_learned_positions_are_interpolated_for_another_grid_and_the_norm_is_kept(
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "final", learned(AUTOENCODER))
    before = read_checkpoint(path).weights
    grid = replace(CLASSIFIER.grid, frames=8)
    longer = learned(CLASSIFIER).model_copy(update={"grid": grid})
    classifier = build_classifier(longer)

    _, report = init_from_pretrained(read_checkpoint(path), classifier, longer, norm="pretrained")

    after = classifier.state_dict()
    assert report.interpolated.keys() == {"encoder.positions.time"}
    assert "encoder.positions.time" not in report.matched
    assert any("interpolated for 4x4x4 tokens" in sentence for sentence in report.assumed)
    assert after["encoder.positions.time"].shape == (1, 4, 24)
    assert torch.equal(after["encoder.positions.space"], before["encoder.positions.space"])
    assert torch.equal(after["fc_norm.weight"], before["encoder.norm.weight"])
