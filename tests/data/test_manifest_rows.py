"""Several labels, and values, in `manifest.csv`; one label per video is written as ever."""

import json
from pathlib import Path

import pytest

from videomae_cli.config.model import Task
from videomae_cli.data.manifest import Manifest, Video, read_manifest, write_manifest
from videomae_cli.errors import DataError

ROW = Video("a.mp4", None, "train", 30, 25.0, 64, 48, "decord")
MULTI = (
    ROW._replace(target=(1.0, 0.0, 1.0)),
    ROW._replace(path="b.mp4", target=(0.0, 0.0, 0.0)),
    ROW._replace(path="c.mp4", split="test"),
)
VALUES = (
    ROW._replace(target=(0.1 + 0.2, -1e-30, 5.0)),
    ROW._replace(path="b.mp4", target=(1e300, 2.0, 0.0)),
)


def write(folder: Path, task: Task, *videos: Video) -> Manifest:
    facts = {} if task == "single-label" else {"task": task}
    return write_manifest(folder, root=folder, videos=videos, classes=("x", "y", "z"), facts=facts)


def cells(folder: Path) -> list[str]:
    return [line.split(",")[1] for line in (folder / "manifest.csv").read_text().splitlines()[1:]]


@pytest.mark.parametrize(
    ("task", "videos", "expected"),
    [
        ("multi-label", MULTI, ["0|2", "-", ""]),
        ("regression", VALUES, ["0.30000000000000004|-1e-30|5.0", "1e+300|2.0|0.0"]),
    ],
)
def test_targets_are_read_as_they_were_written_to_the_last_bit(
    tmp_path: Path, task: Task, videos: tuple[Video, ...], expected: list[str]
) -> None:
    written = write(tmp_path, task, *videos)

    assert read_manifest(tmp_path) == written and written.videos == videos
    assert written.task == json.loads((tmp_path / "dataset.json").read_text())["task"] == task
    assert cells(tmp_path) == expected


def test_the_same_cells_with_another_task_have_another_digest(tmp_path: Path) -> None:
    single = write(tmp_path / "a", "single-label", ROW._replace(label=1))
    multi = write(tmp_path / "b", "multi-label", ROW._replace(target=(0.0, 1.0, 0.0)))

    assert cells(tmp_path / "a") == cells(tmp_path / "b") == ["1"]
    assert single.digest != multi.digest
    assert "task" not in json.loads((tmp_path / "a/dataset.json").read_text())


@pytest.mark.parametrize(
    ("task", "cell", "message"),
    [
        ("multi-label", "0|3", "label 3 is out of range: classes.json contains 3 classes"),
        ("multi-label", "0;1", "invalid literal"),
        ("multi-label", "", "no label"),
        ("regression", "1|2", "is not 3 finite values"),
        ("regression", "1|2|nan", "is not 3 finite values"),
        ("regression", "1|2|x", "could not convert"),
    ],
)
def test_a_wrong_cell_is_named_with_its_line(
    tmp_path: Path, task: Task, cell: str, message: str
) -> None:
    write(tmp_path, task, (MULTI if task == "multi-label" else VALUES)[0])
    file = tmp_path / "manifest.csv"
    head, row = file.read_text().splitlines()
    file.write_text(f"{head}\n{row.replace(cells(tmp_path)[0], cell)}\n")

    with pytest.raises(DataError, match=message) as caught:
        read_manifest(tmp_path)
    assert f"{file}:2: " in caught.value.message


def test_an_unknown_task_in_dataset_json_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "multi-label", *MULTI)
    file = tmp_path / "dataset.json"
    file.write_text(file.read_text().replace("multi-label", "ranking"))

    with pytest.raises(DataError, match="task: 'ranking' is not one of single-label, multi-label"):
        read_manifest(tmp_path)
