"""Something-Something V2 is read from its JSON lists, with the classes of labels.json."""

import json
from pathlib import Path

import pytest

from tests.data.layouts.datasets.listed import list_rows, rows_of
from tests.data.layouts.datasets.trees import (
    place_empty_videos,
    place_videos,
    write_something_something,
)
from tests.notes import Notes
from videomae_cli.data.layouts import detect_layout, scan_layout
from videomae_cli.errors import DataError
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import write_prepared

PUSHING, HOLDING = "Pushing something", "Holding something, then something"
FOLDER = "20bn-something-something-v2"
LAYOUT = "something-something-v2"


@pytest.mark.parametrize("prefix", ["", "something-something-v2-"])
def test_the_class_is_the_template_without_brackets(prefix: str, tmp_path: Path) -> None:
    source = write_something_something(tmp_path, prefix=prefix)

    assert detect_layout(source).name == LAYOUT
    listing = scan_layout(source, LAYOUT)

    assert rows_of(listing) == [
        (f"{FOLDER}/1.webm", PUSHING, "train"),
        (f"{FOLDER}/2.webm", HOLDING, "train"),
        (f"{FOLDER}/3.webm", PUSHING, "train"),
        (f"{FOLDER}/4.webm", HOLDING, "train"),
        (f"{FOLDER}/5.webm", PUSHING, "val"),
        (f"{FOLDER}/6.webm", HOLDING, "val"),
        (f"{FOLDER}/7.webm", PUSHING, "test"),
        (f"{FOLDER}/8.webm", HOLDING, "test"),
    ]
    assert (listing.classes, listing.remarks) == ((PUSHING, HOLDING), [])


def test_without_answers_the_test_list_has_no_labels(tmp_path: Path) -> None:
    source = write_something_something(tmp_path)
    (source / "labels/test-answers.csv").unlink()

    rows = list_rows(source, LAYOUT)

    assert [label for _, label, split in rows if split == "test"] == [None, None]


def test_one_list_may_be_the_source_and_the_videos_mp4_elsewhere(tmp_path: Path) -> None:
    source = write_something_something(tmp_path / "lists")
    place_empty_videos(tmp_path / "videos", *(f"{number}.mp4" for number in range(1, 5)))
    path = source / "labels/train.json"

    assert detect_layout(path).name == LAYOUT
    rows = list_rows(path, LAYOUT, root=tmp_path / "videos")

    assert [path for path, *_ in rows] == ["1.mp4", "2.mp4", "3.mp4", "4.mp4"]
    assert {split for *_, split in rows} == {"train"}


def change_labels(folder: Path) -> None:
    (folder / "labels.json").write_text(json.dumps({PUSHING: "0"}))


def skip_a_number(folder: Path) -> None:
    (folder / "labels.json").write_text(json.dumps({PUSHING: "0", HOLDING: "2"}))


def remove_labels(folder: Path) -> None:
    (folder / "labels.json").unlink()


def remove_template(folder: Path) -> None:
    entries = json.loads((folder / "train.json").read_text())
    del entries[2]["template"]
    (folder / "train.json").write_text(json.dumps(entries))


def cut_off(folder: Path) -> None:
    path = folder / "validation.json"
    path.write_text(path.read_text()[:-40])


def lose_an_answer(folder: Path) -> None:
    (folder / "test-answers.csv").write_text(f"7;{PUSHING}\n")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change_labels, r"train\.json: entry 2, id 2: 'Holding .*' is no class of labels\.json"),
        (skip_a_number, r"labels\.json: not an object of class names and numbers from 0"),
        (remove_labels, r"labels: no labels\.json, which gives the numbers"),
        (remove_template, r"train\.json: entry 3 has no id or no template"),
        (cut_off, r"validation\.json:1: not JSON"),
        (lose_an_answer, r"test\.json: entry 2: id 8 is not in the answers"),
    ],
)
def test_a_wrong_file_is_named(damage: object, message: str, tmp_path: Path) -> None:
    source = write_something_something(tmp_path)
    damage(source / "labels")  # type: ignore[operator]

    with pytest.raises(DataError, match=message):
        scan_layout(source, LAYOUT)


def test_it_is_prepared_with_the_official_numbers(tmp_path: Path) -> None:
    source = write_something_something(tmp_path / "ssv2", place_videos)
    options = PrepareOptions(decoder="pyav", workers=1)

    manifest = write_prepared(source, tmp_path / "out", Notes(), options).manifest

    assert manifest.classes == (PUSHING, HOLDING)
    assert [(video.path, video.label, video.split) for video in manifest.videos] == [
        (f"{FOLDER}/{number}.webm", 1 - number % 2, split)
        for number, split in zip(
            range(1, 9), ["train"] * 4 + ["val"] * 2 + ["test"] * 2, strict=True
        )
    ]
