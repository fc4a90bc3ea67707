"""`videomae features`: which numbers are in which row, however they are computed."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.make_clips import write_clip
from tests.notes import AUTOENCODER, CLASSIFIER, Notes
from videomae_cli.checkpoints.native import write_native
from videomae_cli.cli.app import run
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.manifest import Video, read_manifest, write_manifest
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import UsageError
from videomae_cli.models.build import BUILDERS
from videomae_cli.report import Silence
from videomae_cli.tasks.features.encoder import load_encoder
from videomae_cli.tasks.features.extract import extract_features, make_options
from videomae_cli.tasks.features.table import read_features

VIDEOS, FILES, BROKEN = 20, 5, 7
SEED = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 20 prepared videos in two splits, copies of five clips; number 7 is missing."""
    folder = tmp_path_factory.mktemp("features")
    clips = [
        write_clip(folder / f"{n}.mp4", 12 + n, height=40, width=56, seed=n) for n in range(FILES)
    ]
    videos = []
    for number in range(VIDEOS):
        path = folder / "videos" / f"clip {number:02d}.mp4"
        path.parent.mkdir(exist_ok=True)
        if number != BROKEN:
            path.hardlink_to(clips[number % FILES])
        frames, split = 12 + number % FILES, "train" if number < 12 else "val"
        videos.append(Video(path.name, number % 2, split, frames, 25.0, 56, 40, "pyav"))
    write_manifest(
        folder / "data", root=folder / "videos", videos=videos, classes=["a<b>", "c"], facts={}
    )
    return folder / "data"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return an autoencoder and a classifier with random weights."""
    folder = tmp_path_factory.mktemp("weights")
    for config in (AUTOENCODER, CLASSIFIER):
        torch.manual_seed(SEED)
        write_native(folder / config.kind, BUILDERS[config.kind](config).state_dict(), config)
    return {config.kind: folder / config.kind for config in (AUTOENCODER, CLASSIFIER)}


@pytest.fixture(autouse=True)
def _one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")


def compute(data: Path, checkpoint: Path | str, out: Path, *words: str) -> int:
    line = ["features", "--checkpoint", str(checkpoint), "--data", str(data), "--out", str(out)]
    return run([*line, "--precision", "fp32", *words])


def content(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_rows_are_means_over_the_crops_of_a_clip_and_say_which_clip(
    data: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert compute(data, weights["classifier"], out, "--clips", "2", "--crops", "3") == 3
    found, manifest = read_features(out), read_manifest(data)
    feature = found.read()
    encoder = load_encoder(str(weights["classifier"]))
    views = EvalViews(
        manifest.videos, manifest.root, CLASSIFIER.clip().candidates(), Protocol(2, 3)
    )

    assert feature.shape == (2 * (VIDEOS - 1), 24) and feature.dtype == np.float32
    for row in found.rows:
        number = int(row.path[5:7])
        with torch.inference_mode():
            expected_63D = encoder.model.features(views[number].views)  # type: ignore[operator]
        assert row.clip is not None
        mean_D = expected_63D.reshape(2, 3, -1)[row.clip].mean(dim=0)
        np.testing.assert_allclose(feature[row.row], mean_D.numpy(), atol=1e-5)
        assert row.frames == (tuple(views.select_clips(number)[row.clip]),)
        assert row.start_seconds == pytest.approx(row.frames[0][0] / 25)
        assert row.end_seconds == pytest.approx((row.frames[0][-1] + 1) / 25)
        assert (row.split, row.label) == (("train" if number < 12 else "val"), number % 2)
    with (out / "rejected.csv").open() as file:
        assert [row["path"] for row in csv.DictReader(file)] == [f"clip {BROKEN:02d}.mp4"]


def test_formats_and_shards_contain_the_same_numbers_and_a_rerun_the_same_bytes(
    data: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")
    words, checkpoint = ["--level", "clip", "--clips", "2"], weights["autoencoder"]
    for name in ("npz", "parquet", "npy"):
        assert compute(data, checkpoint, tmp_path / name, *words, "--format", name) == 3
    out, whole = tmp_path / "shards", content(tmp_path / "npy")
    words += ["--format", "npy"]
    assert compute(data, checkpoint, out, *words, "--shard", "1/2") in (0, 3)
    assert not (out / "features.json").exists()
    for more in (["--shard", "0/2"], []):
        assert compute(data, checkpoint, out, *words, *more) == 3
        assert content(out) == whole
    tables = {name: read_features(tmp_path / name).read() for name in ("npz", "parquet", "npy")}

    assert len(tables["npz"]) == 2 * (VIDEOS - 1)
    assert all(np.array_equal(tables["npz"], other) for other in tables.values())
    single = np.load(tmp_path / "npy/npy/clip 08.npy")
    assert np.array_equal(single, tables["npz"][14:16]) and not list((tmp_path / "npy").glob("*z"))


def test_a_damaged_shard_is_computed_again(
    data: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert compute(data, weights["autoencoder"], out, "--level", "video", "--clips", "1") == 3
    before = content(out)
    shard = out / "features-000001.npz"
    shard.write_bytes(shard.read_bytes()[:-40])

    assert compute(data, weights["autoencoder"], out, "--level", "video", "--clips", "1") == 3
    assert content(out) == before


def test_other_features_and_other_files_are_never_mixed_or_deleted(
    data: Path, weights: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["--split", "val", "--clips", "1"]
    assert compute(data, weights["autoencoder"], out, *words) == 0
    before = content(out)

    assert compute(data, weights["autoencoder"], out, *words, "--layer", "1") == 2
    assert "contains other features: layer 2, not 1" in capsys.readouterr().err
    assert content(out) == before

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    assert compute(data, weights["autoencoder"], tmp_path / "mine", *words) == 2
    assert content(tmp_path / "mine") == {"notes.txt": b"mine"}


def test_tokens_slices_and_windows_have_their_shapes(
    data: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    grid, checkpoint = CLASSIFIER.grid, weights["classifier"]
    for words, shape, rows in (
        (["--level", "token", "--clips", "1", "--crops", "3"], (grid.tokens, 24), 3 * 8),
        (["--pooling", "per-slice", "--clips", "1"], (grid.t, 24), 8),
        (["--window", "0.2", "--hop", "0.1"], (24,), None),
    ):
        out = tmp_path / words[0]
        assert compute(data, checkpoint, out, "--split", "val", *words) == 0
        found = read_features(out)
        assert found.read().shape[1:] == shape
        assert rows is None or len(found.rows) == rows
    first = [row for row in found.rows if row.path == "clip 12.mp4"]
    assert [(row.clip, row.start_seconds) for row in first][:3] == [(0, 0.0), (1, 0.1), (2, 0.2)]
    assert all(0 <= f < 14 for row in first for clip in row.frames for f in clip)


def test_nearest_finds_copies_and_a_new_file_and_the_map_is_one_file(
    data: Path, weights: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert compute(data, weights["autoencoder"], out, "--plot", "pca") == 3
    capsys.readouterr()
    for name in ("clip 03.mp4", str(data.parent / "3.mp4")):
        assert run(["features", "--out", str(out), "--nearest", name, "-k", "3", "--json"]) == 0
        nearest = json.loads(capsys.readouterr().out)["nearest"]
        assert {one["path"] for one in nearest} < {f"clip {n:02d}.mp4" for n in (3, 8, 13, 18)}
        assert all(one["similarity"] == pytest.approx(1, abs=1e-5) for one in nearest)
    assert run(["features", "--out", str(out), "--nearest", "no.mp4"]) == 3

    page = (out / "plot.html").read_text()
    assert "http" not in page and "a<b>" not in page and "a&lt;b&gt;" in page
    assert page.count('"/9j/') == VIDEOS - 1  # JPEG pictures


def test_features_of_files_are_those_of_prepared_data(
    data: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    videos = data.parent / "videos"
    words = ["--precision", "fp32", "--clips", "2"]
    line = ["features", str(videos / "clip 1*.mp4"), "--checkpoint", str(weights["classifier"])]
    assert run([*line, "--out", str(tmp_path / "files"), *words]) == 0
    assert compute(data, weights["classifier"], tmp_path / "data", "--clips", "2", "--crops", "1")
    files, prepared = (read_features(tmp_path / name) for name in ("files", "data"))
    chosen = [row.row for row in prepared.rows if row.path.startswith("clip 1")]

    np.testing.assert_allclose(files.read(), prepared.read()[chosen], atol=1e-6)


def test_a_file_that_was_replaced_is_never_answered_with_its_old_features(
    weights: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["features", str(tmp_path / "clips"), "--checkpoint", str(weights["classifier"])]
    line += ["--out", str(tmp_path / "out")]
    for seed, code in ((1, 0), (1, 0), (2, 2)):  # the same number of frames, rate and size
        write_clip(tmp_path / "clips" / "a.mp4", 14, height=40, width=56, seed=seed)
        assert run(line) == code
    assert "contains other features: sizes of the files" in capsys.readouterr().err


def test_a_second_extraction_reads_the_first_and_random_weights_depend_on_the_seed(
    data: Path, tmp_path: Path
) -> None:
    manifest, notes = read_manifest(data), Notes()
    tables = {}
    for name in ("random:demo:1", "random:demo:2", "random:demo:1"):
        with Runtime("fp32", cpu=True) as runtime:
            found = extract_features(
                load_encoder(name), manifest, ["val"], tmp_path, runtime=runtime,
                report=Silence(), options=make_options(clips=1, crops=1),
            )  # fmt: skip
        assert found.label_V.tolist() == [n % 2 for n in range(12, VIDEOS)]
        assert name not in tables or np.array_equal(tables[name], found.feature)
        tables[name] = found.feature

    assert len(list(tmp_path.iterdir())) == 2 and notes.warned == []
    assert not np.allclose(tables["random:demo:1"], tables["random:demo:2"])
    with pytest.raises(UsageError, match="of which architecture"):
        load_encoder("random")
