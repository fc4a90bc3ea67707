"""Files appear whole or not at all, and never through somebody else's link."""

import json
import math
import os
import resource
from pathlib import Path

import pytest

from videomae_cli import atomic
from videomae_cli.atomic import remove_directory, remove_leftovers, replacing_directory, write_text
from videomae_cli.checkpoints.destination import replacing, replacing_several
from videomae_cli.errors import CheckpointError
from videomae_cli.report import format_json


def test_a_link_laid_where_the_partial_file_goes_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / f".out.partial-{os.getpid()}.pth").symlink_to(tmp_path / "mine.txt")

    with replacing(tmp_path / "out.pth") as partial:
        partial.write_text("new")

    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert (tmp_path / "out.pth").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "out.pth"]


def test_a_place_that_cannot_be_written_to_is_the_users_to_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    for context in (replacing, replacing_several):
        with (
            pytest.raises(CheckpointError, match="cannot be written"),
            context(tmp_path / "file" / "out.pth"),
        ):
            raise AssertionError("the block is never entered")


def test_companions_move_first_and_all_or_none(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replacing_several(tmp_path / "a.onnx") as folder:
        (folder / "a.onnx").write_text("half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []

    with replacing_several(tmp_path / "a.onnx") as folder:
        for name in ("a.onnx", "a.onnx.json"):
            (folder / name).write_text(name)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.onnx": "a.onnx",
        "a.onnx.json": "a.onnx.json",
    }


def test_a_full_disk_names_the_destination_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("old")
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, former[1]))  # the kernel refuses the rest
    try:
        with pytest.raises(OSError) as caught:
            write_text(path, "new " * 4096)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)

    assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_a_directory_is_replaced_with_everything_in_it_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    (path / "old.txt").write_text("old")

    with pytest.raises(ZeroDivisionError), replacing_directory(path):
        raise ZeroDivisionError
    assert [file.name for file in path.iterdir()] == ["old.txt"]

    with replacing_directory(path) as partial:
        (partial / "new.txt").write_text("new")
    assert [file.name for file in path.iterdir()] == ["new.txt"]
    assert list(tmp_path.iterdir()) == [path]

    remove_directory(path)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_killed_processes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".a.partial-7.txt", ".b.partial-7.txt", "a.txt", "a.partial-7.txt"):
        (tmp_path / name).write_text(name)
    for name in (".step-1.partial-7", ".step-2.former-7", "step-3"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()

    remove_leftovers(tmp_path / "a.txt")
    remove_leftovers(tmp_path / "step-*")

    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".b.partial-7.txt", "a.partial-7.txt", "a.txt", "step-3"]


def test_json_has_null_for_what_json_lacks_wherever_it_is(tmp_path: Path) -> None:
    value = {"a": [1.5, math.nan, (math.inf,)], "b": {"c": -math.inf, "d": "NaN"}, 3: True}

    atomic.write_json(tmp_path / "x.json", value)

    text = (tmp_path / "x.json").read_text()
    assert json.loads(text) == {
        "a": [1.5, None, [None]],
        "b": {"c": None, "d": "NaN"},
        "3": True,
    }
    assert "Infinity" not in text
    assert format_json({"b": 1, "a": [0.1]}, ensure_ascii=True) == json.dumps({"b": 1, "a": [0.1]})
