"""Several labels, and values, from a table to a classifier that was trained on them.

Shapes: V videos, K classes or values.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, r2_score

from tests.e2e.moving_shapes import (
    FRAMES,
    SHAPES,
    SIDE,
    draw_moving_disc,
    draw_shapes,
    write_videos,
)
from videomae_cli.cli.app import run
from videomae_cli.data.decode import read_frames
from videomae_cli.data.manifest import read_manifest
from videomae_cli.models.outputs import to_scores
from videomae_cli.tasks.load_model import load_classifier, read_checkpoint

RECIPE = f"""
kind: finetune
clip: {{frames: {FRAMES}, stride_frames: 1, size: {SIDE}, tubelet: 2, patch: 8}}
model: {{size: micro, drop_path: 0.0, head_scale: 1.0}}
augment: {{crop: center, flip: true}}
optim: {{base_lr: 0.016, min_lr: 0.0, weight_decay: 0.05, betas: [0.9, 0.999],
        clip_grad: 1.0}}
schedule: {{steps: 10, warmup_steps: 2}}
train: {{batch: 32, micro_batch: 32, precision: fp32, save_every_steps: 500, log_every_steps: 10,
        workers: 0}}
eval: {{clips: 1, crops: 1}}
"""


def prepare(folder: Path, task: str, *, train: int, val: int) -> Path:
    is_multi = task == "multi-label"
    names = SHAPES if is_multi else ("speed",)
    sample = draw_shapes if is_multi else draw_moving_disc
    table = write_videos(folder / "videos", sample, names, train=train, val=val)
    columns = ["--label-column", ",".join(names)]
    line = ["prepare", str(table), "--out", str(folder / "data"), "--task", task, *columns]
    assert run([*line, "--workers", "2"]) == 0
    return folder / "data"


def finetune(folder: Path, *settings: str, out: str = "run", start: str = "scratch") -> int:
    (folder / "recipe.yaml").write_text(RECIPE)
    line = ["finetune", "--recipe", str(folder / "recipe.yaml"), "--data", str(folder / "data")]
    line += ["--checkpoint", start, "--out", str(folder / out)]
    return run(line + [word for setting in settings for word in ("--set", setting)])


def figures(run_dir: Path) -> dict[str, float]:
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return {name: value for line in lines for name, value in line.items()}


def evaluate(run_dir: Path) -> dict[str, float]:
    """Return the metrics of `videomae eval` on the validation videos."""
    out = run_dir / "evaluated"
    line = ["eval", "--checkpoint", str(run_dir), "--split", "val", "--precision", "fp32"]
    assert run([*line, "--out", str(out)]) == 0
    metrics: dict[str, float] = json.loads((out / "result.json").read_text())
    return metrics


def score_val(run_dir: Path, data: Path) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return target_VK and score_VK of the validation videos, computed here from their frames."""
    loaded, manifest = read_checkpoint(run_dir), read_manifest(data)
    model = load_classifier(loaded).eval()
    videos = manifest.split("val")
    clips = [read_frames(manifest.video_path(v), range(FRAMES), decoder=v.decoder) for v in videos]
    clip_VCTHW = torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3)
    with torch.no_grad():
        score_VK = to_scores(model(clip_VCTHW), loaded.config).numpy()
    return np.array([video.target for video in videos]), score_VK


@pytest.mark.slow
def test_which_shapes_appear_is_learned_from_scratch(tmp_path: Path) -> None:
    data = prepare(tmp_path, "multi-label", train=800, val=150)

    steps = ("schedule.steps=2000", "schedule.warmup_steps=50")
    assert finetune(tmp_path, *steps, "optim.base_lr=0.008") == 0

    target_VK, score_VK = score_val(tmp_path / "run", data)
    mean_precision = average_precision_score(target_VK, score_VK, average="macro")
    assert mean_precision >= 0.9
    assert evaluate(tmp_path / "run")["map"] == pytest.approx(mean_precision, abs=1e-4)
    assert json.loads((tmp_path / "run/verdict.json").read_text())["word"] == "normal"


@pytest.mark.slow
def test_the_speed_of_a_disc_is_learned_from_scratch(tmp_path: Path) -> None:
    data = prepare(tmp_path, "regression", train=600, val=100)

    steps = ("schedule.steps=1600", "schedule.warmup_steps=50")
    batch = ("train.batch=64", "train.micro_batch=64", "optim.base_lr=0.004")
    assert finetune(tmp_path, *steps, *batch) == 0

    target_VK, value_VK = score_val(tmp_path / "run", data)
    r2 = r2_score(target_VK, value_VK)
    metrics = evaluate(tmp_path / "run")
    assert r2 >= 0.8
    assert metrics["r2"] == pytest.approx(r2, abs=1e-4)
    assert metrics["mae"] == pytest.approx(np.abs(target_VK - value_VK).mean(), abs=1e-4)
    assert json.loads((tmp_path / "run/verdict.json").read_text())["word"] == "normal"


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `data` of 12 multi-label training and 6 validation videos."""
    folder = tmp_path_factory.mktemp("labels")
    prepare(folder, "multi-label", train=12, val=6)
    return folder


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("values")
    prepare(folder, "regression", train=12, val=6)
    return folder


SMALL = ("train.batch=4", "train.micro_batch=4", "schedule.steps=6", "schedule.warmup_steps=1")
MIXED = ("augment.mixup=0.8", "augment.cutmix=1.0", "augment.repeats=2", "train.ema=0.9")


def train_once(labels: Path) -> Path:
    """Return a finished multi-label run."""
    if not (labels / "run/final").is_dir():
        assert finetune(labels, *SMALL) == 0
    return labels / "run"


def test_a_multi_label_run_resumes_exactly_and_its_model_json_says_the_task(
    labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ("augment.smoothing=0.1", "class_weights=balanced", "eval.every_epochs=1")
    assert finetune(labels, *SMALL, *MIXED, *settings, "train.save_every_steps=3") == 0
    assert "best validation mAP " in capsys.readouterr().out
    whole = figures(labels / "run")

    newest = max((labels / "run/checkpoints").iterdir())
    shutil.rmtree(newest)
    shutil.rmtree(labels / "run/final")
    assert run(["finetune", "--resume", str(labels / "run")]) == 0

    config = json.loads((labels / "run/final/model.json").read_text())
    assert figures(labels / "run") == whole
    assert config["task"] == config["recipe"]["task"] == "multi-label"
    assert config["classes"] == list(SHAPES)
    target_VK, score_VK = score_val(labels / "run", labels / "data")
    precisions = [
        average_precision_score(target_VK[:, k], score_VK[:, k])
        for k in range(len(SHAPES))
        if target_VK[:, k].any()
    ]
    assert figures(labels / "run")["val_map"] == pytest.approx(np.mean(precisions), abs=1e-4)
    assert evaluate(labels / "run")["map"] == pytest.approx(np.mean(precisions), abs=1e-4)


def test_a_regression_converts_to_files_that_output_its_units(
    values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finetune(values, *SMALL, *MIXED) == 0
    assert "best validation mean absolute error " in capsys.readouterr().out
    config = json.loads((values / "run/final/model.json").read_text())
    train = np.array([video.target for video in read_manifest(values / "data").split("train")])
    assert config["target_mean"] == pytest.approx(np.mean(train, axis=0))
    assert config["target_std"] == pytest.approx(np.std(train, axis=0))
    _, value_VK = score_val(values / "run", values / "data")

    for name, to in (("hf", "hf"), ("v1.pth", "v1")):
        assert run(["convert", str(values / "run"), str(values / name), "--to", to]) == 0
        _, again_VK = score_val(values / name, values / "data")
        assert np.allclose(again_VK, value_VK, atol=1e-5)
        assert "task" in read_checkpoint(values / name).config.to_json()
    assert "programs that read" in capsys.readouterr().err
    stored = json.loads((values / "hf/config.json").read_text())
    assert stored["problem_type"] == "regression"
    assert "for k, x in enumerate(logits)" in (values / "hf/README.md").read_text()


def test_a_head_for_another_task_is_drawn_afresh_and_the_run_says_so(
    labels: Path, values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = train_once(labels)
    capsys.readouterr()

    assert finetune(values, *SMALL, out="second", start=str(start)) == 0

    shown = capsys.readouterr().out
    assert "the head is drawn afresh: the checkpoint has a head for multi-label" in shown


@pytest.mark.parametrize(
    ("settings", "error", "hint"),
    [
        (("task=single-label",), "was prepared for regression", "--set task=regression"),
        (("augment.smoothing=0.1",), "label smoothing is for classes", "augment.smoothing=0"),
        (("class_weights=balanced",), "class_weights have no meaning", "--set class_weights=null"),
    ],
)
def test_a_recipe_that_does_not_fit_the_data_is_refused_before_a_run_is_written(
    values: Path,
    capsys: pytest.CaptureFixture[str],
    settings: tuple[str, ...],
    error: str,
    hint: str,
) -> None:
    assert finetune(values, *SMALL, *settings, out="refused") == 2

    shown = capsys.readouterr().err
    assert error in shown and hint in shown and not (values / "refused").exists()


def test_a_fork_for_another_task_is_refused(
    labels: Path, values: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["finetune", "--resume", str(train_once(labels)), "--fork"]
    line += ["--out", str(tmp_path / "fork"), "--data", str(values / "data")]

    for setting in ("task=null", "class_weights=null", "augment.smoothing=0"):
        line += ["--set", setting]
    assert run(line) == 5
    assert "its task is regression; that of" in capsys.readouterr().err


def test_prepare_reports_the_task_in_json(
    labels: Path, values: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, task in ((labels, "multi-label"), (values, "regression")):
        line = ["prepare", str(folder / "videos/list.csv"), "--out", str(folder / "data")]
        line += ["--task", task, "--json", "--label-column"]
        assert run([*line, "speed" if task == "regression" else ",".join(SHAPES)]) == 0
        shown = json.loads(capsys.readouterr().out)
        manifest = read_manifest(folder / "data")
        target_VK = np.array([video.target for video in manifest.split("train")])
        assert shown["task"] == task and shown["digest"] == manifest.digest
        if task == "multi-label":
            counts = dict(zip(SHAPES, map(int, target_VK.sum(axis=0)), strict=True))
            assert shown["labels"]["train"] == counts
        else:
            assert shown["values"]["train"]["speed"]["mean"] == pytest.approx(target_VK.mean())
