"""Files appear whole or not at all, and never through somebody else's link."""

import os
import resource
from pathlib import Path

import pytest

from videomae_cli.atomic import write_text
from videomae_cli.checkpoints.destination import replacing, replacing_several
from videomae_cli.errors import CheckpointError


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
