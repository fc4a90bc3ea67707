"""Jobs that share the inputs write beside each other what one job writes."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.notes import Notes
from tests.tasks.predict.clips import write_classifier, write_long_video, write_videos
from videomae_cli.data.executors.share import Share
from videomae_cli.errors import UsageError
from videomae_cli.tasks.predict import cluster
from videomae_cli.tasks.predict.options import PredictOptions, check_options
from videomae_cli.tasks.predict.predict import run

FP32 = PredictOptions(precision="fp32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a classifier `weights`, `videos`, and two videos of equal name."""
    folder = tmp_path_factory.mktemp("predict")
    write_classifier(folder / "weights")
    write_videos(folder / "videos")
    for name in "ab":
        (folder / name).mkdir()
        write_long_video(folder / name / "long.mkv")
    return folder


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def without_values(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "classes": [one["name"] for one in row.get("classes", ())]}


def values(row: dict[str, Any]) -> list[float]:
    return [one["probability"] for one in row.get("classes", ())]


def test_the_files_of_all_shards_in_turn_are_those_of_one_job(folder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"not a video at all, but long enough to be opened")
    inputs = [str(bad), str(folder / "videos")]
    whole, parts = tmp_path / "whole", tmp_path / "parts"

    one = run(inputs, folder / "weights", Notes(), FP32._replace(out=whole))
    shares = [Share(number, 3) for number in range(3)]
    for share in shares:
        run(inputs, folder / "weights", Notes(), FP32._replace(out=parts, share=share))

    names = {f"predictions-{k}-of-3.{kind}" for kind in ("csv", "jsonl") for k in range(3)}
    assert {path.name for path in parts.iterdir()} == names
    files = {"jsonl": parts / "predictions.jsonl", "csv": parts / "predictions.csv"}
    merged = cluster._merge(files, shares, Notes())
    assert merged.videos == len(one.predictions) == 6
    assert [row["video"] for row in merged.rejected] == [str(bad)]
    assert set(parts.iterdir()) == set(files.values())
    expected, found = rows(whole / "predictions.jsonl"), rows(files["jsonl"])
    assert list(map(without_values, found)) == list(map(without_values, expected))
    for row, other in zip(found, expected, strict=True):
        assert values(row) == pytest.approx(values(other), abs=1e-6)
    with files["csv"].open() as table, (whole / "predictions.csv").open() as other_table:
        assert [row[:5] for row in csv.reader(table)] == [
            row[:5] for row in csv.reader(other_table)
        ]


def test_pictures_of_videos_with_one_name_in_two_shards_are_two_files(
    folder: Path, tmp_path: Path
) -> None:
    inputs = [str(folder / name / "long.mkv") for name in "ab"]
    for number in range(2):
        options = FP32._replace(out=tmp_path, window=1.0, share=Share(number, 2))
        run(inputs, folder / "weights", Notes(), options)

    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["long-2.png", "long.png"]


def test_a_job_without_inputs_writes_empty_files(folder: Path, tmp_path: Path) -> None:
    inputs, options = [str(folder / "a" / "long.mkv")], FP32._replace(out=tmp_path)

    result = run(inputs, folder / "weights", Notes(), options._replace(share=Share(0, 2)))

    assert not result.predictions and not result.rejected
    assert (tmp_path / "predictions-0-of-2.jsonl").read_text() == ""
    assert (tmp_path / "predictions-0-of-2.csv").read_text().count("\n") == 1


def test_options_that_contradict_shards_and_a_cluster_are_named() -> None:
    some = PredictOptions(stream="0", window=1.0, share=Share(0, 2))
    with pytest.raises(UsageError, match="a stream has no shards"):
        check_options((), some)
    for options, words in (
        (PredictOptions(share=Share(0, 2)), "--shard and --scheduler"),
        (PredictOptions(stream="0"), "a stream has no shards"),
        (PredictOptions(), "needs a place for the results"),
        (PredictOptions(out=Path("x.png")), "needs a place for the results"),
    ):
        with pytest.raises(UsageError, match=words):
            cluster.run(["predict"], "tcp://127.0.0.1:1", ["a.mp4"], Path("w"), options, Notes())
