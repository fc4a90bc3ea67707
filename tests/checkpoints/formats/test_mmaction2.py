"""MMAction2 files: the stored position embedding is checked, and gives the size of a clip."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.notes import CLASSIFIER, written
from videomae_cli.checkpoints.formats.mmaction2 import POSITIONS
from videomae_cli.checkpoints.hints import Hints
from videomae_cli.checkpoints.loading import load_any_format, save_as_format
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError
from videomae_cli.position_table import sine_table
from videomae_cli.tasks.load_model import read_checkpoint

LONG = CLASSIFIER.model_copy(
    update={"grid": replace(CLASSIFIER.grid, frames=16, height=48, width=48)}
)


def file(path: Path, config: ModelConfig = LONG, **extra: Any) -> Path:
    """A recogniser as MMAction2 writes it, with more tensors on request."""
    loaded = read_checkpoint(written(path.parent / "native", config))
    save_as_format(path, loaded.weights, config, "mmaction2")
    saved = torch.load(path, weights_only=True)  # noqa: TID251  (as others read it)
    state = {**saved["state_dict"], **extra}
    torch.save({"meta": saved["meta"], "state_dict": state}, path)
    return path


def test_the_file_has_the_published_names_and_the_table(tmp_path: Path) -> None:
    path = file(tmp_path / "mm.pth")
    saved = torch.load(path, weights_only=True)  # noqa: TID251  (as others read it)

    state = saved["state_dict"]
    assert state[POSITIONS].shape == (1, 8 * 36, 24)
    assert torch.equal(state[POSITIONS][0], sine_table(8 * 36, 24))
    assert {"backbone.patch_embed.projection.weight", "cls_head.fc_cls.bias"} <= state.keys()
    assert "backbone.blocks.0.mlp.layers.0.0.weight" in state
    assert saved["meta"]["dataset_meta"]["classes"] == ["left", "right", "up"]


def test_the_size_of_a_clip_follows_from_the_position_embedding(tmp_path: Path) -> None:
    loaded = read_checkpoint(file(tmp_path / "mm.pth"), Hints(heads=3))

    assert loaded.config.grid.height == 48
    assert "computed" in loaded.report.dropped[POSITIONS]


def test_learned_positions_are_refused(tmp_path: Path) -> None:
    path = file(tmp_path / "mm.pth", **{POSITIONS: sine_table(288, 24)[None] + 1e-3})

    with pytest.raises(CheckpointError, match=rf"{POSITIONS}.*learned position embeddings"):
        load_any_format(path, Hints(heads=3))


def test_only_the_backbone_of_a_detector_is_read(tmp_path: Path) -> None:
    path = file(tmp_path / "mm.pth")
    state = torch.load(path, weights_only=True)["state_dict"]  # noqa: TID251
    detector = {
        name.replace("fc_norm", "norm"): tensor
        for name, tensor in state.items()
        if not name.startswith("cls_head")
    }
    head = "roi_head.bbox_head.fc_cls"
    detector |= {f"{head}.weight": torch.zeros(81, 24), f"{head}.bias": torch.zeros(81)}
    torch.save({"state_dict": detector}, tmp_path / "ava.pth")

    loaded = read_checkpoint(tmp_path / "ava.pth", Hints(heads=3))

    assert (loaded.config.kind, loaded.config.norm_of) == ("encoder", "tokens")
    assert {f"{head}.weight", f"{head}.bias", POSITIONS} == loaded.report.dropped.keys()
