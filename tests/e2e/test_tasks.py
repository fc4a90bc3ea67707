"""Several labels, and values, from a table to a classifier that was trained on them.

Shapes: V videos, K classes or values.
"""

import json
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


def finetune(folder: Path, *settings: str, out: str = "run", more: tuple[str, ...] = ()) -> int:
    (folder / "recipe.yaml").write_text(RECIPE)
    line = ["finetune", "--recipe", str(folder / "recipe.yaml"), "--data", str(folder / "data")]
    line += ["--checkpoint", "scratch", "--out", str(folder / out), *more]
    return run(line + [word for setting in settings for word in ("--set", setting)])


def figures(run_dir: Path) -> dict[str, float]:
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return {name: value for line in lines for name, value in line.items()}


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

    assert finetune(tmp_path, "schedule.steps=800", "schedule.warmup_steps=50") == 0

    target_VK, score_VK = score_val(tmp_path / "run", data)
    mean_precision = average_precision_score(target_VK, score_VK, average="macro")
    assert mean_precision >= 0.9
    assert figures(tmp_path / "run")["val_map"] == pytest.approx(mean_precision, abs=1e-4)
    assert json.loads((tmp_path / "run/verdict.json").read_text())["word"] == "normal"


@pytest.mark.slow
def test_the_speed_of_a_disc_is_learned_from_scratch(tmp_path: Path) -> None:
    data = prepare(tmp_path, "regression", train=400, val=100)

    assert finetune(tmp_path, "schedule.steps=500", "schedule.warmup_steps=50") == 0

    target_VK, value_VK = score_val(tmp_path / "run", data)
    r2 = r2_score(target_VK, value_VK)
    logged = figures(tmp_path / "run")
    assert r2 >= 0.8
    assert logged["val_r2"] == pytest.approx(r2, abs=1e-4)
    assert logged["val_mae"] == pytest.approx(np.abs(target_VK - value_VK).mean(), abs=1e-4)
    assert json.loads((tmp_path / "run/verdict.json").read_text())["word"] == "normal"
