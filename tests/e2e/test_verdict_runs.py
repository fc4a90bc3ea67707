"""Real tiny runs, healthy and with a planted fault: the verdict names the fault."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.data.make_clips import write_clip
from tests.notes import Notes
from videomae_cli.cli import app
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.data.loader import Order, SampleKey
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.engine.runtime import Runtime
from videomae_cli.tasks.diagnose import report as run_report
from videomae_cli.tasks.run_dir import RunDir
from videomae_cli.tasks.train import pretrain
from videomae_cli.tasks.train.job import open_manifest
from videomae_cli.tasks.train.train import train


def words(recipes: Path, data: Path, out: Path, *changes: str) -> list[str]:
    made = ["pretrain", "--recipe", str(recipes / "micro.yaml"), "--data", str(data)]
    for change in ["train.micro_batch=4", *changes]:
        made += ["--set", change]
    return [*made, "--out", str(out)]


def verdict_of(run: Path) -> tuple[str, str]:
    found = json.loads((run / "verdict.json").read_text())
    return found["word"], "; ".join(found["reasons"])


def test_a_healthy_run_is_normal(
    prepared: Path, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longer = ["schedule.steps=160", "schedule.warmup_steps=16", "optim.base_lr=0.128"]
    longer += ["model.drop_path=0.0"]

    assert app.run(words(recipes, prepared, tmp_path / "run", *longer)) == 0

    word, reason = verdict_of(tmp_path / "run")
    assert word == "normal", reason
    assert f"verdict: normal: {reason}" in capsys.readouterr().out
    assert (tmp_path / "run/curves.png").stat().st_size > 10_000


def test_a_rate_a_thousand_times_too_high_has_diverged(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    wild = ["schedule.steps=48", "optim.base_lr=128.0"]

    assert app.run(words(recipes, prepared, tmp_path / "run", *wild)) == 0

    word, reason = verdict_of(tmp_path / "run")
    assert word == "diverged", reason
    assert "is far too high; lower optim.base_lr" in reason


def test_mean_and_deviation_of_another_scale_are_named(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    scale = ["clip.mean=[123.7, 116.3, 103.5]", "clip.std=[58.4, 57.1, 57.4]"]

    assert app.run(words(recipes, prepared, tmp_path / "run", *scale)) == 0

    word, reason = verdict_of(tmp_path / "run")
    assert word == "suspicious"
    assert "clip.mean and clip.std are for pixels from 0 to 1" in reason


def test_black_videos_are_named(recipes: Path, tmp_path: Path) -> None:
    for number in range(8):
        dark = np.zeros((10, 40, 56, 3), np.uint8)
        write_clip(tmp_path / f"videos/{number}.mp4", dark)
    data = tmp_path / "data"
    assert app.run(["prepare", str(tmp_path / "videos"), "--out", str(data)]) == 0

    assert app.run(words(recipes, data, tmp_path / "run")) == 0

    word, reason = verdict_of(tmp_path / "run")
    assert word == "suspicious"
    assert "100% of the clips looked at are all black" in reason


class Frozen(Order):
    """Every epoch in the order of the first: what forgetting `set_epoch` does elsewhere."""

    def step_samples(self, step: int) -> list[SampleKey]:
        epoch, place = divmod(step, self.steps_per_epoch)
        return [(epoch, index) for _, index in super().step_samples(place)]


def test_a_frozen_data_order_is_named(prepared: Path, recipes: Path, tmp_path: Path) -> None:
    recipe = load_recipe(str(recipes / "micro.yaml"), [f"data={prepared}"], "pretrain")
    run, notes = tmp_path / "run", Notes()
    with Runtime("fp32") as runtime, RunDir(run, runtime) as run_dir:
        job = pretrain.build_job(recipe, open_manifest(recipe), runtime)
        frozen = Frozen(job.order.videos, job.order.batch, job.order.seed)
        with run_report.diagnose_at_end(run, recipe, runtime, notes):
            train(job._replace(order=frozen), run_dir, runtime, notes)

    word, reason = verdict_of(run)
    assert word == "suspicious"
    assert "each of 4 epochs began with the same videos in the same order" in reason


def test_a_loss_that_is_no_number_ends_in_a_verdict(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    words_ = words(recipes, prepared, tmp_path / "run", "optim.base_lr=1e38", "schedule.steps=30")

    assert app.run(words_) == 5

    word, reason = verdict_of(tmp_path / "run")
    assert word == "diverged"
    assert "loss nan" in reason


def test_a_verdict_can_be_asked_for_at_any_time(
    prepared: Path, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert app.run(words(recipes, prepared, run, "schedule.steps=6")) == 0
    (run / "verdict.json").unlink()
    before = (run / "metrics.jsonl").read_bytes()
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 9, "lo')  # a line that is being written
    capsys.readouterr()

    assert app.run(["pretrain", "--report", str(run), "--json"]) == 0

    printed = json.loads(capsys.readouterr().out)
    assert printed["word"] == "normal"
    assert "too few steps" in printed["reasons"][0]
    assert verdict_of(run)[0] == "normal"
    assert (run / "metrics.jsonl").read_bytes().startswith(before)
    assert app.run(["pretrain", "--report", str(tmp_path / "nowhere")]) == 2


def test_what_is_recorded_tells_epochs_apart_and_the_worst_step(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    assert app.run(words(recipes, prepared, tmp_path / "run")) == 0

    lines = read_metrics(tmp_path / "run/metrics.jsonl")
    assert len({line["order"] for line in lines}) == len(lines) == 4
    assert all(line["loss_max"] >= line["loss"] for line in lines)
    looked = [line["step"] for line in lines if "rank" in line]
    assert looked == [3, 12]  # the first line and the last
    speed = read_metrics(tmp_path / "run/speed.jsonl")
    assert all(0.05 < line["peak_gb"] < 100 for line in speed)
