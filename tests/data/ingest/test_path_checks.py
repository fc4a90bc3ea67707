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


def test_an_absolute_path_needs_no_root(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\0")

    assert find_path_problem(str(tmp_path / "a.mp4"), Path("/elsewhere")) == ""
