"""The smallest data set and the smallest recipes that take the whole walk."""

from pathlib import Path

from tests.data.make_clips import write_clip
from videomae_cli.cli import app

PRETRAIN = """
kind: pretrain
clip: {frames: 4, stride_frames: 2, size: 32, tubelet: 2, patch: 8}
model: {size: micro, decoder: {depth: 1, dim: 32, heads: 2}, drop_path: 0.2}
mask: {strategy: tube, ratio: 0.75}
target: {normalize: patch}
augment: {crop: multiscale, flip: true}
optim: {base_lr: 0.02, min_lr: 0.0, weight_decay: 0.05, betas: [0.9, 0.95]}
schedule: {steps: 12, warmup_steps: 2}
train: {batch: 4, micro_batch: 2, precision: fp32, save_every_steps: 5, log_every_steps: 3,
        workers: 0}
"""
FINETUNE = """
kind: finetune
clip: {frames: 4, stride_frames: 2, size: 32, tubelet: 2, patch: 8}
model: {size: micro, drop_path: 0.1, head_dropout: 0.1}
augment: {crop: random-resized, flip: true, randaugment: rand-m7-n4-mstd0.5-inc1, erasing: 0.5,
          repeats: 2, mixup: 0.8, cutmix: 1.0, smoothing: 0.1}
optim: {base_lr: 0.02, min_lr: 0.0, weight_decay: 0.05, betas: [0.9, 0.999], layer_decay: 0.75,
        clip_grad: 5.0}
schedule: {steps: 8, warmup_steps: 2}
train: {batch: 4, micro_batch: 4, precision: fp32, save_every_steps: 3, log_every_steps: 2,
        workers: 2}
eval: {clips: 2, crops: 3, every_epochs: 1}
"""


def make_data(folder: Path) -> Path:
    """Return a prepared data set of 14 training and 6 validation clips in two classes."""
    for number in range(20):
        split = "train" if number < 14 else "val"
        kind = ("slow", "fast")[number % 2]
        write_clip(
            folder / "videos" / split / kind / f"clip {number}.mp4",
            10 + number % 5,
            height=40,
            width=56,
            seed=number,
        )
    out = folder / "data"
    assert app.run(["prepare", str(folder / "videos"), "--out", str(out), "--workers", "1"]) == 0
    return out


def write_recipes(folder: Path) -> Path:
    """Return the folder, with `micro.yaml` and `micro-finetune.yaml` in it."""
    (folder / "micro.yaml").write_text(PRETRAIN)
    (folder / "micro-finetune.yaml").write_text(FINETUNE)
    return folder
