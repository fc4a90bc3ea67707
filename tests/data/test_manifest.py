"""The manifest keeps unusual paths, reports wrong rows by file and line, and has a digest."""

import json
import logging
from pathlib import Path

import pytest

from videomae_cli.data.manifest import Manifest, Video, read_manifest, write_manifest
from videomae_cli.errors import DataError

HEADER = "path,label,split,frames,fps,width,height,decoder"
GOOD = Video("a.mp4", 0, "train", 30, 25.0, 64, 48, "decord")


def write(
    directory: Path, *videos: Video, classes: tuple[str, ...] | None = ("x", "y")
) -> Manifest:
    return write_manifest(
        directory, root=directory / "videos", videos=videos, classes=classes, facts={"seed": 0}
    )


def write_rows(directory: Path, *rows: str) -> Path:
    write(directory, GOOD)
    (directory / "manifest.csv").write_text("\n".join((HEADER, *rows)) + "\n")
    return directory


def test_unusual_paths_are_written_and_read_unchanged(tmp_path: Path) -> None:
    paths = ["a b.mp4", "a,b.mp4", 'say "hi".mp4', "two\nlines.mp4", " edge ", "ümlaut/日本.mp4"]
    paths += ["b\udcffd.mp4"]  # a byte that is not UTF-8
    written = write(tmp_path, *(GOOD._replace(path=path) for path in paths), GOOD)

    manifest = read_manifest(tmp_path)

    assert [video.path for video in manifest.videos] == [*paths, "a.mp4"]
    assert manifest == written


def test_frame_rates_are_kept_to_the_last_bit(tmp_path: Path) -> None:
    write(tmp_path, GOOD._replace(fps=30000 / 1001))

    assert read_manifest(tmp_path).videos[0].fps == 30000 / 1001


def test_a_split_keeps_the_order_of_the_file(tmp_path: Path) -> None:
    rows = [GOOD._replace(path=f"{n}.mp4", split="val" if n % 2 else "train") for n in (5, 2, 3, 4)]
    manifest = write(tmp_path, *rows)

    assert [video.path for video in manifest.split("val")] == ["5.mp4", "3.mp4"]
    assert manifest.split("test") == ()


def test_paths_are_below_the_root_unless_absolute(tmp_path: Path) -> None:
    manifest = write(tmp_path, GOOD, GOOD._replace(path="/elsewhere/b.mp4"))

    assert manifest.video_path(manifest.videos[0]) == tmp_path / "videos" / "a.mp4"
    assert manifest.video_path(manifest.videos[1]) == Path("/elsewhere/b.mp4")


def test_the_digest_follows_rows_and_classes_but_not_the_root(tmp_path: Path) -> None:
    first = write(tmp_path / "one", GOOD)

    assert write(tmp_path / "two", GOOD).digest == first.digest
    assert write(tmp_path / "two", GOOD._replace(frames=31)).digest != first.digest
    assert write(tmp_path / "two", GOOD, classes=("x", "z")).digest != first.digest


def test_an_unlabelled_manifest_has_no_classes(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, GOOD._replace(label=None), classes=None)

    manifest = read_manifest(tmp_path)

    assert manifest.classes is None
    assert manifest.videos[0].label is None


def test_an_edited_manifest_is_used_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written = write(tmp_path, GOOD)
    path = tmp_path / "manifest.csv"
    path.write_text(path.read_text().replace("train", "val"))

    with caplog.at_level(logging.WARNING, logger="videomae"):
        manifest = read_manifest(tmp_path)

    assert manifest.videos[0].split == "val"
    assert manifest.digest != written.digest
    assert "edited" in caplog.text


WRONG_ROWS = {
    "a.mp4,0,train,30,25.0,64,48": "7 cells",
    "a.mp4,zero,train,30,25.0,64,48,decord": "zero",
    "a.mp4,2,train,30,25.0,64,48,decord": "label 2 is out of range",
    "a.mp4,-1,train,30,25.0,64,48,decord": "label -1 is out of range",
    "a.mp4,,train,30,25.0,64,48,decord": "no label",
    "a.mp4,0,trian,30,25.0,64,48,decord": "'trian'",
    "a.mp4,0,train,0,25.0,64,48,decord": "at least 1, got 0, 64, 48",
    "a.mp4,0,train,30,nan,64,48,decord": "fps nan",
    ",0,train,30,25.0,64,48,decord": "empty",
    '"a.mp4"x,0,train,30,25.0,64,48,decord': "expected after",
}


def error_of(directory: Path) -> str:
    try:
        read_manifest(directory)
    except DataError as error:
        return error.message
    return "no error"


def test_a_wrong_row_is_reported_with_file_and_line(tmp_path: Path) -> None:
    good = "b.mp4,1,val,30,25.0,64,48,decord"

    errors = {row: error_of(write_rows(tmp_path, good, row)) for row in WRONG_ROWS}

    wrong = {
        row: error
        for row, error in errors.items()
        if "manifest.csv:3: " not in error or WRONG_ROWS[row] not in error
    }
    assert wrong == {}


def test_a_duplicate_path_is_reported_with_both_lines(tmp_path: Path) -> None:
    row = "a.mp4,0,train,30,25.0,64,48,decord"

    with pytest.raises(DataError, match=r"manifest\.csv:3: 'a\.mp4' is already in line 2"):
        read_manifest(write_rows(tmp_path, row, row))


def test_labels_without_class_names_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "classes.json").unlink()

    with pytest.raises(DataError, match=r"manifest\.csv:2: a label, but there is no classes"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", ["manifest.csv", "dataset.json"])
def test_a_missing_file_is_reported_with_the_command_that_writes_it(
    name: str, tmp_path: Path
) -> None:
    write(tmp_path, GOOD)
    (tmp_path / name).unlink()

    with pytest.raises(DataError, match=f"{name} is missing") as caught:
        read_manifest(tmp_path)

    assert "videomae prepare" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dataset.json", "{"),
        ("dataset.json", "[]"),
        ("classes.json", '{"0": "x"}'),
        ("manifest.csv", "path,label\n"),
        ("manifest.csv", ""),
    ],
)
def test_a_damaged_file_is_reported_by_name(name: str, text: str, tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / name).write_text(text)

    with pytest.raises(DataError, match=name):
        read_manifest(tmp_path)


def test_nothing_partial_is_left_behind(tmp_path: Path) -> None:
    write(tmp_path, GOOD)

    assert {path.name for path in tmp_path.iterdir()} == {
        "manifest.csv",
        "classes.json",
        "dataset.json",
    }
    assert json.loads((tmp_path / "dataset.json").read_text())["seed"] == 0
