"""Tiny runs, healthy and with a planted fault: the verdict names the fault."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.data.make_clips import write_clip
from tests.notes import Notes
from videomae_cli.cli import app
from videomae_cli.config.recipe_files import dump_recipe, load_recipe
from videomae_cli.data.loader import Order, SampleKey
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.engine.runtime import Runtime
from videomae_cli.report import Silence
from videomae_cli.tasks.diagnose.report import diagnose_at_end
from videomae_cli.tasks.run_dir import RunDir
from videomae_cli.tasks.train import pretrain
from videomae_cli.tasks.train.job import open_manifest
from videomae_cli.tasks.train.train import train


def arguments(recipes: Path, data: Path, out: Path, *changes: str) -> list[str]:
    line = ["pretrain", "--recipe", str(recipes / "micro.yaml"), "--data", str(data)]
    for change in ["train.micro_batch=4", *changes]:
        line += ["--set", change]
    return [*line, "--out", str(out)]


def verdict_of(run: Path) -> tuple[str, str]:
    verdict = json.loads((run / "verdict.json").read_text())
    return verdict["word"], "; ".join(verdict["reasons"])


def test_a_healthy_run_is_normal(
    prepared: Path, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longer = ["schedule.steps=160", "schedule.warmup_steps=16", "optim.base_lr=0.128"]
    longer += ["model.drop_path=0.0"]

    assert app.run(arguments(recipes, prepared, tmp_path / "run", *longer)) == 0

    word, reason = verdict_of(tmp_path / "run")
    assert word == "normal", reason
    assert f"verdict: normal: {reason}" in capsys.readouterr().out
    assert (tmp_path / "run/curves.png").stat().st_size > 10_000


def test_the_verdict_says_what_is_shorter_than_a_clip(
    prepared: Path, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for stride in (1, 50):
        changes = ["schedule.steps=4", "schedule.warmup_steps=1", f"clip.stride_frames={stride}"]

        assert app.run(arguments(recipes, prepared, tmp_path / str(stride), *changes)) == 0

    videos = open_manifest(load_recipe(str(tmp_path / "50/recipe.yaml"))).split("train")
    said = f"{len(videos)} of {len(videos)} train videos are shorter than a clip ("
    assert said in capsys.readouterr().out
    assert said in verdict_of(tmp_path / "50")[1]
    assert "shorter than a clip" not in verdict_of(tmp_path / "1")[1]


def test_a_run_that_stays_on_the_plateau_is_told_how_to_leave_it(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    still = ["schedule.steps=120", "schedule.warmup_steps=4", "optim.base_lr=1.0e-9"]
    known = [*still, "mask.strategy=tube", "mask.ratio=0.9", "target.normalize=patch"]
    other = [*still, "mask.strategy=random", "mask.ratio=0.5", "target.normalize=none"]

    assert app.run(arguments(recipes, prepared, tmp_path / "known", *known)) == 0
    assert app.run(arguments(recipes, prepared, tmp_path / "other", *other)) == 0

    word, reason = verdict_of(tmp_path / "known")
    assert word == "suspicious"
    assert "no better than predicting the mean" in reason
    assert "mask.strategy=tube mask.ratio=0.9 target.normalize=patch stayed" in reason
    assert "plateau" not in verdict_of(tmp_path / "other")[1]


def test_a_learning_rate_a_thousand_times_too_high_has_diverged(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    excessive = ["schedule.steps=48", "optim.base_lr=128.0"]

    assert app.run(arguments(recipes, prepared, tmp_path / "run", *excessive)) == 0

    word, reason = verdict_of(tmp_path / "run")
    assert word == "diverged", reason
    assert "is far too high; lower optim.base_lr" in reason


def test_mean_and_std_of_another_scale_are_named(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    scale = ["clip.mean=[123.7, 116.3, 103.5]", "clip.std=[58.4, 57.1, 57.4]"]

    assert app.run(arguments(recipes, prepared, tmp_path / "run", *scale)) == 0

    word, reason = verdict_of(tmp_path / "run")
    assert word == "suspicious"
    assert "clip.mean and clip.std are for pixels from 0 to 1" in reason


def test_black_videos_are_named(recipes: Path, tmp_path: Path) -> None:
    for number in range(8):
        dark = np.zeros((10, 40, 56, 3), np.uint8)
        write_clip(tmp_path / f"videos/{number}.mp4", dark)
    data = tmp_path / "data"
    assert app.run(["prepare", str(tmp_path / "videos"), "--out", str(data)]) == 0

    assert app.run(arguments(recipes, data, tmp_path / "run")) == 0

    word, reason = verdict_of(tmp_path / "run")
    assert word == "suspicious"
    assert "100% of the probed clips are entirely black" in reason


class Frozen(Order):
    """An order that repeats the first epoch, as a sampler without `set_epoch` does."""

    def step_samples(self, step: int) -> list[SampleKey]:
        epoch, place = divmod(step, self.steps_per_epoch)
        return [(epoch, index) for _, index in super().step_samples(place)]


def test_a_frozen_data_order_is_named(prepared: Path, recipes: Path, tmp_path: Path) -> None:
    recipe = load_recipe(str(recipes / "micro.yaml"), [f"data={prepared}"], "pretrain")
    run, notes = tmp_path / "run", Notes()
    with Runtime("fp32") as runtime, RunDir(run, runtime) as run_dir:
        job = pretrain.build_job(recipe, open_manifest(recipe), runtime, Silence())
        frozen = Frozen(job.order.videos, job.order.batch, job.order.seed)
        with diagnose_at_end(run, recipe, runtime, notes):
            train(job._replace(order=frozen), run_dir, runtime, notes)

    word, reason = verdict_of(run)
    assert word == "suspicious"
    assert "all 4 epochs began with the same videos in the same order" in reason


def test_a_nan_loss_ends_in_a_verdict(prepared: Path, recipes: Path, tmp_path: Path) -> None:
    line = arguments(recipes, prepared, tmp_path / "run", "optim.base_lr=1e38", "schedule.steps=30")

    assert app.run(line) == 5

    word, reason = verdict_of(tmp_path / "run")
    assert word == "diverged"
    assert "loss nan" in reason


@pytest.mark.parametrize("command", [["report"], ["pretrain", "--report"]])
def test_report_diagnoses_a_run_that_is_still_writing(
    command: list[str],
    prepared: Path,
    recipes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "run"
    assert app.run(arguments(recipes, prepared, run, "schedule.steps=6")) == 0
    (run / "verdict.json").unlink()
    (run / "curves.png").unlink()
    before = (run / "metrics.jsonl").read_bytes()
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 9, "lo')  # a line that is being written
    capsys.readouterr()

    assert app.run([*command, str(run), "--json"]) == 0

    captured = capsys.readouterr()
    printed = json.loads(captured.out)
    assert printed["word"] == "normal"
    assert "too few steps" in printed["reasons"][0]
    assert verdict_of(run)[0] == "normal"
    assert (run / "curves.png").stat().st_size > 10_000
    assert (run / "metrics.jsonl").read_bytes().startswith(before)
    is_deprecated = f"use: videomae report {run}" in captured.err
    assert is_deprecated == (command[0] == "pretrain")


def test_report_diagnoses_fine_tuning_runs_and_refuses_other_directories(
    prepared: Path, recipes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    assert app.run(["report", str(run)]) == 2
    assert f"error: {run} contains no run" in capsys.readouterr().err

    recipe = load_recipe(str(recipes / "micro-finetune.yaml"), [f"data={prepared}"], "finetune")
    (run / "recipe.yaml").write_text(dump_recipe(recipe))
    assert app.run(["report", str(run)]) == 2
    assert "has logged nothing yet" in capsys.readouterr().err

    (run / "metrics.jsonl").write_text('{"step": 1, "loss": 1.4, "lr": 0.001, "grad_norm": 0.5}\n')
    assert app.run(["report", str(run)]) == 0
    assert f"wrote {run}/verdict.json and {run}/curves.png" in capsys.readouterr().out
    assert verdict_of(run)[0] == "normal"
    assert sorted(path.name for path in run.iterdir()) == [
        *("curves.png", "metrics.jsonl", "recipe.yaml", "verdict.json")
    ]


def test_metrics_have_a_mark_of_the_order_and_the_worst_step(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    assert app.run(arguments(recipes, prepared, tmp_path / "run")) == 0

    lines = read_metrics(tmp_path / "run/metrics.jsonl")
    assert len({line["order"] for line in lines}) == len(lines) == 4
    assert all(line["loss_max"] >= line["loss"] for line in lines)
    probed = [line["step"] for line in lines if "rank" in line]
    assert probed == [3, 12]  # the first line and the last
    speed = read_metrics(tmp_path / "run/speed.jsonl")
    assert all(0.05 < line["peak_gb"] < 100 for line in speed)
