"""Evaluation gives the same result whatever the order of the classes in the prepared data."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.data.make_clips import write_clip
from tests.notes import CLASSIFIER, written
from videomae_cli.cli import app
from videomae_cli.data.manifest import read_manifest, write_manifest

NUMBERS = [str(k) for k in range(12)]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("numbers")
    for k in NUMBERS:
        for clip in ("a", "b"):
            path = folder / "videos/train" / k / f"{clip}{k}.mp4"
            write_clip(path, 6, height=36, width=40, seed=int(k))
    lines = [f"train/{k}/{clip}{k}.mp4 {k}\n" for k in NUMBERS for clip in ("a", "b")]
    (folder / "train.txt").write_text("".join(lines))
    return folder


def prepare(source: Path, root: Path, out: Path) -> Path:
    line = ["prepare", f"{source}", "--out", f"{out}", "--workers", "1"]
    assert app.run(line if source == root else [*line, "--root", f"{root}"]) == 0
    return out


def renamed(data: Path, out: Path, names: dict[str, str]) -> Path:
    """Write the data again with other class names, in the order in which text is sorted."""
    manifest = read_manifest(data)
    classes = [names[name] for name in manifest.classes or ()]
    order = sorted(classes)
    moved = [
        video._replace(label=order.index(classes[video.label]))
        for video in manifest.videos
        if video.label is not None
    ]
    write_manifest(out, root=manifest.root, videos=moved, classes=order, facts={})
    return out


def evaluate(model: Path, data: Path, out: Path) -> dict[str, object]:
    line = ["eval", "--checkpoint", f"{model}", "--data", f"{data}", "--out", f"{out}"]
    line += ["--split", "train", "--clips", "1", "--crops", "1", "--allow-untrained-head"]
    assert app.run(line) == 0
    scores = np.load(out / "scores.npz")
    result = json.loads((out / "result.json").read_text())
    by_path = {
        Path(path).name: (int(label), probability_K.tolist())
        for path, label, probability_K in zip(
            scores["path"], scores["label"], scores["probability"], strict=True
        )
    }
    return {"loss": round(result["loss"], 6), "top1": result["top1"], "videos": by_path}


def test_class_folders_of_numbers_give_the_result_of_the_list(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = CLASSIFIER.model_copy(update={"classes": tuple(NUMBERS)})
    model = written(tmp_path / "model", config, seed=3)
    of_list = prepare(videos / "train.txt", videos / "videos", tmp_path / "list")
    of_folders = prepare(videos / "videos", videos / "videos", tmp_path / "folders")
    as_text = renamed(of_list, tmp_path / "text", {k: k for k in NUMBERS})
    as_floats = renamed(of_list, tmp_path / "floats", {k: f"{k}.0" for k in NUMBERS})
    expected = evaluate(model, of_list, tmp_path / "eval/list")

    for data in (of_folders, as_text, as_floats):
        capsys.readouterr()
        assert evaluate(model, data, tmp_path / "eval" / data.name) == expected, data

    assert "classes matched by name; the data list them in another order" in capsys.readouterr().out


def test_names_and_numbers_are_matched_with_a_warning_or_refused(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = CLASSIFIER.model_copy(update={"classes": tuple(NUMBERS)})
    model = written(tmp_path / "model", config, seed=3)
    of_list = prepare(videos / "train.txt", videos / "videos", tmp_path / "list")
    named = renamed(of_list, tmp_path / "named", {k: f"{'abcdefghijkl'[int(k)]}" for k in NUMBERS})
    from_one = renamed(of_list, tmp_path / "from-one", {k: str(int(k) + 1) for k in NUMBERS})
    expected = evaluate(model, of_list, tmp_path / "eval/list")

    assert evaluate(model, named, tmp_path / "eval/named") == expected
    printed = capsys.readouterr()
    assert "only numbers its 12 classes: assuming 0 = a, 1 = b, 2 = c" in printed.err
    line = ["eval", "--checkpoint", f"{model}", "--data", f"{from_one}", "--split", "train"]
    assert app.run([*line, "--allow-untrained-head"]) == 3
    error = capsys.readouterr().err
    assert "data: 1, 10, 11, 12, 2, ... (12); checkpoint: 0, 1, 2, 3, 4, ... (12)" in error
    assert "only in the data: 12" in error
