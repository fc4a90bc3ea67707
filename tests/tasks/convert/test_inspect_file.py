"""--inspect describes files of every format without reading their values."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.notes import CLASSIFIER, Notes, written
from videomae_cli.checkpoints.format import find_table
from videomae_cli.checkpoints.formats import FORMATS
from videomae_cli.checkpoints.hints import Hints
from videomae_cli.checkpoints.loading import save_as_format
from videomae_cli.cli.app import run as command
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError
from videomae_cli.tasks.convert import inspect_file
from videomae_cli.tasks.convert.load_report import describe_model
from videomae_cli.tasks.load_model import read_checkpoint

WRITABLE = [n for n, f in FORMATS.items() if f.write is not None and find_table(CLASSIFIER, f)]


@pytest.mark.parametrize("name", WRITABLE)
def test_every_format_is_named_and_described(tmp_path: Path, name: str) -> None:
    loaded = read_checkpoint(written(tmp_path / "native", CLASSIFIER))
    path = tmp_path / ("copy" if FORMATS[name].is_folder else "copy.pth")
    save_as_format(path, loaded.weights, loaded.config, name)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    found = inspect_file.run(path, Notes()).as_json()

    assert found["source_format"] == name and found["refused"] is None
    assert found["card"]["encoder"]["depth"] == 2 and found["card"]["kind"] == "classifier"
    assert found["dtypes"] == {"float32": found["tensors"]}
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_other_content_of_a_file_is_described(tmp_path: Path) -> None:
    weights = read_checkpoint(written(tmp_path / "native", CLASSIFIER)).weights
    halves = {
        f"module._orig_mod.{n.removeprefix('encoder.')}": t.half() for n, t in weights.items()
    }
    args = argparse.Namespace(num_frames=4, input_size=32)
    saved = {"module": halves, "epoch": 7, "global_step": 900, "args": args}
    torch.save(saved, tmp_path / "found.pth")
    notes = Notes()

    found = inspect_file.run(tmp_path / "found.pth", notes, hints=Hints(heads=3)).as_json()

    assert found["container"] == "torch" and found["wrapper"] == "module"
    assert found["prefixes"] == ["_orig_mod.", "module."]
    assert found["progress"] == {"epoch": 7, "global_step": 900}
    assert found["dtypes"] == {"float16": 32} and found["beside"] == [
        "args",
        "epoch",
        "global_step",
    ]
    assert found["card"]["grid"]["frames"] == 4 and found["card"]["grid"]["height"] == 32
    assert notes.has(
        "32 tensors in float16; under module; names prefixed with _orig_mod. and module."
    )


def test_values_are_not_read(tmp_path: Path) -> None:
    weights = read_checkpoint(written(tmp_path / "native", CLASSIFIER)).weights
    bare = {name.removeprefix("encoder."): tensor for name, tensor in weights.items()}
    torch.save({"model": bare}, tmp_path / "found.pth")
    content = (tmp_path / "found.pth").read_bytes()
    value = weights["head.weight"][1, 7].numpy().tobytes()
    flipped = content.replace(value, bytes([value[0] ^ 1, *value[1:]]))
    (tmp_path / "found.pth").write_bytes(flipped)

    found = inspect_file.run(tmp_path / "found.pth", Notes(), hints=Hints(heads=3))

    assert flipped != content and found.refusal is None
    with pytest.raises(CheckpointError, match="CRC"):
        read_checkpoint(tmp_path / "found.pth", Hints(heads=3))


def test_an_unknown_format_is_described_and_then_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"model": {"conv.weight": torch.zeros(2, 3)}, "epoch": 1}, tmp_path / "resnet.pth")

    code = command(["convert", str(tmp_path / "resnet.pth"), "--inspect", "--json"])

    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert code == 4 and "unknown format" in found["refused"] and found["card"] is None
    assert found["shapes"] == [{"name": "conv.weight", "shape": "2x3", "tensors": "1"}]
    assert "unknown format" in printed.err and "known formats" in printed.err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, f"; {len(CLASSIFIER.classes or ())} classes; clips"),
        ({"task": "regression"}, f"; values (regression): {len(CLASSIFIER.classes or ())}; clips"),
        ({"task": "multi-label"}, " classes (multi-label); clips"),
        ({"pooling": "attentive", "pooler_heads": 1}, "; pooling: attentive, 1 heads; clips"),
        ({"grid": replace(CLASSIFIER.grid, channels=1)}, " pixels, channels: 1; tubelets"),
    ],
)
def test_the_model_is_described_with_its_task_pooling_and_channels(
    changes: dict[str, Any], words: str
) -> None:
    if "grid" in changes:
        changes = changes | {"mean": (0.5,), "std": (0.2,)}
    config = ModelConfig.model_validate({**dict(CLASSIFIER), **changes})

    assert words in describe_model(config, {})
