"""Cross-validation on clips: folds by source, pretraining included; intervals; resuming."""

import csv
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.data.make_clips import write_clip
from videomae_cli.cli.app import run
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.data.manifest import read_manifest
from videomae_cli.errors import UsageError
from videomae_cli.tasks.probe.measures import Interval

SOURCES = 4


def program() -> Any:
    return import_module("real_clips")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four sources, each with two clips of both classes."""
    folder = tmp_path_factory.mktemp("clips")
    rows = [("path", "label_name", "source_group")]
    for number in range(4 * SOURCES):
        name = f"clip{'abcdefghijklmnop'[number]}.mp4"
        write_clip(folder / name, 10, height=32, width=32, seed=number)
        rows.append((name, ("run", "sit")[number % 2], f"source {number // 4}"))
    with (folder / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    words = ["prepare", str(folder / "list.csv"), "--label-column", "label_name"]
    assert run([*words, "--out", str(folder / "data"), "--workers", "1"]) == 0
    return folder / "data"


def chosen(clips: Path, out: Path, *words: str) -> Any:
    flags = ["--data", str(clips), "--out", str(out), "--quick", "--folds", "2", "--seeds", "0"]
    return program().parse([*flags, *words])


def source_of(name: str) -> int:
    return "abcdefghijklmnop".index(Path(name).stem[-1]) // 4


def test_all_rows_are_measured_and_nothing_is_done_twice(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = program().run(chosen(clips, tmp_path))
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("final/*")}
    again = program().run(chosen(clips, tmp_path))

    assert (first["clips"], first["sources"]) == (16, 4)
    assert first["settings"]["group_column"] == "source_group"
    assert list(first["accuracies"]) == [
        *("constant answer", "file metadata", "mean frame", "motion statistics"),
        *("random projection of thumbnails", "fine-tuned, pretrained", "fine-tuned, scratch"),
        *("frozen, pretrained, linear", "frozen, pretrained, knn"),
        *("frozen, random, linear", "frozen, random, knn"),
    ]
    assert first["accuracies"]["constant answer"]["top1"]["value"] == 0.5
    assert first["accuracies"]["constant answer"]["auc"]["value"] == 0.5
    assert first["pretraining"]["loss"] > 0
    assert len(written) == 2 * 3 * 2  # two files of three runs in two folds
    assert written == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("final/*")}
    assert again["accuracies"] == first["accuracies"]
    assert again["minutes"] == first["minutes"]
    text = import_module("measuring.accuracy_tables").describe_accuracies(first)
    assert "16 clips of 4 sources (by `source_group`), 2 folds by source, seeds 0" in text
    assert "| constant answer | 50.0 [" in text
    with pytest.raises(UsageError, match="begun with other settings"):
        program().run(chosen(clips, tmp_path, "--folds", "3"))


def test_no_source_is_on_both_sides_and_pretraining_sees_no_tested_clip(
    clips: Path, tmp_path: Path
) -> None:
    program().run(chosen(clips, tmp_path))

    tested = []
    for number in range(2):
        fold = tmp_path / f"seed-0/fold-{number}"
        manifest = read_manifest(fold / "data")
        train, test = (
            {source_of(video.path) for video in manifest.split(split)}
            for split in ("train", "test")
        )
        assert train & test == set()
        assert len(train | test) == SOURCES
        assert load_recipe(str(fold / "pretrain/recipe.yaml")).data == fold / "data"
        tested += [video.path for video in manifest.split("test")]
    assert sorted(tested) == sorted(video.path for video in read_manifest(clips).videos)


def test_nothing_is_claimed_where_intervals_overlap() -> None:
    claim = import_module("measuring.accuracies").claim

    assert claim(Interval(0.7, 0.6, 0.8), Interval(0.5, 0.4, 0.6)) == "none"
    assert claim(Interval(0.7, 0.61, 0.8), Interval(0.5, 0.4, 0.6)) == "better"
    assert claim(Interval(0.5, 0.4, 0.6), Interval(0.7, 0.61, 0.8)) == "worse"


def test_clips_without_sources_are_sources_of_their_own(clips: Path, tmp_path: Path) -> None:
    found = program().run(chosen(clips, tmp_path, "--group-column", ""))

    assert found["sources"] == 16
    text = import_module("measuring.accuracy_tables").describe_accuracies(found)
    assert "(each clip counts as one)" in text
