"""Files of known training scripts load completely; the moving average only on request."""

from pathlib import Path

import pytest
import torch

from tests.checkpoints.test_loading import HINTS, drawn, finetune_shapes, pretrain_shapes
from videomae_cli.checkpoints.loading import load_any_format
from videomae_cli.errors import CheckpointError


@pytest.mark.parametrize("wrapper", ["model_state", "state_dict", "net", "teacher", "student"])
def test_wrappers_of_other_programs_are_known(tmp_path: Path, wrapper: str) -> None:
    weights = drawn(finetune_shapes())
    torch.save({wrapper: weights, "epoch": 3, "meta": {}}, tmp_path / "x.pth")

    loaded = load_any_format(tmp_path / "x.pth", HINTS)

    assert len(loaded.weights) == len(weights)
    assert loaded.report.dropped == {"epoch": "not weights", "meta": "not weights"}


def test_the_moving_average_is_read_only_on_request(tmp_path: Path) -> None:
    plain, average = drawn(finetune_shapes()), drawn(finetune_shapes(), seed=1)
    torch.save({"model": plain, "model_ema": average}, tmp_path / "x.pth")
    torch.save({"model": plain}, tmp_path / "plain.pth")
    torch.save({"model_ema": average}, tmp_path / "average.pth")

    unasked, asked = (
        load_any_format(tmp_path / "x.pth", HINTS),
        load_any_format(tmp_path / "x.pth", HINTS, ema=True),
    )

    assert torch.equal(unasked.weights["head.weight"], plain["head.weight"])
    assert torch.equal(asked.weights["head.weight"], average["head.weight"])
    assert "model_ema" in unasked.report.dropped and "model" in asked.report.dropped
    with pytest.raises(CheckpointError, match="no weights under model_ema"):
        load_any_format(tmp_path / "plain.pth", HINTS, ema=True)
    with pytest.raises(CheckpointError, match="no weights under model") as caught:
        load_any_format(tmp_path / "average.pth", HINTS)
    assert "--ema" in caught.value.hint


def test_a_deepspeed_folder_is_read_through_its_tag(tmp_path: Path) -> None:
    weights = drawn(finetune_shapes())
    folder = tmp_path / "out" / "checkpoint-74"
    folder.mkdir(parents=True)
    torch.save({"module": weights, "ds_version": "0.9"}, folder / "mp_rank_00_model_states.pt")
    (tmp_path / "out" / "latest").write_text("checkpoint-74\n")

    for path in (tmp_path / "out", folder):
        assert torch.equal(load_any_format(path, HINTS).weights["head.bias"], weights["head.bias"])


def test_a_file_with_only_an_encoder_is_read_as_an_encoder(tmp_path: Path) -> None:
    whole = drawn(pretrain_shapes())
    encoder = {name: tensor for name, tensor in whole.items() if name.startswith("encoder.")}
    torch.save(encoder, tmp_path / "encoder.pth")

    config = load_any_format(tmp_path / "encoder.pth", HINTS).config

    assert (config.kind, config.norm_of) == ("encoder", "tokens")


def test_only_the_encoder_of_a_detector_is_read(tmp_path: Path) -> None:
    weights = drawn(finetune_shapes(classes=80))
    detector = {name.replace("fc_norm", "norm"): tensor for name, tensor in weights.items()}
    torch.save({"module": detector}, tmp_path / "ava.pth")

    loaded = load_any_format(tmp_path / "ava.pth", HINTS)

    assert (loaded.config.kind, loaded.config.norm_of) == ("encoder", "tokens")
    assert loaded.report.dropped.keys() == {"head.weight", "head.bias"}


def test_the_similarity_to_videoms_files_is_reported(tmp_path: Path) -> None:
    torch.save({"model": drawn(pretrain_shapes())}, tmp_path / "x.pth")

    assert any(
        "EVEREST" in line for line in load_any_format(tmp_path / "x.pth", HINTS).report.assumed
    )
