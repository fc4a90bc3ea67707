"""`--dry-run` measures with the run's own code, and leaves nothing behind."""

import json
import statistics
from pathlib import Path

import pytest
from safetensors.torch import load_file

from videomae_cli.cli import app
from videomae_cli.engine.logging.metrics import read_metrics

LONGER = ["schedule.steps=30", "train.log_every_steps=5", "train.save_every_steps=10"]


def words(verb: str, recipe: Path, *changes: str) -> list[str]:
    made = [verb, "--recipe", str(recipe)]
    for change in changes:
        made += ["--set", change]
    return made


def forecast(capsys: pytest.CaptureFixture[str], line: list[str]) -> dict[str, object]:
    capsys.readouterr()
    assert app.run([*line, "--dry-run", "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_a_dry_run_foresees_the_run_and_leaves_nothing(
    prepared: Path, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [*words("pretrain", recipes / "micro.yaml", *LONGER), "--data", str(prepared)]
    line += ["--out", str(tmp_path / "run")]

    found = forecast(capsys, line)
    assert list(tmp_path.iterdir()) == []
    assert app.run(line) == 0

    weights = load_file(tmp_path / "run/final/model.safetensors")
    assert found["parameters"] == sum(value.numel() for value in weights.values())
    assert found["tokens"] == {"all": 32, "visible": 8, "targets": 24}
    assert (found["micro_batch"], found["accumulation"], found["batch"]) == (2, 2, 4)
    assert found["steps_left"] == 30
    saves = sorted((tmp_path / "run/checkpoints").iterdir())
    size = sum(file.stat().st_size for file in saves[-1].iterdir())
    assert found["disk"]["kept"] == len(saves) == 3
    assert found["disk"]["checkpoint"] == pytest.approx(size, rel=0.01)
    speed = read_metrics(tmp_path / "run/speed.jsonl")
    seen = statistics.median(4 / line["clips_per_s"] for line in speed)
    # other programs share the machine of a test: the same order of magnitude is asked for here
    assert seen / 5 < found["step_seconds"] < 5 * seen
    assert found["peak_bytes"] == pytest.approx(1e9 * speed[-1]["peak_gb"], rel=0.15)


def test_half_way_through_a_run_only_the_rest_is_foreseen(
    prepared: Path, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    line = [*words("pretrain", recipes / "micro.yaml"), "--data", str(prepared), "--out", run]
    assert app.run(line) == 0

    assert forecast(capsys, ["pretrain", "--resume", run])["steps_left"] == 0


@pytest.mark.slow
def test_a_finetuning_dry_run_counts_validations_and_cost(
    prepared: Path, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [*words("finetune", recipes / "micro-finetune.yaml"), "--data", str(prepared)]
    line += ["--checkpoint", "scratch", "--out", str(tmp_path / "run"), "--price-per-hour", "36"]

    found = forecast(capsys, line)

    assert found["tokens"] == {"all": 32, "visible": 32, "targets": None}
    assert found["cost"] == pytest.approx(36 * found["hours"])
    assert found["data_wait"] is not None
    assert app.run([*line, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "3 validations of" in shown
    assert "at 36 per hour" in shown
    assert not list(tmp_path.iterdir())


def test_without_data_a_pretraining_is_measured_and_what_is_not_known_is_said(
    recipes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    line = words("pretrain", recipes / "micro.yaml")

    found = forecast(capsys, line)
    epochs = ["schedule.steps=null", "schedule.warmup_steps=null"]
    epochs += ["schedule.epochs=2", "schedule.warmup_epochs=0"]
    open_ended = forecast(capsys, words("pretrain", recipes / "micro.yaml", *epochs))

    assert found["step_seconds"] > 0
    assert found["data_wait"] is None
    assert found["notes"] == ["measured on synthetic clips: data-loading figures are omitted"]
    assert found["hours"] > 0
    assert open_ended["hours"] is None


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--dry-run", "--data", "nowhere"], 3, "nowhere contains no prepared videos"),
        (["--price-per-hour", "3"], 2, "has no effect without --dry-run"),
    ],
)
def test_a_dry_run_refuses_what_the_run_would(
    recipes: Path, capsys: pytest.CaptureFixture[str], more: list[str], code: int, message: str
) -> None:
    assert app.run([*words("pretrain", recipes / "micro.yaml"), *more]) == code

    assert message in capsys.readouterr().err
