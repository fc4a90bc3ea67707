"""A grey 96 x 160 data set goes the whole walk, from prepare to convert."""

import json
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from tests.data.make_clips import write_clip
from videomae_cli.cli import app
from videomae_cli.data.pixel_statistics import read_statistics

pytestmark = pytest.mark.slow  # about a minute: six short runs

SHAPE = ["clip.size=[96,160]", "clip.patch=32", "clip.channels=1"]
SHAPE += ["clip.mean=measured", "clip.std=measured"]
PRETRAIN = """
kind: pretrain
clip: {frames: 4, stride_frames: 2, size: 32, tubelet: 2, patch: 8}
model: {size: micro, decoder: {depth: 1, dim: 32, heads: 2}}
mask: {strategy: tube, ratio: 0.75}
target: {normalize: patch}
augment: {crop: multiscale, flip: true}
optim: {base_lr: 0.02, min_lr: 0.0, weight_decay: 0.05, betas: [0.9, 0.95]}
schedule: {steps: 4, warmup_steps: 1}
train: {batch: 4, micro_batch: 4, precision: fp32, save_every_steps: 2, log_every_steps: 1,
        workers: 0}
"""
FINETUNE = """
kind: finetune
clip: {frames: 4, stride_frames: 2, size: 32, tubelet: 2, patch: 8}
model: {size: micro}
augment: {crop: random-resized, flip: true, randaugment: rand-m7-n4-mstd0.5-inc1, erasing: 0.5,
          mixup: 0.8, cutmix: 1.0, smoothing: 0.1}
optim: {base_lr: 0.02, min_lr: 0.0, weight_decay: 0.05, betas: [0.9, 0.999]}
schedule: {steps: 3, warmup_steps: 1}
train: {batch: 4, micro_batch: 4, precision: fp32, save_every_steps: 3, log_every_steps: 1,
        workers: 0}
eval: {clips: 2, crops: 3}
"""


def videomae(*words: object) -> int:
    return app.run(list(map(str, words)))


def set_all(keys: list[str]) -> list[str]:
    return [word for key in keys for word in ("--set", key)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the prepared data, the recipes, and a finished pretraining run."""
    folder = tmp_path_factory.mktemp("shapes")
    for number in range(8):
        split, kind = ("train", "val")[number > 5], ("slow", "fast")[number % 2]
        path = folder / "videos" / split / kind / f"{number}.mp4"
        write_clip(path, 10, height=104, width=184, seed=number)
    (folder / "pretrain.yaml").write_text(PRETRAIN)
    (folder / "finetune.yaml").write_text(FINETUNE)
    assert videomae("prepare", folder / "videos", "--out", folder / "data", "--workers", 1) == 0
    assert pretrain(folder, folder / "whole") == 0
    return folder


def pretrain(folder: Path, out: Path, *words: str) -> int:
    recipe = ["--recipe", str(folder / "pretrain.yaml"), "--data", str(folder / "data")]
    return videomae("pretrain", *recipe, "--out", out, *set_all(SHAPE), *words)


def test_the_statistics_of_the_data_are_numbers_in_the_recipe_of_the_run(folder: Path) -> None:
    clip = yaml.safe_load((folder / "whole/recipe.yaml").read_text())["clip"]
    config = json.loads((folder / "whole/final/model.json").read_text())
    statistics = read_statistics(folder / "data")

    assert (clip["size"], clip["channels"]) == ([96, 160], 1)
    assert clip["mean"] == config["mean"] == [statistics.luma_mean]
    assert clip["std"] == config["std"] == [statistics.luma_std]
    assert (config["grid"]["height"], config["grid"]["width"]) == (96, 160)
    assert config["grid"]["channels"] == 1


def test_a_run_that_was_cut_off_resumes_to_the_same_bits(folder: Path) -> None:
    whole, resumed = folder / "whole", folder / "resumed"
    assert pretrain(folder, resumed) == 0
    (newest,) = resumed.glob("checkpoints/step-*4")
    for path in (newest, resumed / "final"):  # as if it had been killed at step 2
        for file in path.iterdir():
            file.unlink()
        path.rmdir()

    assert videomae("pretrain", "--resume", resumed) == 0

    ours, theirs = (load_file(run / "final/model.safetensors") for run in (resumed, whole))
    assert all(ours[name].equal(theirs[name]) for name in theirs)
    assert ours["encoder.patch_embed.proj.weight"].shape[1:] == (1, 2, 32, 32)


def test_finetune_eval_and_convert_take_grey_rectangles(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = ["--recipe", str(folder / "finetune.yaml"), "--data", str(folder / "data")]
    start = ["--checkpoint", str(folder / "whole"), "--out", str(folder / "tuned")]
    assert videomae("finetune", *recipe, *start, *set_all(SHAPE)) == 0
    assert videomae("eval", "--checkpoint", folder / "tuned", "--data", folder / "data") == 0

    weights = load_file(folder / "tuned/final/model.safetensors")
    for name in ("native", "v1", "v2", "mmaction2", "hf"):
        out = folder / f"as-{name}{'.pth' if name in ('v1', 'mmaction2') else ''}"
        capsys.readouterr()
        assert videomae("convert", folder / "tuned", out, "--to", name) == 0, name
        back = folder / f"back-{name}"
        assert videomae("convert", out, back, "--to", "native") == 0
        returned = load_file(back / "model.safetensors")
        assert returned.keys() == weights.keys()
        assert all(returned[key].equal(weights[key]) for key in weights), name
        grids = [
            json.loads((path / "model.json").read_text())["grid"]
            for path in (back, folder / "tuned/final")
        ]
        assert grids[0] == grids[1]


def test_a_grey_rectangle_starts_from_a_square_rgb_checkpoint_and_says_what_it_adapts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    square = set_all(["clip.patch=32", "clip.size=64"])
    recipe = ["--recipe", str(folder / "pretrain.yaml"), "--data", str(folder / "data")]
    assert videomae("pretrain", *recipe, "--out", folder / "square", *square) == 0
    capsys.readouterr()

    assert pretrain(folder, folder / "adapted", "--checkpoint", str(folder / "square")) == 0

    said = "".join(capsys.readouterr())
    assert "channels 3 to 1, summed, mean and std included" in " ".join(said.split())
    assert "outputs for 3 channels to 1, averaged" in " ".join(said.split())


def test_masks_of_a_grey_rectangle_are_shown(folder: Path) -> None:
    video = next((folder / "videos").rglob("*.mp4"))
    for ending in ("png", "html", "gif"):
        out = folder / f"mask.{ending}"
        words = ["visualize-mask", video, "--checkpoint", folder / "whole", "--out", out]

        assert videomae(*words) == 0
        assert out.stat().st_size > 1000
