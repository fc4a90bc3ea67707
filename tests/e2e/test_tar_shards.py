"""Training, evaluation and features from shards are those from the files, also after a resume."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from tests.e2e.micro import make_data, write_recipes
from tests.e2e.test_resume_matrix import StopAt
from tests.notes import Notes
from videomae_cli.cli.app import run
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.data.decode import read_frames, read_video
from videomae_cli.data.manifest import read_manifest
from videomae_cli.errors import Stopped
from videomae_cli.tasks.train import finetune, pretrain

STEPS = {"pretrain": 12, "finetune": 8}
RUNS: dict[str, Callable[..., Path]] = {"pretrain": pretrain.run, "finetune": finetune.run}
RECIPES = {"pretrain": "micro.yaml", "finetune": "micro-finetune.yaml"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a folder with the same videos prepared twice: as `data`, and as `sharded`."""
    folder = write_recipes(tmp_path_factory.mktemp("shards"))
    make_data(folder)
    words = ["prepare", str(folder / "videos"), "--out", str(folder / "sharded")]
    assert run([*words, "--workers", "1", "--shards", "shards"]) == 0
    yield folder


def train(place: Path, kind: str, data: str, out: Path, report: Notes) -> None:
    settings = [f"data='{place / data}'", "train.workers=0"]
    settings += ["start=scratch"] if kind == "finetune" else []
    recipe = load_recipe(str(place / RECIPES[kind]), settings, kind)
    RUNS[kind](recipe, out, report)


def assert_same(one: Path, two: Path) -> None:
    assert (one / "metrics.jsonl").read_bytes() == (two / "metrics.jsonl").read_bytes()
    weights = [load_file(run / "final/model.safetensors") for run in (one, two)]
    for name in weights[0]:
        np.testing.assert_array_equal(weights[0][name], weights[1][name])


def test_manifest_is_that_of_the_files_but_for_the_root(place: Path) -> None:
    files, sharded = (read_manifest(place / name) for name in ("data", "sharded"))

    assert sharded.videos == files.videos
    assert sharded.digest == files.digest
    assert sharded.root == place / "sharded/shards.sqlite"


def test_prepared_directory_can_be_moved_with_its_shards(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "sharded", tmp_path / "moved")

    manifest = read_manifest(tmp_path / "moved")

    for video in manifest.videos:
        expected = read_frames(place / "videos" / video.path, [0, 5], decoder=video.decoder)
        frames = read_video(manifest.video_path(video), video, [0, 5])
        np.testing.assert_array_equal(frames, expected)
    assert manifest.root == tmp_path / "moved/shards.sqlite"


@pytest.mark.parametrize("kind", ["pretrain", "finetune"])
def test_run_from_shards_is_the_run_from_files_and_resumes_on_either(
    place: Path, kind: str, tmp_path: Path
) -> None:
    train(place, kind, "data", tmp_path / "files", Notes())

    # nothing is read from the files any more
    hidden = (place / "videos").rename(place / "hidden")
    try:
        train(place, kind, "sharded", tmp_path / "sharded", Notes())
        with pytest.raises(Stopped):
            train(place, kind, "sharded", tmp_path / "both", StopAt(STEPS[kind] // 2))
    finally:
        hidden.rename(place / "videos")
    train(place, kind, "data", tmp_path / "both", Notes())
    with pytest.raises(Stopped):
        train(place, kind, "data", tmp_path / "back", StopAt(STEPS[kind] // 2))
    train(place, kind, "sharded", tmp_path / "back", Notes())

    for name in ("sharded", "both", "back"):
        assert_same(tmp_path / name, tmp_path / "files")


def test_scores_and_features_from_shards_are_those_from_files(place: Path, tmp_path: Path) -> None:
    train(place, "finetune", "data", tmp_path / "run", Notes())
    for name in ("data", "sharded"):
        words = ["--data", str(place / name), "--out", str(tmp_path / name), "--checkpoint"]
        assert run(["eval", *words, str(tmp_path / "run"), "--clips", "2", "--crops", "1"]) == 0
        words[3] += "-features"
        assert run(["features", *words, str(tmp_path / "run"), "--plot", "pca"]) == 0

    scores = [np.load(tmp_path / name / "scores.npz") for name in ("data", "sharded")]
    np.testing.assert_array_equal(scores[0]["path"], scores[1]["path"])
    np.testing.assert_array_equal(scores[0]["probability"], scores[1]["probability"])
    rows = [
        (tmp_path / f"{name}-features/manifest.csv").read_bytes() for name in ("data", "sharded")
    ]
    assert rows[0] == rows[1]
    page = (tmp_path / "sharded-features/plot.html").read_text()
    assert page == (tmp_path / "data-features/plot.html").read_text()
    assert '"/9j/' in page  # JPEG: the pictures were found
