"""prepare, pretrain, finetune, eval, visualize-mask, convert: as a user runs them, in order."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from tests.data.make_clips import write_clip
from videomae_cli.cli import app
from videomae_cli.engine.logging.metrics import read_metrics


def test_the_whole_walk(
    prepared: Path,
    recipes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert app.run(["pretrain", "--recipe", f"{recipes}/micro.yaml", "--data", str(prepared)]) == 0
    run = next(tmp_path.glob("runs/micro-2*"))
    assert [line["step"] for line in read_metrics(run / "metrics.jsonl")] == [3, 6, 9, 12]
    assert json.loads((run / "environment.json").read_text())["packages"]["torch"]

    fine = ["finetune", "--recipe", f"{recipes}/micro-finetune.yaml", "--data", str(prepared)]
    assert app.run(fine) == 0
    assert f"using the newest finished pretrain run, {run.relative_to(tmp_path)}" in (
        capsys.readouterr().out
    )
    tuned = next(tmp_path.glob("runs/micro-finetune-*"))
    validations = [line for line in read_metrics(tuned / "metrics.jsonl") if "val_top1" in line]
    assert [line["step"] for line in validations] == [3, 6, 8]
    config = json.loads((tuned / "final/model.json").read_text())
    assert config["classes"] == ["fast", "slow"]
    assert "autoencoder" in config["derived_from"][-1]

    assert app.run(["eval", "--clips", "5", "--crops", "3"]) == 0
    assert "(5 x 3 views, 32, softmax mean, 6 of 6 val videos)" in capsys.readouterr().out
    scores = np.load(tuned / "eval/val-5x3/scores.npz")
    assert scores["probability"].shape == (6, 2)
    np.testing.assert_allclose(scores["probability"].sum(axis=1), 1, atol=1e-5)
    result = json.loads((tuned / "eval/val-5x3/result.json").read_text())
    assert result["top1"] == np.mean(scores["probability"].argmax(axis=1) == scores["label"])

    clip = write_clip(tmp_path / "clip.mp4", 20)
    assert app.run(["visualize-mask", str(clip)]) == 0
    assert app.run(["visualize-mask", str(clip), "--checkpoint", str(run)]) == 0
    assert {path.suffix for path in tmp_path.glob("runs/visualize-mask/*")} == {
        ".png",
        ".gif",
        ".mp4",
    }

    assert app.run(["convert", str(tuned), "tuned.pth", "--to", "v1"]) == 0
    assert app.run(["convert", "tuned.pth", "back"]) == 0
    before, after = (
        load_file(tuned / "final/model.safetensors"),
        load_file("back/model.safetensors"),
    )
    assert before.keys() == after.keys()
    assert all(before[name].equal(after[name]) for name in before)


def test_evaluation_never_replaces_a_video_that_cannot_be_decoded(
    prepared: Path, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned = ["finetune", "--recipe", f"{recipes}/micro-finetune.yaml", "--data", str(prepared)]
    tuned += ["--checkpoint", "scratch", "--set", "schedule.steps=2", "--out", f"{tmp_path}/run"]
    assert app.run(tuned) == 0
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in prepared.iterdir():
        if file.is_file():
            (broken / file.name).write_bytes(file.read_bytes())
    manifest = (broken / "manifest.csv").read_text().replace("clip 15.mp4", "clip gone.mp4")
    (broken / "manifest.csv").write_text(manifest)
    capsys.readouterr()

    evaluate = ["eval", "--checkpoint", f"{tmp_path}/run", "--data", str(broken)]
    assert app.run([*evaluate, "--dump", f"{tmp_path}/scores.pkl"]) == 0

    told = capsys.readouterr()
    assert "5 of 6 val videos, 1 unreadable" in told.out
    assert "clip gone.mp4" in told.err
    assert "scores.pkl: 1 undecodable video has no row" in " ".join(told.err.split())

    few = tmp_path / "few.csv"
    few.write_text("path,source\nclip 1.mp4,a\n")
    evaluate += ["--out", f"{tmp_path}/result"]
    assert app.run([*evaluate, "--baselines", "--group-column", f"{few}:source"]) == 3

    assert "few.csv: no row for" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "result").exists()  # found before anything was computed

    names = (f"clip {number}.mp4" for number in (14, "gone", 16, 17, 18, 19))
    few.write_text("path,source\n" + "".join(f"{name},a\n" for name in names))
    assert app.run([*evaluate, "--baselines", "--group-column", f"{few}:source"]) == 3

    assert "few.csv: no row for" in " ".join(capsys.readouterr().err.split())
    assert list((tmp_path / "result/unfinished").glob("*.npz"))  # what was computed is kept


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (["pretrain", "--recipe", "k400-vitb"], 3, "data/k400 contains no prepared videos"),
        (["pretrain"], 2, "no recipe given"),
        (["finetune", "--recipe", "micro.yaml", "--checkpoint", "scratch"], 2, "a pretrain recipe"),
        (["pretrain", "--resume", "nowhere"], 2, "contains no run"),
        (["pretrain", "--recipe", "micro.yaml", "--set", "train.batch=99"], 3, "do not fill"),
        (["eval"], 4, "no finished `videomae finetune` run"),
        (["eval", "--checkpoint", "nowhere"], 4, "nowhere"),
    ],
)
def test_a_mistake_is_told_with_its_exit_code(
    prepared: Path,
    recipes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [str(recipes / word) if word == "micro.yaml" else word for word in command]
    if "micro.yaml" in " ".join(command):
        command += ["--data", str(prepared)]

    assert app.run(command) == code

    told = capsys.readouterr().err
    assert message in told
    assert "hint:" in told
