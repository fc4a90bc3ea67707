"""A path refers to a file, a directory of weights or a finished run; others are explained."""

from pathlib import Path

import pytest
import torch

from tests.checkpoints.reading.test_files import CONFIG, WEIGHTS
from videomae_cli.checkpoints.loading import load_any_format
from videomae_cli.checkpoints.native import write_native
from videomae_cli.errors import CheckpointError


def test_a_directory_a_run_and_a_lone_file_are_the_same_weights(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "mine"
    write_native(run / "final", WEIGHTS, CONFIG)
    lone = tmp_path / "elsewhere.safetensors"
    lone.write_bytes((run / "final" / "model.safetensors").read_bytes())

    for path in (run, run / "final", run / "final" / "model.safetensors", lone):
        loaded = load_any_format(path)

        assert loaded.config == CONFIG and loaded.format == "native"
        assert torch.equal(loaded.weights["head.weight"], WEIGHTS["head.weight"])
        assert loaded.report.matched == ("head.bias", "head.weight")


def test_a_run_without_final_weights_is_refused_as_unfinished(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.yaml").write_text("kind: pretrain\n")

    with pytest.raises(CheckpointError, match="has not finished") as caught:
        load_any_format(tmp_path / "run")

    assert "--resume" in caught.value.hint


def test_a_directory_without_weights_is_refused_with_its_content(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")

    with pytest.raises(CheckpointError, match=r"it contains holiday\.jpg"):
        load_any_format(tmp_path)


def test_a_missing_path_is_refused_with_the_weights_near_it(tmp_path: Path) -> None:
    (tmp_path / "vit.pth").write_bytes(b"x")

    with pytest.raises(CheckpointError, match="no such file") as near:
        load_any_format(tmp_path / "vti.pth")
    with pytest.raises(CheckpointError) as far:
        load_any_format(tmp_path / "nowhere" / "vit.pth")

    assert "vit.pth" in near.value.hint
    assert "nowhere" in far.value.hint


def test_a_damaged_configuration_is_an_error(tmp_path: Path) -> None:
    write_native(tmp_path / "final", WEIGHTS, CONFIG)
    (tmp_path / "final" / "model.json").write_text("{")

    with pytest.raises(CheckpointError, match=r"model\.json"):
        load_any_format(tmp_path / "final")
