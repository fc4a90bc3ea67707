"""Golden weights survive every format: the script says so, and sees it where they do not."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.parity import convert, golden_file

HELD = {
    "videomae_pretrain": {"hf", "hf-linear", "v1"},
    "videomae_finetune": {"hf", "hf-linear", "v1", "v2", "mmaction2"},
    "videoms_pretrain": {"hf", "hf-linear", "v1"},
    "mae_st_pretrain": {"mae-st"},
    "mae_st_finetune": {"mae-st"},
}


@pytest.mark.parametrize("name", sorted(HELD))
def test_golden_weights_survive_every_format_that_can_hold_them(
    name: str, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = convert.main([str(shared / "golden" / f"{name}.safetensors")])

    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert code == 0
    assert {line.split()[1] for line in lines} == HELD[name]
    assert all(line.endswith(" ok") for line in lines)
    assert len(told.err.splitlines()) == len(convert.WRITTEN) - len(HELD[name])


def test_a_format_that_cannot_hold_the_file_is_an_error_when_asked_for(shared: Path) -> None:
    path = shared / "golden" / "mae_st_finetune.safetensors"

    assert convert.main([str(path), "mmaction2"]) == 2


def test_a_wrong_weight_is_seen(shared: Path, tmp_path: Path) -> None:
    path = shared / "golden" / "videomae_finetune.safetensors"
    tensors = load_file(path)
    tensors["sd.head.bias"] = tensors["sd.head.bias"] + 1e-3
    save_file(tensors, tmp_path / "wrong.safetensors", golden_file.read(path).metadata)

    assert convert.main([str(tmp_path / "wrong.safetensors"), "v1"]) == 1


def test_a_file_of_no_kind_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")

    assert convert.main([str(tmp_path / "x.safetensors")]) == 2
