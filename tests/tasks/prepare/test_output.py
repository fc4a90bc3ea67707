"""A disk that refuses a file of `prepare` ends it with exit code 2 and the name of the file."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.notes import Notes
from videomae_cli.cli import app
from videomae_cli.errors import UsageError
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import run

QUICK = PrepareOptions(decoder="pyav", workers=1)


def command(source: Path, out: Path) -> list[str]:
    return ["prepare", str(source), "--out", str(out), "--decoder", "pyav", "--workers", "1"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_is_full_while_videos_are_probed_is_reported(
    folders: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "probe-cache.jsonl").symlink_to("/dev/full")

    code = app.run(command(folders, out))

    error = capfd.readouterr().err
    assert code == 2
    assert f"{out / 'probe-cache.jsonl'} cannot be written: No space left on device" in error
    assert "hint: free some space" in error
    assert "Traceback" not in error
    assert [path.name for path in out.iterdir()] == ["probe-cache.jsonl"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX systems do")
@pytest.mark.parametrize("name", ["rejected.csv", "manifest.csv"])
def test_a_file_that_cannot_be_written_keeps_its_old_content(
    name: str, folders: Path, tmp_path: Path
) -> None:
    import resource

    out = tmp_path / "out"
    if name == "rejected.csv":  # longer than the limit below; the manifest is written after it
        (folders / "run" / f"{'long' * 50}.mp4").write_bytes(b"")
    run(folders, out, Notes(), QUICK)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert len(before[name]) > 200
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, former[1]))  # the kernel refuses the rest
    try:
        with pytest.raises(UsageError, match="cannot be written: File too large") as caught:
            run(folders, out, Notes(), QUICK)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)

    assert caught.value.message.startswith(f"{out / name} ")
    assert caught.value.exit_code == 2
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_directory_that_cannot_be_created_is_reported(
    folders: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()

    code = app.run(command(folders, tmp_path / "file" / "out"))

    assert code == 2
    assert f"--out {tmp_path / 'file' / 'out'}: Not a directory" in capfd.readouterr().err


def test_a_list_of_another_split_beside_the_source_is_pointed_at(
    clip: Callable[[Path], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    clip(tmp_path / "1.mp4")
    (tmp_path / "all.txt").write_text("1.mp4 0\n")
    (tmp_path / "val.txt").write_text("1.mp4 0\n")

    code = app.run(command(tmp_path / "all.txt", tmp_path / "out"))

    error = " ".join(capfd.readouterr().err.split())
    assert code == 3
    assert "no split found, but val.txt speaks of one" in error
    assert f"name them train, val and test, and give their folder, {tmp_path}" in error


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_class_folder_that_is_not_in_utf8_is_shown_by_its_bytes(
    clip: Callable[[Path], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("b", "caf\udce9"):
        for place in range(2):
            clip(tmp_path / "source" / name / f"{place}.mp4")

    code = app.run(command(tmp_path / "source", tmp_path / "out"))

    assert code == 3
    assert r"the class name 'caf\xe9' is not valid text" in capfd.readouterr().err


def test_what_a_killed_run_left_half_written_is_removed(folders: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    left = [".manifest.partial-7.csv", ".rejected.partial-7.csv", ".dataset.partial-12.json"]
    kept = ["notes.csv", ".notes.csv"]
    for name in (*left, *kept):
        (out / name).touch()

    run(folders, out, Notes(), QUICK)

    names = {path.name for path in out.iterdir()}
    assert not names & set(left) and names > set(kept)
