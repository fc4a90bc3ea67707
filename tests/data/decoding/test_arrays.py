"""Folders of `.npy` frames are videos with any number of channels from 1 to 8."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.data.make_frames import write_frame_folder
from videomae_cli.cli import app
from videomae_cli.data.decode import read_frames
from videomae_cli.data.decoding.arrays import read_array
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.layouts.frame_folders import find_frame_folders
from videomae_cli.errors import DataError


def write_arrays(folder: Path, channels: int, frames: int = 6, seed: int = 0) -> NDArray[np.uint8]:
    """Write frames of 24 x 32 pixels as img_00001.npy, ...; return them: (T, H, W, C)."""
    rng = np.random.default_rng(seed)
    clip = rng.integers(0, 256, (frames, 24, 32, channels), dtype=np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(clip):
        np.save(folder / f"img_{number + 1:05d}.npy", frame)
    return clip


@pytest.mark.parametrize("channels", [1, 2, 5, 8])
def test_arrays_are_read_as_they_are_stored(channels: int, tmp_path: Path) -> None:
    clip = write_arrays(tmp_path / "a", channels)

    info = probe_video(tmp_path / "a")
    frames = read_frames(tmp_path / "a", [4, 0, 4], decoder="frames", channels=channels)

    assert (info.frames, info.width, info.height, info.channels) == (6, 32, 24, channels)
    assert (frames == clip[[4, 0, 4]]).all()
    with pytest.raises(DataError, match=rf"has {channels} channels?, and clip\.channels is 4"):
        read_frames(tmp_path / "a", [0], decoder="frames", channels=4)


def test_an_array_of_two_axes_is_one_channel_and_can_be_read_as_rgb(tmp_path: Path) -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for number in (1, 2):
        np.save(tmp_path / f"{number}.npy", grey)

    frames = read_frames(tmp_path, [0, 1], decoder="frames")

    assert frames.shape == (2, 3, 4, 3)
    assert (frames == grey[..., None]).all()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (np.zeros((4, 4, 9), np.uint8), "array of 4 x 4 x 9, and a frame is height x width"),
        (np.zeros((2, 4, 4, 3), np.uint8), "array of 2 x 4 x 4 x 3"),
        (np.zeros((4, 4), np.float32), "contains float32 values, not uint8"),
        (np.zeros((9000, 9000), np.uint8), "9000 x 9000 pixels"),
        (np.array({"a": 1}), "is not an array of numbers"),
        (b"\x93NUMPY\x01\x00", "is not an array of numbers"),
    ],
)
def test_other_arrays_are_refused_with_the_reason(
    content: NDArray[np.uint8] | bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "1.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)

    with pytest.raises(DataError, match=words):
        read_array(path)


def test_arrays_are_frames_only_where_no_folder_has_images(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a", 2)
    assert find_frame_folders(tmp_path) == [Path("a")]

    write_frame_folder(tmp_path / "b", 3)
    np.save(tmp_path / "b/img_00001.npy", np.zeros((4, 4), np.uint8))

    assert find_frame_folders(tmp_path) == [Path("b")]
    assert read_frames(tmp_path / "b", [0], decoder="frames").shape == (1, 64, 80, 3)


def test_prepare_writes_the_channels_of_arrays_and_refuses_a_mix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("run", "sit"):
        for number in range(2):
            write_arrays(tmp_path / "source" / kind / str(number), 4, seed=number)
    words = ["prepare", str(tmp_path / "source"), "--workers", "1", "--out"]

    assert app.run([*words, str(tmp_path / "data")]) == 0

    assert "frames have 4 channels: train with --set clip.channels=4" in " ".join(
        "".join(capsys.readouterr()).split()
    )
    facts = json.loads((tmp_path / "data/dataset.json").read_text())
    assert facts["channels"] == len(facts["channel_mean"]) == len(facts["channel_std"]) == 4
    assert "luma_mean" not in facts
    write_arrays(tmp_path / "source/sit/5", 2)
    capsys.readouterr()
    assert app.run([*words, str(tmp_path / "mixed")]) == 3
    assert "the videos have different numbers of channels: 2 in sit/5, 4 in run/0" in " ".join(
        "".join(capsys.readouterr()).split()
    )
