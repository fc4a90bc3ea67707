"""Files that are not weights are refused with a reason; a failed write leaves no partial file."""

import argparse
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from videomae_cli.checkpoints.destination import write_torch
from videomae_cli.checkpoints.native import read_model_config, write_native
from videomae_cli.checkpoints.reading.files import copy_weights, read_contents, read_weights
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.errors import CheckpointError
from videomae_cli.grid import TokenGrid

CONFIG = ModelConfig(
    kind="classifier",
    encoder=TransformerConfig(dim=8, depth=1, heads=2, mlp_dim=16),
    grid=TokenGrid(frames=4, height=8, width=8, tubelet=2, patch=4, channels=3),
    classes=("left", "right"),
)
WEIGHTS = {"head.weight": torch.arange(16.0).reshape(2, 8), "head.bias": torch.zeros(2)}


class Runs:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


def _save(path: Path, saved: object, **options: bool) -> Path:
    torch.save(saved, path, **options)
    return path


def test_a_torch_file_is_read_whatever_its_age(tmp_path: Path) -> None:
    new = _save(tmp_path / "new.pth", WEIGHTS)
    old = _save(tmp_path / "old.pth", WEIGHTS, _use_new_zipfile_serialization=False)

    for path in (new, old):
        weights, metadata = read_weights(path)

        assert weights.keys() == WEIGHTS.keys()
        assert all(torch.equal(weights[name], WEIGHTS[name]) for name in WEIGHTS)
        assert metadata["container"].startswith("torch")


def test_training_arguments_beside_the_weights_are_allowed(tmp_path: Path) -> None:
    args = argparse.Namespace(num_frames=16, output_dir="out", betas=[0.9, 0.95])
    path = _save(tmp_path / "checkpoint-799.pth", {"model": WEIGHTS, "args": args})

    saved = read_contents(path).saved

    assert isinstance(saved, dict) and saved["args"] == args


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused_by_the_name_of_the_class(
    tmp_path: Path, zipped: bool
) -> None:
    held = {"model": WEIGHTS, "extra": Runs(tmp_path / "trace")}
    path = _save(tmp_path / "bad.pth", held, _use_new_zipfile_serialization=zipped)

    with pytest.raises(CheckpointError, match="mkdir") as caught:
        read_contents(path)

    assert caught.value.exit_code == 4
    assert not (tmp_path / "trace").exists()


def test_files_that_are_not_weights_are_refused_by_their_type(tmp_path: Path) -> None:
    whole = _save(tmp_path / "whole.pth", WEIGHTS).read_bytes()
    write_native(tmp_path / "native", WEIGHTS, CONFIG)
    safetensors = (tmp_path / "native" / "model.safetensors").read_bytes()
    cases = {
        "empty": (b"", "empty"),
        "page": (b"\n<!DOCTYPE html><html>Quota exceeded</html>", "web page"),
        "noise": (b"\x13\x37" * 200, "neither a safetensors nor a torch file"),
        "cut": (whole[: len(whole) // 2], "damaged"),
        "safetensors cut": (safetensors[:-8], "damaged"),
        "header of a terabyte": ((10**12).to_bytes(8, "little") + b'{"a":1}', "damaged"),
        "tensor of 10^9 values": (_claiming(10**9), "damaged"),
        "pickle": (pickle.dumps({1, 2}, protocol=2), "not one that torch wrote"),
        "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git-lfs"),
        "text": (b"Entry not found\n", "text, not weights: 'Entry not found'"),
        "zeros": (bytes(4096), "nothing but zeros"),
        "tar": (b"a.pth".ljust(257, b"\0") + b"ustar", "tar archive"),
        "gzip": (b"\x1f\x8b\x08rest", "gzip archive"),
    }

    for name, (content, words) in cases.items():
        path = tmp_path / f"{name}.bin"
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=words) as caught:
            read_contents(path)
        assert str(path) in caught.value.message


def _claiming(count: int) -> bytes:
    """Return a safetensors file whose header declares more than the file has."""
    header = f'{{"a":{{"dtype":"F32","shape":[{count}],"data_offsets":[0,{4 * count}]}}}}'
    return len(header).to_bytes(8, "little") + header.encode() + b"\0" * 16


def test_a_header_whose_length_reads_like_a_web_page_is_still_safetensors(tmp_path: Path) -> None:
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    length = int.from_bytes(b" <" + bytes(6), "little")
    path = tmp_path / "model.safetensors"
    path.write_bytes(b" <" + bytes(6) + header.ljust(length) + bytes(4))

    assert read_weights(path)[0]["a"].tolist() == [0.0]


def test_a_flipped_byte_never_escapes_as_anything_but_a_checkpoint_error(tmp_path: Path) -> None:
    whole = _save(tmp_path / "whole.pth", {"model": WEIGHTS, "epoch": 3}).read_bytes()
    path = tmp_path / "flipped.pth"
    refused = 0

    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_contents(path)
        except CheckpointError:
            refused += 1

    assert refused > 20


def test_an_archive_that_unpacks_to_more_than_it_is_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"\0" * 10**6)

    with pytest.raises(CheckpointError, match="compressed"):
        read_contents(path)


def test_tensors_that_declare_more_values_than_the_file_has_are_refused(tmp_path: Path) -> None:
    path = _save(tmp_path / "wide.pth", {"a": torch.zeros(1).expand(10**9)})

    with pytest.raises(CheckpointError, match="declare 4,000,000,000 bytes"):
        read_weights(path)


def test_half_precision_is_read_as_float32_and_integers_stay(tmp_path: Path) -> None:
    held = {"a": torch.tensor([1.5], dtype=torch.float16), "b": torch.tensor([3])}
    path = _save(tmp_path / "half.pth", held)

    weights = copy_weights(held, path.stat().st_size)

    assert weights["a"].dtype == torch.float32 and weights["a"].item() == 1.5
    assert weights["b"].dtype == torch.int64


def test_native_weights_and_configuration_are_read_as_written(tmp_path: Path) -> None:
    tied = {**WEIGHTS, "copy": WEIGHTS["head.weight"].T}

    write_native(tmp_path / "final", tied, CONFIG)
    weights, _ = read_weights(tmp_path / "final" / "model.safetensors")

    assert read_model_config(tmp_path / "final") == CONFIG
    assert all(torch.equal(weights[name], tied[name]) for name in tied)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["final"]


def test_writing_again_replaces_native_files_and_nothing_else(tmp_path: Path) -> None:
    final = tmp_path / "final"
    write_native(final, WEIGHTS, CONFIG)
    write_native(final, {"head.bias": torch.ones(2)}, CONFIG)
    (final / "notes.txt").write_text("mine")

    with pytest.raises(CheckpointError, match=r"notes\.txt"):
        write_native(final, WEIGHTS, CONFIG)

    assert (final / "notes.txt").read_text() == "mine"
    assert read_weights(final / "model.safetensors")[0].keys() == {"head.bias"}


def test_a_failed_write_leaves_the_old_file_and_no_partial_file(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    write_torch(path, {"model": WEIGHTS})
    before = path.read_bytes()

    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        write_torch(path, {"model": WEIGHTS, "unpicklable": lambda: None})

    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.pth"]


def test_an_invalid_configuration_is_refused_by_file_and_field(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"kind": "classifier", "colour": "red"}')

    with pytest.raises(CheckpointError, match=r"model\.json.*encoder"):
        read_model_config(tmp_path)
