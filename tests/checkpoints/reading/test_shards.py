"""Weights in several files are read as one, and only if they are complete."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from videomae_cli.checkpoints.reading.files import read_contents, read_weights
from videomae_cli.checkpoints.reading.locate import locate_weights
from videomae_cli.errors import CheckpointError

PARTS = {"a.safetensors": {"x": torch.ones(3)}, "b.safetensors": {"y": torch.zeros(2, 2)}}


def sharded(folder: Path) -> Path:
    folder.mkdir()
    for name, tensors in PARTS.items():
        save_file(tensors, folder / name)
    places = {tensor: name for name, tensors in PARTS.items() for tensor in tensors}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 28}, "weight_map": places}))
    return index


def test_the_files_of_an_index_are_read_as_one(tmp_path: Path) -> None:
    index = sharded(tmp_path / "hub")

    weights, metadata = read_weights(index)

    assert weights.keys() == {"x", "y"} and weights["x"].tolist() == [1, 1, 1]
    assert metadata["container"] == "safetensors, 2 files"
    assert locate_weights(tmp_path / "hub").file == index


def test_a_missing_or_different_shard_is_refused(tmp_path: Path) -> None:
    index = sharded(tmp_path / "hub")
    (tmp_path / "hub" / "b.safetensors").unlink()

    with pytest.raises(CheckpointError, match=r"b\.safetensors is missing"):
        read_contents(index)
    save_file({"z": torch.zeros(2, 2)}, tmp_path / "hub" / "b.safetensors")
    with pytest.raises(CheckpointError, match="does not contain y"):
        read_contents(index)


def test_a_config_is_not_an_index(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "videomae"}')

    with pytest.raises(CheckpointError, match="no weight_map"):
        read_contents(tmp_path / "config.json")
