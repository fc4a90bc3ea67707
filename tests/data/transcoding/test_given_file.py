"""Files of `prepare --jpeg` and `--uint8` that are given by their paths are read as they were."""

from pathlib import Path

import numpy as np
import pytest

from tests.data.decoding.odd_clips import write_video
from tests.data.make_clips import moving_square, write_clip
from tests.data.transcoding.write import write_form
from tests.notes import Notes
from tests.tasks.predict.clips import write_classifier
from videomae_cli.cli.app import run as run_line
from videomae_cli.data.decode import read_frames, reference_decoder
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.manifest import read_manifest
from videomae_cli.data.transcoding import jpeg_file
from videomae_cli.data.transcoding.forms import FORMS, JPEG, UINT8
from videomae_cli.errors import DataError
from videomae_cli.tasks.evaluate import evaluate
from videomae_cli.tasks.evaluate.options import EvalOptions
from videomae_cli.tasks.predict.options import PredictOptions
from videomae_cli.tasks.predict.predict import run
from videomae_cli.tasks.prepare import prepare
from videomae_cli.tasks.prepare.options import PrepareOptions

FP32 = PredictOptions(precision="fp32")
NAMES = ("left/1.mp4", "right/2.mp4", "up/3.mp4")


@pytest.fixture(scope="module", params=[JPEG, UINT8])
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared files of one form, all in the split val."""
    folder = tmp_path_factory.mktemp(request.param)
    for number, name in enumerate(NAMES):
        write_clip(folder / "source/val" / name, 14 + number, fps=20, seed=number)
        write_clip(folder / "source/train" / name, 14 + number, fps=20, seed=number + 3)
    options = PrepareOptions(form=request.param, workers=1)
    prepare.run(folder / "source", folder / "data", Notes(), options)
    return folder / "data"


def test_predictions_of_files_and_folders_are_those_of_eval(data: Path, tmp_path: Path) -> None:
    weights = write_classifier(tmp_path / "weights")
    options = EvalOptions(data=data, split="val", precision="fp32", out=tmp_path / "eval")
    evaluate.run(weights, Notes(), options)
    with np.load(tmp_path / "eval/scores.npz") as file:
        paths, probability_VK = file["path"].tolist(), file["probability"]

    for inputs in ([str(data / path) for path in paths], [str(data / "videos/val")]):
        result = run(inputs, weights, Notes(), FP32)
        scores_VK = np.stack([one.score_K for one in result.predictions])
        assert scores_VK.tobytes() == probability_VK.tobytes() and len(paths) == 3


def test_the_manifest_of_their_directory_gives_the_frame_rate(data: Path, tmp_path: Path) -> None:
    (row, *_) = read_manifest(data).videos
    path = data / row.path
    moved = tmp_path / path.name
    moved.write_bytes(path.read_bytes())

    found, alone = probe_video(path), probe_video(moved)

    assert found[:4] == (row.frames, 20.0, row.width, row.height)
    assert alone[:4] == (row.frames, 0.0, row.width, row.height)
    assert alone.notes == ("an unknown frame rate",)
    assert found.channels == 3 and found.health.codec == row.decoder
    assert len(found.moments) == 8 and found.moments == alone.moments


def test_times_of_a_variable_rate_are_kept(tmp_path: Path) -> None:
    times = [0, 40, 80, 400, 440, 480, 900, 940]
    write_video(
        tmp_path / "source/a.mkv",
        moving_square(len(times), 64, 64),
        codec="libx264",
        pixels="yuv420p",
        times=times,
    )
    prepare.run(
        tmp_path / "source", tmp_path / "data", Notes(), PrepareOptions(form=UINT8, workers=1)
    )

    found = probe_video(tmp_path / "data/videos/a.mkv.npy")

    assert found.times == pytest.approx([time / 1000 for time in times], abs=0.002)


def test_other_commands_read_them_too(data: Path, tmp_path: Path) -> None:
    (row, *_) = read_manifest(data).videos

    line = ["visualize-mask", str(data / row.path), "--out", str(tmp_path / "mask.png")]
    assert run_line(line) == 0
    (tmp_path / "list.csv").write_text(f"path\n{row.path}\n")
    words = ["--root", str(data), "--out", str(tmp_path / "again"), "--uint8"]
    assert run_line(["prepare", str(tmp_path / "list.csv"), *words]) == 0

    (again,) = read_manifest(tmp_path / "again").videos
    expected = read_frames(data / row.path, [3], decoder=row.decoder)
    pixels = read_frames(tmp_path / "again" / again.path, [3], decoder="uint8")
    np.testing.assert_array_equal(pixels, expected)


def test_damage_is_named_and_motion_jpeg_is_not_taken_for_them(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", 9)
    for form, message in ((JPEG, "frame 0 is damaged"), (UINT8, "it is cut off")):
        path, _ = write_form(source, form)
        content = bytearray(path.read_bytes())
        content[400] ^= 255
        path.write_bytes(content[:-1] if form == UINT8 else content)
        with pytest.raises(DataError, match=message):
            probe_video(path)
    with (tmp_path / "empty.mjpeg").open("wb") as file:
        jpeg_file.write([], file)
    with pytest.raises(DataError, match="has no frames"):
        probe_video(tmp_path / "empty.mjpeg")
    np.save(tmp_path / "b.npy", np.zeros((3, 4)))
    with pytest.raises(DataError, match="is not an array of frames: float64"):
        probe_video(tmp_path / "b.npy")
    path, _ = write_form(source, JPEG)
    other = tmp_path / f"b{FORMS[JPEG].suffix}"
    other.write_bytes(path.read_bytes()[:-4])
    assert (reference_decoder(path), reference_decoder(other)) == ("jpeg", "pyav")
