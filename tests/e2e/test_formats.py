"""The same weights give the same numbers in `eval`, whatever format they lie in."""

import json
from pathlib import Path

import numpy as np
import pytest

from videomae_cli.cli import app

FORMATS = {"hf": "copy-hf", "hf-linear": "copy-linear", "v2": "copy-v2"}
FILES = {"v1": "v1.pth", "mmaction2": "mmaction2.pth"}


def test_eval_gives_the_same_numbers_from_every_format(
    prepared: Path, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    tune = ["finetune", "--recipe", f"{recipes}/micro-finetune.yaml", "--data", str(prepared)]
    assert app.run([*tune, "--checkpoint", "scratch", "--out", str(run)]) == 0
    copies = {"native": run}
    for name, file in (FORMATS | FILES).items():
        copies[name] = tmp_path / name / file
        assert app.run(["convert", str(run), str(copies[name]), "--to", name]) == 0

    results = {}
    for name, path in copies.items():
        out = tmp_path / "eval" / name
        command = ["eval", "--checkpoint", str(path), "--data", str(prepared), "--out", str(out)]
        assert app.run([*command, "--clips", "1", "--crops", "1"]) == 0
        result = json.loads((out / "result.json").read_text())
        scores = np.load(out / "scores.npz")["probability"]
        results[name] = ({k: result[k] for k in ("top1", "loss", "videos")}, scores.tolist())

    assert all(result == results["native"] for result in results.values())


def test_fine_tuning_starts_from_another_format_at_another_geometry(
    prepared: Path, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretrain = ["pretrain", "--recipe", f"{recipes}/micro.yaml", "--data", str(prepared)]
    assert app.run([*pretrain, "--set", "schedule.steps=3", "--out", f"{tmp_path}/run"]) == 0
    assert app.run(["convert", f"{tmp_path}/run", f"{tmp_path}/hf", "--to", "hf"]) == 0
    capsys.readouterr()
    tune = ["finetune", "--recipe", f"{recipes}/micro-finetune.yaml", "--data", str(prepared)]
    changes = ("clip.size=48", "clip.frames=8", "clip.tubelet=4", "schedule.steps=2")

    code = app.run(
        [*tune, "--checkpoint", f"{tmp_path}/hf", "--out", f"{tmp_path}/tuned"]
        + [word for change in changes for word in ("--set", change)]
    )

    told = " ".join(capsys.readouterr().out.split())
    assert code == 0
    assert "1 tensor adapted to this recipe: tubelets 2 to 4 frames" in told
    assert "position embeddings computed for 2x6x6 tokens" in told
    config = json.loads((tmp_path / "tuned/final/model.json").read_text())
    assert "(autoencoder, hf)" in config["derived_from"][-1]
