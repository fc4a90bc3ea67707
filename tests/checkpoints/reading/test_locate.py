"""A path means a file, a directory of weights or a finished run; anything else is told apart."""

from pathlib import Path

import pytest
import torch

from tests.checkpoints.reading.test_files import CARD, WEIGHTS
from videomae_cli.checkpoints.loading import load
from videomae_cli.checkpoints.native import write_native
from videomae_cli.errors import CheckpointError


def test_a_directory_a_run_and_a_lone_file_are_the_same_weights(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "mine"
    write_native(run / "final", WEIGHTS, CARD)
    lone = tmp_path / "elsewhere.safetensors"
    lone.write_bytes((run / "final" / "model.safetensors").read_bytes())

    for path in (run, run / "final", run / "final" / "model.safetensors", lone):
        loaded = load(path)

        assert loaded.config == CARD and loaded.format == "native"
        assert torch.equal(loaded.weights["head.weight"], WEIGHTS["head.weight"])
        assert loaded.report.matched == ("head.bias", "head.weight")


def test_a_run_without_final_weights_says_that_it_has_not_finished(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.yaml").write_text("kind: pretrain\n")

    with pytest.raises(CheckpointError, match="has not finished") as caught:
        load(tmp_path / "run")

    assert "--resume" in caught.value.hint


def test_a_directory_of_something_else_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")

    with pytest.raises(CheckpointError, match=r"it holds holiday\.jpg"):
        load(tmp_path)


def test_a_missing_path_names_what_is_near_it(tmp_path: Path) -> None:
    (tmp_path / "vit.pth").write_bytes(b"x")

    with pytest.raises(CheckpointError, match="no such file") as near:
        load(tmp_path / "vti.pth")
    with pytest.raises(CheckpointError) as far:
        load(tmp_path / "nowhere" / "vit.pth")

    assert "vit.pth" in near.value.hint
    assert "nowhere" in far.value.hint


def test_a_damaged_card_is_an_error_and_not_a_guess(tmp_path: Path) -> None:
    write_native(tmp_path / "final", WEIGHTS, CARD)
    (tmp_path / "final" / "model.json").write_text("{")

    with pytest.raises(CheckpointError, match=r"model\.json"):
        load(tmp_path / "final")
