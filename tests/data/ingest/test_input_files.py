"""The videos that a command line names: files, folders, patterns, lists."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from videomae_cli.data.ingest.input_files import InputFile, find_input_files
from videomae_cli.errors import UsageError


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.mp4", "deep/b.avi", "deep/[1].mkv", "deep/notes.txt", ".hidden/c.mp4"):
        (tmp_path / "clips" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "clips" / name).write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*inputs: str, stdin: bytes = b"") -> list[str]:
    return [
        f"{file.name}{file.problem and ': '}{file.problem}"
        for file in find_input_files(inputs, io.BytesIO(stdin))
    ]


def test_folders_are_searched_and_duplicates_are_read_once(clips: Path) -> None:
    found = ["clips/a.mp4", "clips/deep/[1].mkv", "clips/deep/b.avi"]

    assert names("clips") == found
    assert names("clips/deep/b.avi", "clips", "clips/a.mp4", str(clips / "clips/a.mp4")) == [
        "clips/deep/b.avi",
        *found[:2],
    ]
    assert names("./clips/../clips/a.mp4", "clips/a.mp4") == ["./clips/../clips/a.mp4"]


def test_patterns_that_the_shell_did_not_replace_are_searched(clips: Path) -> None:
    assert names("clips/*.mp4") == ["clips/a.mp4"]
    assert names("clips/**/*.avi") == ["clips/deep/b.avi"]
    assert names("clips/d*") == ["clips/deep/[1].mkv", "clips/deep/b.avi"]
    assert names("clips/deep/[1].mkv") == ["clips/deep/[1].mkv"]


def test_what_is_no_video_is_named_with_the_reason(clips: Path) -> None:
    assert names("nope.mp4", "empty", "*.webm", "clips/a.mp4") == [
        "nope.mp4: no such file",
        "empty: no videos in this folder",
        "*.webm: no file matches this pattern",
        "clips/a.mp4",
    ]


def test_a_list_on_stdin_has_lines_or_is_separated_by_nul(clips: Path) -> None:
    both = ["clips/a.mp4", "clips/deep/b.avi"]

    assert names("-", stdin=b"clips/a.mp4\r\nclips/deep/b.avi\n\n") == both
    assert names("-", stdin=b"clips/a.mp4\0clips/deep/b.avi\0") == both
    assert names("-", stdin=b"line\nbreak.mp4\0") == ["line\nbreak.mp4: no such file"]
    assert names("-", stdin=b"\xe9.mp4\n") == ["\udce9.mp4: no such file"]
    with pytest.raises(UsageError, match="the list on stdin is empty"):
        names("-", stdin=b"\n")


def test_a_folder_of_frames_is_one_video(clips: Path) -> None:
    for number in range(3):
        path = clips / "frames" / "x" / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)

    assert names("frames") == names("frames/x") == ["frames/x"]
    assert InputFile("frames/x").path == clips / "frames" / "x"
