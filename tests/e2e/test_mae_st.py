"""MAE-ST, small: pretrain, fine-tune with the pretrained norm, evaluate, through the tasks."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.data.make_clips import write_clip
from tests.notes import Notes
from videomae_cli.cli import app
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.errors import CheckpointError
from videomae_cli.tasks.train import finetune, pretrain
from videomae_cli.tasks.visualize import visualize

CHANGES = ("model.positions=separable", "model.class_token=true", "model.biases=all")
PRETRAIN = (
    *CHANGES,
    "model.init=mae-st",
    "mask.strategy=random",
    "target.normalize=joint",
    "target.frames=linspace",
    "clip.mean=[0.45, 0.45, 0.45]",
    "clip.std=[0.225, 0.225, 0.225]",
)


def test_pretrain_finetune_and_evaluate(prepared: Path, recipes: Path, tmp_path: Path) -> None:
    notes = Notes()
    data = f"data={prepared}"
    first = load_recipe(f"{recipes}/micro.yaml", (*PRETRAIN, data), "pretrain")

    final = pretrain.run(first, tmp_path / "pretrained", notes)

    config = json.loads((final / "model.json").read_text())
    assert config["encoder"]["positions"] == config["decoder"]["positions"] == "separable"
    assert (config["normalize"], config["target_frames"]) == ("joint", "linspace")
    losses = [line["loss"] for line in read_metrics(tmp_path / "pretrained/metrics.jsonl")]
    assert losses[-1] < losses[0]
    weights = load_file(final / "model.safetensors")
    assert weights["decoder.head.weight"].shape == (3 * 8 * 8, 32)

    changes = (*CHANGES, *PRETRAIN[-2:], "model.norm=pretrained", f"start={final}", data)
    second = load_recipe(f"{recipes}/micro-finetune.yaml", changes, "finetune")
    tuned = finetune.run(second, tmp_path / "tuned", notes)

    assert any("2 moved" in line for line in notes.said)
    after = load_file(tuned / "model.safetensors")
    assert torch.allclose(after["fc_norm.weight"], weights["encoder.norm.weight"], atol=0.2)
    assert not torch.equal(after["encoder.positions.time"], weights["encoder.positions.time"])
    assert app.run(["eval", "--checkpoint", str(tuned), "--data", str(prepared)]) == 0

    clip = write_clip(tmp_path / "clip.mp4", 20)
    shown = visualize.run(clip, notes, checkpoint=final, out=tmp_path / "clip.png")
    assert "predicts 1" in shown.as_json()["notice"]


def test_a_sine_recipe_does_not_take_learned_positions(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    changes = (*PRETRAIN, f"data={prepared}", "schedule.steps=2")
    recipe = load_recipe(f"{recipes}/micro.yaml", changes, "pretrain")
    final = pretrain.run(recipe, tmp_path / "pretrained", Notes())
    start = (f"start={final}", f"data={prepared}")
    other = load_recipe(f"{recipes}/micro-finetune.yaml", start, "finetune")

    with pytest.raises(CheckpointError, match=r"separable positions.*sine positions"):
        finetune.run(other, tmp_path / "tuned", Notes())
