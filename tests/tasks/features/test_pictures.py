"""The pictures of a map are read as the features were: with the decoder of each row."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.data.make_clips import moving_square, write_clip
from tests.data.transcoding.write import write_form
from tests.notes import CLASSIFIER, GRID, written
from videomae_cli.cli.app import run
from videomae_cli.data.decode import read_frames
from videomae_cli.data.manifest import Video, write_manifest
from videomae_cli.data.transcoding.forms import FORMS
from videomae_cli.tasks.features.table import ROWS, read_features

FRAMES = 9


@pytest.fixture(autouse=True)
def _one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")


def draw(data: Path, weights: Path, out: Path) -> list[NDArray[np.uint8]]:
    """Compute features, draw the map and return its pictures."""
    words = ["--data", str(data), "--out", str(out), "--clips", "1", "--plot", "pca"]
    assert run(["features", "--checkpoint", str(weights), *words]) == 0
    return read_pictures(out)


def read_pictures(out: Path) -> list[NDArray[np.uint8]]:
    found = re.findall('"(/9j/[^"]+)"', (out / "plot.html").read_text())
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in found]


def write_data(folder: Path, names: dict[str, str]) -> Path:
    """Write a prepared directory of files, with the decoder of each."""
    videos = [
        Video(name, None, "train", FRAMES, 25.0, 72, 40, decoder) for name, decoder in names.items()
    ]
    write_manifest(folder / "data", root=folder, videos=videos, classes=None, facts={})
    return folder / "data"


def test_pictures_are_read_with_the_decoder_of_the_row(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", FRAMES, height=40, width=72)
    names = {}
    for form in FORMS.values():
        path, _ = write_form(source, form.name, short_side=40)
        names[path.rename(tmp_path / f"{form.name}.file").name] = form.decoder
    data = write_data(tmp_path, names)

    pictures = draw(data, written(tmp_path / "weights", CLASSIFIER), tmp_path / "out")

    rows = read_features(tmp_path / "out").rows
    assert {row.path: row.decoder for row in rows} == names
    for row, picture in zip(rows, pictures, strict=True):
        middle = row.frames[0][len(row.frames[0]) // 2]
        (frame_HWC,) = read_frames(tmp_path / row.path, [middle], decoder=row.decoder)
        assert np.abs(picture.astype(int) - frame_HWC).mean() < 8  # JPEG


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_frames_of_other_channels_have_pictures(channels: int, tmp_path: Path) -> None:
    for number in range(3):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        frames_THWC = np.concatenate(2 * [moving_square(FRAMES, 40, 72, seed=number)], axis=3)
        for t, frame_HWC in enumerate(frames_THWC[..., :channels]):
            np.save(folder / f"{t:03d}.npy", frame_HWC)
    data = write_data(tmp_path, {str(number): "frames" for number in range(3)})
    grid = replace(GRID, channels=channels)
    moments = {"mean": channels * (0.5,), "std": channels * (0.25,)}
    config = CLASSIFIER.model_copy(update={"grid": grid, **moments})

    pictures = draw(data, written(tmp_path / "weights", config), tmp_path / "out")

    assert [picture.shape for picture in pictures] == 3 * [(40, 72, 3)]


def test_a_table_of_an_earlier_version_has_no_decoders(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", FRAMES, height=40, width=72)
    paths = [source, *(write_form(source, form)[0] for form in ("jpeg", "uint8"))]
    names = dict(zip([path.name for path in paths], ("pyav", "jpeg", "uint8"), strict=True))
    out = tmp_path / "out"
    draw(write_data(tmp_path, names), written(tmp_path / "weights", CLASSIFIER), out)
    lines = (out / ROWS).read_text().splitlines()
    (out / ROWS).write_text("".join(line.rpartition(",")[0] + "\n" for line in lines))
    (out / "plot.html").unlink()

    assert run(["features", "--out", str(out), "--plot", "pca"]) == 0

    assert len(read_pictures(out)) == 3
