"""Folders of transformers: all spellings of the biases, the JSON files, and known defects."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.notes import AUTOENCODER, CLASSIFIER, STACK
from videomae_cli.checkpoints.formats.folders import write_folder
from videomae_cli.checkpoints.hints import Hints
from videomae_cli.checkpoints.loading import Checkpoint, load_any_format, save_as_format
from videomae_cli.config.clip import IMAGENET_MEAN
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError
from videomae_cli.models.build import build_autoencoder, build_classifier
from videomae_cli.tasks.load_model import read_checkpoint

ATTENTION = "attention.attention."
Change = Callable[[dict[str, Any]], object]


def folder(path: Path, config: ModelConfig = CLASSIFIER, format_name: str = "hf") -> Path:
    """Write a folder of random weights like another program: without our configuration."""
    torch.manual_seed(0)
    model = build_classifier(config) if config.kind == "classifier" else build_autoencoder(config)
    weights = {name: torch.randn_like(tensor) for name, tensor in model.state_dict().items()}
    save_as_format(path, weights, config, format_name)
    change_weights(path, lambda tensors: None)
    return path


def change_weights(path: Path, change: Change) -> None:
    tensors = load_file(path / "model.safetensors")
    change(tensors)
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})


def change_json(path: Path, name: str, change: Change) -> None:
    content = json.loads((path / f"{name}.json").read_text())
    change(content)
    (path / f"{name}.json").write_text(json.dumps(content))


def respell(tensors: dict[str, Tensor], *, keep: bool = False) -> None:
    """Spell biases as linear layers do, without a key bias."""
    for name in [name for name in tensors if name.endswith(("q_bias", "v_bias"))]:
        long = {"q_bias": "query.bias", "v_bias": "value.bias"}[name[-6:]]
        tensors[name[:-6] + long] = tensors[name] + keep
        if not keep:
            del tensors[name]


def same(first: Checkpoint, second: Checkpoint) -> bool:
    return first.weights.keys() == second.weights.keys() and all(
        torch.equal(tensor, second.weights[name]) for name, tensor in first.weights.items()
    )


def test_a_folder_states_everything_but_the_stride(tmp_path: Path) -> None:
    loaded = read_checkpoint(folder(tmp_path / "hf"))

    config = loaded.config
    assert (config.encoder, config.grid, config.classes) == (
        STACK,
        CLASSIFIER.grid,
        CLASSIFIER.classes,
    )
    assert all("stride" in line or "sampling" in line for line in loaded.report.assumed)
    assert "CC BY-NC 4.0" in loaded.warning and "sha256" in config.derived_from[0]


def test_a_file_inside_a_folder_is_read_with_the_folder(tmp_path: Path) -> None:
    path = folder(tmp_path / "hf")

    assert load_any_format(path / "model.safetensors").config == load_any_format(path).config


def test_all_spellings_of_the_biases_give_the_same_weights(tmp_path: Path) -> None:
    first = load_any_format(folder(tmp_path / "hf"))
    short = folder(tmp_path / "short")
    change_weights(short, respell)
    linear = folder(tmp_path / "linear", format_name="hf-linear")

    assert same(first, load_any_format(short)) and same(first, load_any_format(linear))
    dropped = load_any_format(linear).report.dropped
    assert len(dropped) == 2 and all("softmax" in reason for reason in dropped.values())


def test_the_first_spelling_takes_precedence_if_a_file_has_two(tmp_path: Path) -> None:
    first = load_any_format(folder(tmp_path / "hf"))
    both = folder(tmp_path / "both")
    change_weights(both, lambda tensors: respell(tensors, keep=True))

    loaded = load_any_format(both)

    assert same(first, loaded)
    assert len(loaded.report.dropped) == 4
    assert all("another spelling" in reason for reason in loaded.report.dropped.values())


def test_lost_biases_and_an_untrained_head_are_reported(tmp_path: Path) -> None:
    path = folder(tmp_path / "hf")

    def zero(tensors: dict[str, Tensor]) -> None:
        for name in tensors:
            if name.endswith(("q_bias", "v_bias", "classifier.bias")):
                tensors[name].zero_()

    assert not load_any_format(path).report.defects
    change_weights(path, zero)
    defects = " ".join(load_any_format(path).report.defects)

    assert "5.5.1 to 5.17.0" in defects and "never trained" in defects


def test_the_epsilon_and_the_first_token_are_reported(tmp_path: Path) -> None:
    path = folder(tmp_path / "hf", CLASSIFIER.model_copy(update={"pooling": "first"}))
    change_json(path, "config", lambda content: content.pop("layer_norm_eps"))

    loaded = read_checkpoint(path)

    assert loaded.config.pooling == "first"
    assert "1e-12" in loaded.report.defects[0] and "first token" in loaded.report.defects[1]


@pytest.mark.parametrize(("classes", "heads"), [(400, 6), (174, 6), (10, 16)])
def test_the_small_model_is_given_its_six_heads_where_it_is_the_published_one(
    tmp_path: Path, classes: int, heads: int
) -> None:
    stack = STACK.model_copy(update={"dim": 384, "heads": 16})
    names = tuple(f"class {k}" for k in range(classes))
    config = CLASSIFIER.model_copy(update={"encoder": stack, "classes": names})
    path = folder(tmp_path / "hf", config)

    loaded = load_any_format(path)

    assert loaded.config.encoder.heads == heads
    assert "16" in " ".join(loaded.report.defects)
    assert load_any_format(path, Hints(heads=16)).config.encoder.heads == 16


CONTRADICTIONS = [
    ("num_hidden_layers", 3, r"missing: videomae\.encoder\.layer\.2"),
    ("num_hidden_layers", 1, r"videomae\.encoder\.layer\.1 is too many"),
    ("hidden_size", 48, r"projection\.weight has hidden_size 24, config\.json has 48"),
    ("patch_size", 16, "patch_size"),
    ("tubelet_size", 1, "tubelet_size"),
    ("intermediate_size", 5, "intermediate_size"),
    ("hidden_act", "relu", "hidden_act"),
    ("num_frames", "four", "not a positive whole number"),
    ("num_frames", 10**9, "more than 1,048,576"),
    ("image_size", [32, 0], "not a positive whole number"),
    ("num_attention_heads", 5, "does not divide embedding dimension 24"),
    ("id2label", {"0": "a"}, r"classifier\.weight has 3 rows.* 1 classes"),
    ("id2label", {"1": "a", "2": "b", "3": "c"}, "from 0"),
]


def test_every_config_that_contradicts_the_weights_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "hf")
    original = (path / "config.json").read_text()
    wrong = []
    for field, value, words in CONTRADICTIONS:
        (path / "config.json").write_text(json.dumps({**json.loads(original), field: value}))
        message = find_refusal(path)
        if re.search(words, message) is None:
            wrong.append((field, value, message))

    assert wrong == []


def find_refusal(path: Path) -> str:
    """Return why a folder is refused; empty if it is not."""
    try:
        load_any_format(path)
    except CheckpointError as error:
        return error.message
    return ""


def test_statistics_come_from_the_processor_or_its_defaults(tmp_path: Path) -> None:
    path = folder(tmp_path / "hf")
    change_json(path, "preprocessor_config", lambda content: content.pop("image_mean"))
    assert load_any_format(path).config.mean == (0.5, 0.5, 0.5)

    old = "feature_extractor_type"
    change_json(path, "preprocessor_config", lambda s: (s.clear(), s.update({old: "Video"})))
    assert load_any_format(path).config.mean == IMAGENET_MEAN

    (path / "preprocessor_config.json").unlink()
    loaded = load_any_format(path)
    assert loaded.config.mean == IMAGENET_MEAN
    assert any("preprocessor_config.json" in line for line in loaded.report.assumed)


def test_statistics_other_than_three_numbers_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "hf")
    accepted = []
    for value in ["abc", 5, [0.5, 0.5], [1, 1, 0], [1, 1, float("nan")], [[]] * 3]:
        change = {"image_std": value}
        change_json(path, "preprocessor_config", lambda content, new=change: content.update(new))
        if "three valid numbers" not in find_refusal(path):
            accepted.append(value)

    assert accepted == []


def test_frames_that_fill_no_tubelet_are_left_out_and_that_is_reported(tmp_path: Path) -> None:
    path = folder(tmp_path / "hf")
    change_json(path, "config", lambda content: content.update({"num_frames": 63}))

    loaded = read_checkpoint(path)

    assert loaded.config.grid.frames == 62
    assert any("the last 1 of 63 fill no token" in line for line in loaded.report.assumed)


def test_a_guess_is_used_only_if_the_folder_states_nothing(tmp_path: Path) -> None:
    path = folder(tmp_path / "hf")
    guess = Hints(heads=4, is_guess=True)

    assert load_any_format(path, guess).config.encoder.heads == 3
    (path / "config.json").unlink()
    assert load_any_format(path / "model.safetensors", guess).config.encoder.heads == 4


def test_an_edited_label_takes_precedence_over_the_stored_configuration(tmp_path: Path) -> None:
    model = build_classifier(CLASSIFIER)
    config = CLASSIFIER.model_copy(update={"license": "MIT"})
    save_as_format(tmp_path / "hf", model.state_dict(), config, "hf")

    assert load_any_format(tmp_path / "hf").config == config
    change_json(
        tmp_path / "hf", "config", lambda content: content["id2label"].update({"2": "down"})
    )

    assert load_any_format(tmp_path / "hf").config.classes == ("left", "right", "down")
    assert load_any_format(tmp_path / "hf").config.license == "MIT"


def test_many_tensors_go_into_shards_with_an_index(tmp_path: Path) -> None:
    first = load_any_format(folder(tmp_path / "hf", AUTOENCODER))
    weights = load_file(tmp_path / "hf" / "model.safetensors")
    config_json = json.loads((tmp_path / "hf" / "config.json").read_text())

    write_folder(
        tmp_path / "cut", weights, AUTOENCODER, {"config": config_json}, shard_bytes=20_000
    )
    index = json.loads((tmp_path / "cut" / "model.safetensors.index.json").read_text())

    assert len(set(index["weight_map"].values())) > 2
    assert index["weight_map"].keys() == weights.keys()
    assert same(first, read_checkpoint(tmp_path / "cut"))


@pytest.mark.parametrize("fault", ["away", "stranger", "outside", "moved"])
def test_shards_and_index_must_agree(tmp_path: Path, fault: str) -> None:
    folder(tmp_path / "hf")
    weights = load_file(tmp_path / "hf" / "model.safetensors")
    config_json = json.loads((tmp_path / "hf" / "config.json").read_text())
    path = tmp_path / "cut"
    write_folder(path, weights, CLASSIFIER, {"config": config_json}, shard_bytes=20_000)
    name = "classifier.bias"

    def change(content: dict[str, Any]) -> None:
        where = content["weight_map"]
        if fault == "stranger":
            where["stranger"] = where[name]
        elif fault == "outside":
            where[name] = "../hf/model.safetensors"
        elif fault == "moved":
            where[name] = next(shard for shard in where.values() if shard != where[name])

    if fault == "away":
        next(path.glob("model-00002*")).unlink()
    change_json(path, "model.safetensors.index", change)

    words = {"away": "is missing", "stranger": "stranger", "outside": "outside", "moved": name}
    with pytest.raises(CheckpointError, match=words[fault]):
        load_any_format(path)


def test_a_config_that_is_not_json_is_named(tmp_path: Path) -> None:
    path = folder(tmp_path / "hf")
    (path / "config.json").write_text("{")

    with pytest.raises(CheckpointError, match=r"config\.json is not JSON"):
        load_any_format(path)
