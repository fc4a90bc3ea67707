"""`prepare --json` prints one object also if it writes no manifest; the exit code is as without."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.make_clips import write_clip
from tests.notes import CLASSIFIER, written
from videomae_cli.cli import app

QUICK = ["--decoder", "pyav", "--workers", "1", "--json"]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Return a folder with three videos and one file that is none."""
    for number in range(3):
        write_clip(tmp_path / f"clips/{number}.mp4", 6, height=32, width=48, seed=number)
    (tmp_path / "clips/bad.mp4").write_bytes(b"no video" * 20)
    return tmp_path / "clips"


def answer(words: list[str], code: int, capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert app.run(words) == code
    output = capfd.readouterr()
    found: dict[str, Any] = json.loads(output.out)
    if code == 3:
        assert f"error: {found['error']}" in output.err
    return found


@pytest.mark.parametrize("words", [["--max-bad", "0.1"], ["--check"]])
def test_too_many_rejected_videos_are_counted_with_the_reports(
    words: list[str], clips: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"

    found = answer(["prepare", str(clips), "--out", str(out), *words, *QUICK], 3, capfd)

    assert found["listed"] == 4 and list(found["rejected"].values()) == [1]
    assert found["findings"]["rejected"] == 1
    assert Path(found["health"]) == out / "health.html" and (out / "health.html").is_file()
    assert Path(found["rejected_csv"]).read_text().count("bad.mp4") == 1
    assert not (out / "manifest.csv").exists()


@pytest.mark.parametrize("words", [["--strict"], ["--jpeg", "--max-bad", "0"]])
def test_rejected_videos_are_counted_before_there_is_a_report(
    words: list[str], clips: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = ["prepare", str(clips), "--out", str(tmp_path / "out"), *words, *QUICK]

    found = answer(line, 3, capfd)

    assert found["listed"] == 4 and list(found["rejected"].values()) == [1]
    assert found["health"] is None


def test_a_set_without_any_video_is_counted(
    clips: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for path in clips.glob("[0-9].mp4"):
        path.write_bytes(b"no video")

    found = answer(["prepare", str(clips), "--out", str(tmp_path / "out"), *QUICK], 3, capfd)

    assert found["listed"] == 4 == sum(found["rejected"].values())


def test_a_check_with_findings_prints_them(
    clips: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = ["prepare", str(clips), "--check", "--max-bad", "1", "--out", str(tmp_path / "out")]

    found = answer([*line, *QUICK], 6, capfd)

    assert {"rejected", "short"} <= {one["name"] for one in found["findings"]}


def test_an_evaluation_without_any_video_prints_the_reasons(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    for label, number in (("left", 0), ("right", 1), ("up", 2)):
        path = tmp_path / f"set/val/{label}/{number}.mp4"
        path.parent.mkdir(parents=True)
        path.write_bytes((clips / f"{number}.mp4").read_bytes())
    words = ["--split", "val", "--checkpoint", str(written(tmp_path / "weights", CLASSIFIER))]
    rows = [
        f"set/val/{label}/{n}.mp4,{label},val" for n, label in enumerate(("left", "right", "up"))
    ]
    (tmp_path / "list.csv").write_text("\n".join(["path,label,split", *rows]))
    classes = tmp_path / "classes.txt"
    classes.write_text("left\nright\nup\n")
    data = ["--out", str(tmp_path / "data"), "--classes", str(classes), *QUICK]
    assert app.run(["prepare", str(tmp_path / "list.csv"), *data]) == 0
    for path in (tmp_path / "set").rglob("*.mp4"):
        path.unlink()
    capfd.readouterr()

    line = ["eval", "--data", str(tmp_path / "data"), *words, "--allow-untrained-head", "--json"]
    found = answer([*line, "--out", str(tmp_path / "eval")], 3, capfd)

    assert len(found["undecodable"]) == 3


def test_other_commands_print_what_they_could_not_read(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    words = ["--checkpoint", str(written(tmp_path / "weights", CLASSIFIER)), "--json"]
    bad, good = str(clips / "bad.mp4"), str(clips / "0.mp4")
    for videos in ([bad], [bad, good]):
        for name, more in (
            ("predict", ["--allow-untrained-head"]),
            ("features", ["--out", str(tmp_path / f"features{len(videos)}")]),
        ):
            assert app.run([name, *videos, *words, *more]) == 3
            found = json.loads(capfd.readouterr().out)
            assert len(found["rejected"]) == 1 and "bad.mp4" in str(found["rejected"])
