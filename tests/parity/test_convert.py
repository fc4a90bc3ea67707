"""Golden weights are the same after conversion to any format and back; differences are found."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.parity import convert, golden_file

SUPPORTED = {
    "videomae_pretrain": {"hf", "hf-linear", "v1"},
    "videomae_finetune": {"hf", "hf-linear", "v1", "v2", "mmaction2"},
    "videoms_pretrain": {"hf", "hf-linear", "v1"},
    "mae_st_pretrain": {"mae-st"},
    "mae_st_finetune": {"mae-st"},
}


@pytest.mark.parametrize("name", sorted(SUPPORTED))
def test_golden_weights_are_the_same_after_every_supported_format(
    name: str, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = convert.main([str(shared / "golden" / f"{name}.safetensors")])

    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert code == 0
    assert {line.split()[1] for line in lines} == SUPPORTED[name]
    assert all(line.endswith(" ok") for line in lines)
    assert len(printed.err.splitlines()) == len(convert.WRITTEN) - len(SUPPORTED[name])


def test_an_unsupported_format_is_an_error_if_it_is_named(shared: Path) -> None:
    path = shared / "golden" / "mae_st_finetune.safetensors"

    assert convert.main([str(path), "mmaction2"]) == 2


def test_a_wrong_weight_is_found(shared: Path, tmp_path: Path) -> None:
    path = shared / "golden" / "videomae_finetune.safetensors"
    tensors = load_file(path)
    tensors["sd.head.bias"] = tensors["sd.head.bias"] + 1e-3
    save_file(tensors, tmp_path / "wrong.safetensors", golden_file.read(path).metadata)

    assert convert.main([str(tmp_path / "wrong.safetensors"), "v1"]) == 1


def test_an_unknown_file_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")

    assert convert.main([str(tmp_path / "x.safetensors")]) == 2
