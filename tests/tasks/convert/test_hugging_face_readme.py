"""The code in the README of a Hugging Face folder takes the frames of `eval`, without videomae."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.data.make_clips import write_clip
from tests.notes import AUTOENCODER, CLASSIFIER, Notes, written
from videomae_cli.checkpoints.native import write_native
from videomae_cli.config.model import SelectSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.decode import read_frames
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.manifest import Video
from videomae_cli.errors import CheckpointError
from videomae_cli.tasks.convert import convert
from videomae_cli.tasks.load_model import load_autoencoder, load_classifier, read_checkpoint

SEGMENT = CLASSIFIER.model_copy(update={"sampling": "segment"})
CONFIGS = {
    "dense": CLASSIFIER,
    "every frame": CLASSIFIER.model_copy(update={"stride_frames": 1}),
    "every 7th": CLASSIFIER.model_copy(update={"stride_frames": 7}),
    "segment": SEGMENT,
    "pretrained": AUTOENCODER,
    "other mean": CLASSIFIER.model_copy(update={"mean": (0.5, 0.4, 0.3), "std": (0.1, 0.2, 0.5)}),
}
WIDE = replace(CLASSIFIER.grid, height=32, width=48)
CONFIGS["wide"] = CLASSIFIER.model_copy(update={"grid": WIDE})
GREY = {"grid": replace(WIDE, height=48, width=32, channels=1), "mean": (0.4,), "std": (0.2,)}
CONFIGS["grey, high"] = CLASSIFIER.model_copy(update=GREY)
SIZES = {"wide": (32, 52), "grey, high": (60, 32)}  # of videos that need not be resized
# numbers of the frames of a clip, worked out by hand
NUMBERS = {
    ("dense", 21): [4, 8, 12, 16],
    ("dense", 3): [0, 0, 0, 0],
    ("every frame", 40): [18, 19, 20, 21],
    ("segment", 21): [0, 5, 10, 15],
    ("segment", 3): [0, 0, 1, 2],
}


def with_steps(short: str, **steps: float) -> ModelConfig:
    return CLASSIFIER.model_copy(update={"short": short, "stride_frames": None, **steps})


CONFIGS |= {short: CLASSIFIER.model_copy(update={"short": short}) for short in ("spread", "loop")}
CONFIGS["segment, loop"] = SEGMENT.model_copy(update={"short": "loop"})
CONFIGS["fps"] = with_steps("spread", fps=6.0)
CONFIGS["fps, loop"] = with_steps("loop", fps=7.5)
CONFIGS["seconds"] = with_steps("repeat-last", seconds=0.7)
NUMBERS |= {("spread", 6): [0, 2, 3, 5], ("loop", 6): [0, 4, 2, 0]}
NUMBERS |= {("fps", 21): [2, 6, 10, 14], ("fps", 6): [0, 2, 3, 5]}


def write_folder(tmp_path: Path, config: ModelConfig, notes: Notes | None = None) -> Path:
    loaded = read_checkpoint(written(tmp_path / "model", config))
    if config.kind == "classifier":
        loaded.weights["head.weight"].mul_(1000)  # a fresh head gives logits near 0
    write_native(tmp_path / "model", loaded.weights, config, replace=True)
    folder = tmp_path / "folder"
    convert.run(tmp_path / "model", folder, notes or Notes(), to="hf")
    return folder


def read_code(folder: Path) -> str:
    blocks = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 1 and "import videomae" not in blocks[0]
    return str(blocks[0])


def run_code(folder: Path, video: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the code as it stands, where its names of folder and video are right."""
    pytest.importorskip("transformers", reason="transformers is not installed")
    (folder / "video.mp4").write_bytes(video.read_bytes())
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(compile(read_code(folder), "README.md", "exec"), names)
    return names


def read_view(config: ModelConfig, path: Path) -> Tensor:
    """Return the view of `eval` for one clip and one crop."""
    info = probe_video(path)
    video = Video(path.name, 0, "test", info.frames, info.fps, info.width, info.height, "pyav")
    result = EvalViews([video], path.parent, config.clip(), Protocol(1, 1))[0]
    assert not result.error
    return result.views


@torch.no_grad()
def compute_outputs(folder: Path, clip_BCTHW: Tensor) -> Tensor:
    loaded = read_checkpoint(folder)
    if loaded.config.kind == "autoencoder":
        latents: Tensor = load_autoencoder(loaded).eval().encoder(clip_BCTHW)
        return latents
    logits: Tensor = load_classifier(loaded).eval()(clip_BCTHW)
    return logits[0]


@pytest.mark.filterwarnings("ignore")  # of transformers, at import and at loading
@pytest.mark.parametrize(
    ("name", "length"),
    [
        *((name, 21) for name in CONFIGS),
        *(
            (name, 6)
            for name in CONFIGS
            if name not in ("pretrained", "other mean", "wide", "grey, high")
        ),
        *((name, length) for name, length in NUMBERS if length not in (6, 21)),
    ],
)
def test_the_code_takes_the_frames_of_eval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, length: int
) -> None:
    folder = write_folder(tmp_path, CONFIGS[name])
    height, width = SIZES.get(name, (32, 46))  # nothing to resize
    video = write_clip(tmp_path / "clip.mp4", length, height=height, width=width)

    found = run_code(folder, video, monkeypatch)

    views = read_view(CONFIGS[name], video)
    assert found["numbers"] == NUMBERS.get((name, length), found["numbers"])
    channels = CONFIGS[name].grid.channels
    frames = read_frames(video, found["numbers"], decoder="pyav", channels=channels)
    assert np.array_equal(found["frames"], frames)
    assert torch.equal(found["clip"], views[0].permute(1, 0, 2, 3))
    result = found["logits"] if "logits" in found else found["latents"]
    wanted = compute_outputs(folder, views)
    # 1e-5 and 1e-6 in a norm; 1e-4 of the largest value
    torch.testing.assert_close(result, wanted, atol=1e-4 * wanted.abs().max().item(), rtol=0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("height", "width"), [(64, 64), (90, 123), (50, 33), (24, 40)])
def test_the_code_resizes_as_eval_does_to_one_grey_level(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, height: int, width: int
) -> None:
    folder = write_folder(tmp_path, CLASSIFIER)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (20, height, width, 3), dtype=np.uint8)
    video = write_clip(tmp_path / "clip.mkv", noise, codec="ffv1")

    found = run_code(folder, video, monkeypatch)

    views = read_view(CLASSIFIER, video)
    assert np.array_equal(found["frames"], noise[[0, 4, 8, 12]])
    difference = (found["clip"].int() - views[0].permute(1, 0, 2, 3).int()).abs()
    assert difference.max() <= 1
    wanted = compute_outputs(folder, views)
    assert (found["logits"] - wanted).abs().max() < 0.01 * wanted.abs().max()


def test_the_end_of_a_conversion_says_which_frames_are_a_clip(tmp_path: Path) -> None:
    dense, segment = Notes(), Notes()

    write_folder(tmp_path / "dense", CLASSIFIER, dense)
    write_folder(tmp_path / "segment", SEGMENT, segment)

    assert dense.has("4 frames, 4 apart, from the middle of the video (dense), 32 x 32 pixels")
    assert segment.has("4 frames, one from each equal part of the whole video (segment)")
    for notes in (dense, segment):
        assert notes.has("mean 0.485, 0.456, 0.406") and notes.has("whatever frame_sampling_rate")
        assert notes.has("README.md")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CC-BY-NC-4.0", 'license: "cc-by-nc-4.0"\n'),
        ("MIT", 'license: "mit"\n'),
        ("ours: ask us", 'license: "other"\nlicense_name: "ours: ask us"\n'),
        (None, 'pipeline_tag: "video-classification"\n---'),
    ],
)
def test_the_card_keeps_licence_and_origin(tmp_path: Path, text: str | None, expected: str) -> None:
    known = {"license": text, "derived_from": ("first.pth",)}

    card = (write_folder(tmp_path, CLASSIFIER.model_copy(update=known)) / "README.md").read_text()

    assert card.startswith("---\n") and expected in card
    assert f"Licence of the weights: {text or 'not stated'}. Derived from first.pth" in card


def test_the_card_says_that_transformers_does_not_select_tokens(tmp_path: Path) -> None:
    select = {"select": SelectSpec(strategy="motion", pool=0.5)}

    card = (write_folder(tmp_path, CLASSIFIER.model_copy(update=select)) / "README.md").read_text()

    assert "sees all tokens there" in card


def test_a_readme_of_the_user_is_not_replaced(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, CLASSIFIER)
    convert.run(tmp_path / "model", folder, Notes(), to="hf", force=True)  # its own card
    (folder / "README.md").write_text("mine")

    with pytest.raises(CheckpointError, match="other files"):
        convert.run(tmp_path / "model", folder, Notes(), to="hf", force=True)

    assert (folder / "README.md").read_text() == "mine"
