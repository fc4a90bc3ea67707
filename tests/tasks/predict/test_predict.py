"""`videomae predict` sees what `eval` sees, names bad files and answers for the rest."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.notes import CLASSIFIER, Notes, written
from tests.tasks.predict.clips import (
    CLASSES,
    write_classifier,
    write_long_video,
    write_videos,
)
from videomae_cli.cli.app import run as run_line
from videomae_cli.errors import CheckpointError
from videomae_cli.tasks.evaluate import evaluate
from videomae_cli.tasks.evaluate.options import EvalOptions
from videomae_cli.tasks.predict.options import PredictOptions
from videomae_cli.tasks.predict.predict import run
from videomae_cli.tasks.predict.result import PredictResult
from videomae_cli.tasks.prepare import prepare
from videomae_cli.tasks.prepare.options import PrepareOptions

FP32 = PredictOptions(precision="fp32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a classifier `weights`, `videos` and `long.mkv`."""
    folder = tmp_path_factory.mktemp("predict")
    write_classifier(folder / "weights")
    write_videos(folder / "videos")
    write_long_video(folder / "long.mkv")
    return folder


def predict(folder: Path, *inputs: Path, options: PredictOptions = FP32) -> PredictResult:
    return run([str(path) for path in inputs], folder / "weights", Notes(), options)


def scores(result: PredictResult) -> Any:
    return np.stack([one.score_K for one in result.predictions])


def test_probabilities_are_those_of_eval_to_the_bit_and_alone_within_a_millionth(
    folder: Path,
) -> None:
    data = folder / "data"
    prepare.run(folder / "videos", data, Notes(), PrepareOptions(val_fraction=0.5, workers=1))
    options = EvalOptions(data=data, split="val", precision="fp32", out=folder / "eval")
    evaluate.run(folder / "weights", Notes(), options)
    with np.load(folder / "eval" / "scores.npz") as file:
        paths, probability_VK = file["path"].tolist(), file["probability"]

    together = predict(folder, *(folder / "videos" / path for path in paths))
    alone = predict(folder, folder / "videos" / paths[1])

    assert len(paths) == 3 and np.ptp(probability_VK, axis=0).max() > 0.01
    assert scores(together).tobytes() == probability_VK.tobytes()
    assert np.abs(scores(alone)[0] - probability_VK[1]).max() < 1e-6


@pytest.mark.slow
def test_windows_are_predicted_like_videos_that_are_cut_out(folder: Path) -> None:
    parts = [(0, 20), (20, 40), (40, 50)]
    cut = [write_long_video(folder / f"cut{first}.mkv", first, stop) for first, stop in parts]

    windows = predict(folder, folder / "long.mkv", options=FP32._replace(window=0.8))
    videos = predict(folder, *cut, options=FP32._replace(clips=1))

    times = [(one.start, one.end) for one in windows.predictions]
    assert times == [(0.0, 0.8), (0.8, 1.6), (1.6, 2.0)]
    assert windows.protocol.views == 3
    assert np.abs(scores(windows) - scores(videos)).max() < 1e-6


def test_a_bad_file_among_good_ones_is_named_and_the_rest_is_answered(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = folder / "bad.mp4"
    bad.write_bytes(b"not a video at all, but long enough to be opened")
    good = folder / "videos" / "left"
    line = ["predict", str(good), str(bad), str(good / "0.mp4"), "nope.mp4"]

    code = run_line([*line, "--checkpoint", str(folder / "weights"), "--out", str(folder / "out")])

    printed = capfd.readouterr()
    assert code == 3
    assert printed.out.count(str(good / "0.mp4")) == printed.out.count(str(good / "3.mp4")) == 1
    assert f"warning: {bad}: " in printed.err and "warning: nope.mp4: no such file" in printed.err
    assert "error: no result for 2 of 4 inputs" in printed.err
    lines = (folder / "out" / "predictions.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [list(row) for row in rows] == [["video", "classes"]] * 2 + [["video", "error"]] * 2
    assert sum(one["probability"] for one in rows[0]["classes"]) == pytest.approx(1)
    assert {one["name"] for one in rows[0]["classes"]} == set(CLASSES)


def test_json_is_one_document_and_tables_have_the_same_values(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table = folder / "timeline.csv"
    line = ["predict", str(folder / "long.mkv"), "--checkpoint", str(folder / "weights")]

    code = run_line([*line, "--window", "1", "--top-k", "2", "--json", "--out", str(table)])

    document = json.loads(capfd.readouterr().out)
    assert code == 0
    assert [(one["start"], one["end"]) for one in document["predictions"]] == [(0, 1), (1, 2)]
    assert [len(one["classes"]) for one in document["predictions"]] == [2, 2]
    assert document["files"] == [str(table)] and document["rejected"] == []
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    classes = [one for row in document["predictions"] for one in row["classes"]]
    assert [row["class"] for row in rows] == [one["name"] for one in classes]
    assert [float(row["probability"]) for row in rows] == [one["probability"] for one in classes]
    assert [row["rank"] for row in rows] == ["1", "2", "1", "2"]


@pytest.mark.slow
def test_other_tasks_have_probabilities_of_their_own_or_values_in_their_units(folder: Path) -> None:
    video = str(folder / "videos" / "left" / "0.mp4")
    several = write_classifier(folder / "several", task="multi-label")
    units = {"target_mean": (100.0, 0.0, -5.0), "target_std": (10.0, 1.0, 0.0)}
    values = write_classifier(folder / "values", task="regression", **units)

    labels = run([video], several, Notes(), FP32)
    numbers = run([video], values, Notes(), FP32)

    [probability_K] = [one.score_K for one in labels.predictions]
    assert probability_K.min() >= 0 and abs(probability_K.sum() - 1) > 0.01
    listed = [one.name for one in labels.labels(labels.predictions[0])]
    above = [name for name, p in zip(CLASSES, probability_K, strict=True) if p > 0.5]
    assert set(listed) == set(above or CLASSES)
    row = numbers.row(numbers.predictions[0])
    assert [one["name"] for one in row["values"]] == list(CLASSES)
    assert row["values"][0]["value"] > 50 and row["values"][2]["value"] == -5


def test_a_head_that_was_never_trained_is_refused_unless_allowed(tmp_path: Path) -> None:
    weights = written(tmp_path / "fresh", CLASSIFIER)

    with pytest.raises(CheckpointError, match="was never trained") as caught:
        run(["a.mp4"], weights, Notes())

    assert "--allow-untrained-head" in caught.value.hint
    allowed = run(["a.mp4"], weights, Notes(), PredictOptions(allow_untrained_head=True))
    assert [one.reason for one in allowed.rejected] == ["no such file"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["a.mp4", "--hop", "1"], "--hop has no meaning without windows"),
        (["a.mp4", "--window", "inf"], "--window inf: not a duration"),
        (["a.mp4", "--out", "x.xml"], "unknown suffix .xml"),
        (["a.mp4", "--out", "x.png"], "add --window SECONDS"),
        (["a.mp4", "--stream", "0", "--window", "1"], "files were given too"),
        (["--stream", "0"], "add --window SECONDS"),
        (["rtsp://camera/1"], "hint: a stream or a device is only read when it is asked for"),
        (["/dev/null"], "--stream /dev/null"),
        ([], "hint: give files, folders or patterns"),
    ],
)
def test_a_wrong_line_says_what_to_type(
    line: list[str], words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_line(["predict", *line, "--checkpoint", str(folder / "weights")]) == 2
    assert words in capsys.readouterr().err
