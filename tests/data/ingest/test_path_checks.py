"""Listed paths are checked before any file is opened."""

import os
from pathlib import Path

from tests.data.make_frames import touch_all
from videomae_cli.data.ingest.path_checks import MISSING, find_path_problem

# listed path -> words of the problem, "" for none
PROBLEMS = {
    "gone.mp4": MISSING,
    "http://host/a.mp4": "URL",
    "concat:a.mp4|b.mp4": "URL",
    "~/a.mp4": "~",
    "../a.mp4": "leaves its root",
    "x/../../a.mp4": "leaves its root",
    "a\0.mp4": "control character",
    "folder": "a folder without images",
    "videos": "a folder without images",
    "frames": "",
    "pipe": "not a regular file",
    "/elsewhere/a.mp4": "outside --root",
    "a.mp4": "",
    "x/../a.mp4": "",
}


def test_a_listed_path_that_is_no_video_below_the_root_has_a_problem(
    tmp_path: Path,
) -> None:
    (tmp_path / "folder").mkdir()
    touch_all(tmp_path / "videos", ["1.mp4", ".hidden.jpg"])
    touch_all(tmp_path / "frames", ["n_frames", "1.JPG"])
    (tmp_path / "x").mkdir()
    (tmp_path / "a.mp4").write_bytes(b"\0")
    os.mkfifo(tmp_path / "pipe")

    problems = {path: find_path_problem(path, tmp_path, tmp_path) for path in PROBLEMS}

    wrong = {
        path: problem
        for path, problem in problems.items()
        if PROBLEMS[path] not in problem or bool(PROBLEMS[path]) != bool(problem)
    }
    assert wrong == {}


def test_a_link_out_of_the_root_has_to_be_allowed(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for folder in (root / "real", elsewhere):
        folder.mkdir(parents=True)
        (folder / "a.mp4").write_bytes(b"\0")
    (root / "file.mp4").symlink_to(elsewhere / "a.mp4")
    (root / "folder").symlink_to(elsewhere)
    (root / "inside.mp4").symlink_to(root / "real" / "a.mp4")
    (root / "broken.mp4").symlink_to(elsewhere / "gone.mp4")
    (tmp_path / "alias").symlink_to(root)
    paths = ("file.mp4", "folder/a.mp4", "inside.mp4", "real/a.mp4", "broken.mp4")

    for start in (root, tmp_path / "alias"):
        problems = [find_path_problem(path, start, follows_links=False) for path in paths]

        words = f"a link that leads out of the root, to {elsewhere / 'a.mp4'}: --follow-links"
        assert [words in problem for problem in problems] == [True, True, False, False, False]
        assert problems[2:] == ["", "", MISSING]
        assert [find_path_problem(path, start) for path in paths] == ["", "", "", "", MISSING]


def test_an_absolute_path_may_be_a_link_unless_a_root_is_demanded(tmp_path: Path) -> None:
    root, target = tmp_path / "root", tmp_path / "a.mp4"
    root.mkdir()
    target.write_bytes(b"\0")
    link = root / "a.mp4"
    link.symlink_to(target)

    assert find_path_problem(str(link), root, follows_links=False) == ""
    assert "leads out" in find_path_problem(str(link), root, root, follows_links=False)


def test_an_absolute_path_needs_no_root(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\0")

    assert find_path_problem(str(tmp_path / "a.mp4"), Path("/elsewhere")) == ""
