"""A classifier whose outputs are not finite gets no accuracy, and no file that is not JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.notes import CLASSIFIER, written
from videomae_cli.checkpoints.native import write_native
from videomae_cli.cli import app
from videomae_cli.engine.logging.metrics import read_metrics

LARGEST = torch.finfo(torch.float32).max


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def evaluate(model: Path, data: Path) -> int:
    line = ["eval", "--checkpoint", f"{model}", "--data", f"{data}", "--precision", "fp32"]
    return app.run([*line, "--json", "--allow-untrained-head"])


def write_classifier(folder: Path, weight: float) -> Path:
    """Write a classifier whose first logit is one feature times a weight, and the second zero."""
    config = CLASSIFIER.model_copy(update={"classes": ("fast", "slow")})
    weights = load_file(written(folder, config) / "model.safetensors")
    weights["fc_norm.bias"][0] += 10  # a feature of about 10, different for each video
    weights["head.weight"].zero_()
    weights["head.weight"][0, 0] = weight
    write_native(folder, weights, config)
    return folder


def test_videos_without_finite_outputs_are_wrong_and_named(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finite = write_classifier(tmp_path / "finite", 0.1)
    assert evaluate(finite, prepared) == 0
    probability_V = np.load(finite / "eval/val-5x3/scores.npz")["probability"][:, 0]
    feature_V = np.log(probability_V / (1 - probability_V)) / 0.1
    overflowing = write_classifier(tmp_path / "some", LARGEST / float(np.median(feature_V)))
    capsys.readouterr()

    assert evaluate(overflowing, prepared) == 0

    printed = capsys.readouterr()
    text = (overflowing / "eval/val-5x3/result.json").read_text()
    result = json.loads(text, parse_constant=refuse)
    assert json.loads(printed.out, parse_constant=refuse)["not_finite"] == result["not_finite"]
    scores = np.load(overflowing / "eval/val-5x3/scores.npz")
    is_finite_V = np.isfinite(scores["probability"]).all(axis=1)
    assert 0 < is_finite_V.sum() < 6
    assert result["not_finite"] == scores["path"][~is_finite_V].tolist()
    assert result["top1"] == (is_finite_V & (scores["label"] == 0)).mean()
    for path in result["not_finite"]:
        assert f"{path}: the classifier's outputs are not finite; counted as wrong" in printed.err


def test_a_classifier_without_any_finite_output_is_an_error(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overflowing = write_classifier(tmp_path / "all", LARGEST)

    assert evaluate(overflowing, prepared) == 4

    error = capsys.readouterr().err
    assert "all/model.safetensors: the classifier's outputs are not finite for any of 6" in error
    assert not (overflowing / "eval").exists()


def test_a_validation_without_any_finite_output_ends_the_run(
    prepared: Path, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    line = ["finetune", "--recipe", f"{recipes}/micro-finetune.yaml", "--data", f"{prepared}"]
    # the loss of step 0 is finite; its update makes the weights so large that no output is
    changes = ["optim.base_lr=1e38", "schedule.steps=1", "schedule.warmup_steps=0"]
    for change in [*changes, "augment.repeats=1", "optim.clip_grad=null"]:
        line += ["--set", change]

    assert app.run([*line, "--checkpoint", "scratch", "--out", f"{run}"]) == 5

    assert "step 1: validation: the classifier's outputs are not finite" in capsys.readouterr().err
    verdict = json.loads((run / "verdict.json").read_text(), parse_constant=refuse)
    assert verdict["word"] == "diverged" and "validation" in verdict["reasons"][0]
    assert not any("val_top1" in line for line in read_metrics(run / "metrics.jsonl"))
