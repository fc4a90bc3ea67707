"""The models of probes: described by a recipe, started from checkpoints, and converted."""

import json
from pathlib import Path

import pytest
import torch

from tests.notes import AUTOENCODER, CLASSIFIER, Notes, written
from videomae_cli.checkpoints.native import parse_model_config
from videomae_cli.config.model_config import ModelConfig, classifier_config
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import FinetuneRecipe
from videomae_cli.errors import CheckpointError, RecipeError
from videomae_cli.models.build import build_autoencoder, build_classifier
from videomae_cli.tasks.convert import convert
from videomae_cli.tasks.load_model import (
    init_autoencoder_from_pretrained,
    init_from_pretrained,
    read_checkpoint,
)

LINEAR = CLASSIFIER.model_copy(update={"norm_of": "tokens"})
ATTENTIVE = LINEAR.model_copy(update={"pooling": "attentive", "pooler_heads": 4})
FORMATS = {"v1": "a.pth", "v2": "a", "mmaction2": "a.pth", "hf": "a", "hf-linear": "a"}


def finetuning(*changes: str) -> FinetuneRecipe:
    recipe = load_recipe("small-data-vits-finetune", changes, "finetune")
    assert isinstance(recipe, FinetuneRecipe)
    return recipe


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], ("mean", None, None)),
        (["model.frozen=true"], ("mean", None, "tokens")),
        (["model.head=attentive"], ("attentive", 6, "tokens")),
        (["model.frozen=true", "model.head=attentive"], ("attentive", 6, "tokens")),
        (["model.head=attentive", "model.heads=8"], ("attentive", 8, "tokens")),
    ],
)
def test_a_recipe_decides_the_input_of_the_head(
    changes: list[str], expected: tuple[str, int | None, str | None]
) -> None:
    config = classifier_config(finetuning(*changes), ("a", "b"))

    assert (config.pooling, config.pooler_heads, config.norm_of) == expected
    assert parse_model_config(config.to_json(), "") == config


def test_model_json_has_a_key_for_the_pooler_only_with_a_pooler() -> None:
    for config in (AUTOENCODER, CLASSIFIER, LINEAR):
        assert "pooler_heads" not in json.loads(config.to_json())
        assert "pooler_heads" not in config.model_dump(mode="json")
    assert json.loads(ATTENTIVE.to_json())["pooler_heads"] == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["model.frozen=true", "model.norm=pretrained"], "with frozen: true the pretrained norm"),
        (["model.head=attentive", "model.norm=pretrained"], "with head: attentive the pretrained"),
        (["model.heads=4"], "heads can only be used with head attentive"),
    ],
)
def test_a_recipe_that_contradicts_itself_is_refused(changes: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        finetuning(*changes)


def test_heads_that_do_not_divide_the_dimension_are_refused() -> None:
    with pytest.raises(RecipeError, match="heads: 5 does not divide") as caught:
        classifier_config(finetuning("model.head=attentive", "model.heads=5"), ("a", "b"))
    assert "model.heads=6" in caught.value.hint


@pytest.mark.parametrize("config", [LINEAR, ATTENTIVE], ids=["linear", "attentive"])
def test_a_probe_starts_with_the_last_norm_of_the_autoencoder(
    tmp_path: Path, config: ModelConfig
) -> None:
    loaded = read_checkpoint(written(tmp_path / "pretrained", AUTOENCODER))
    torch.nn.init.normal_(loaded.weights["encoder.norm.weight"])
    model = build_classifier(config)

    _, report = init_from_pretrained(loaded, model, config)

    assert torch.equal(model.encoder.norm.weight, loaded.weights["encoder.norm.weight"])
    assert {"encoder.norm.weight", "encoder.norm.bias"} <= set(report.matched)
    assert {name.split(".")[0] for name in report.initialised} <= {"fc_norm", "head", "pooler"}
    assert not any(name.startswith("encoder.") for name in report.dropped)


def test_a_probe_of_a_classifier_reports_that_its_norm_is_new(tmp_path: Path) -> None:
    loaded = read_checkpoint(written(tmp_path / "classifier", CLASSIFIER))
    model = build_classifier(ATTENTIVE)

    _, report = init_from_pretrained(loaded, model, ATTENTIVE)

    assert {"encoder.norm.weight", "encoder.norm.bias"} <= set(report.initialised)
    assert report.dropped["head.weight"] == "the head of another pooling (mean)"
    assert report.dropped["fc_norm.weight"] == "the head of another pooling (mean)"
    assert bool((model.head.bias == 0).all()) and bool((model.fc_norm.weight == 1).all())


def test_fine_tuning_goes_on_with_the_head_of_a_probe_of_the_same_pooling(tmp_path: Path) -> None:
    loaded = read_checkpoint(written(tmp_path / "probe", ATTENTIVE, seed=1))
    same, other = build_classifier(ATTENTIVE), build_classifier(CLASSIFIER)

    _, report = init_from_pretrained(loaded, same, ATTENTIVE)
    assert report.initialised == () and report.dropped == {}
    assert torch.equal(same.pooler.query, loaded.weights["pooler.query"])

    _, report = init_from_pretrained(loaded, other, CLASSIFIER)
    words = "the head of another pooling (attentive, 4 heads, after a norm of the tokens)"
    assert report.dropped["pooler.query"] == report.dropped["head.bias"] == words
    assert report.dropped["encoder.norm.bias"]


def test_pretraining_goes_on_with_the_encoder_of_a_probe(tmp_path: Path) -> None:
    loaded = read_checkpoint(written(tmp_path / "probe", ATTENTIVE, seed=1))
    autoencoder = build_autoencoder(AUTOENCODER)

    _, report = init_autoencoder_from_pretrained(loaded, autoencoder, AUTOENCODER)

    assert "encoder.norm.weight" in report.matched
    assert report.dropped["pooler.query"] == "a head for classes"


@pytest.mark.parametrize("config", [LINEAR, ATTENTIVE], ids=["linear", "attentive"])
def test_a_probe_converts_to_native_and_to_no_other_format(
    tmp_path: Path, config: ModelConfig
) -> None:
    source = written(tmp_path / "probe", config)

    convert.run(source, tmp_path / "native", Notes())
    for name in ("model.safetensors", "model.json"):
        assert (tmp_path / "native" / name).read_bytes() == (source / name).read_bytes()

    for target, out in FORMATS.items():
        with pytest.raises(CheckpointError, match="after a norm of the tokens") as caught:
            convert.run(source, tmp_path / out, Notes(), to=target)
        assert "native" in caught.value.hint
        assert not (tmp_path / out).exists()
    learned = config.encoder.model_copy(
        update={"positions": "separable", "class_token": True, "biases": "all"}
    )
    source = written(tmp_path / "mae-st", config.model_copy(update={"encoder": learned}))
    with pytest.raises(CheckpointError, match="after a norm of the tokens"):
        convert.run(source, tmp_path / "a.pth", Notes(), to="mae-st")
