"""`prepare` writes the health report beside the manifest; `--check` writes nothing but it."""

import csv
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.make_clips import moving_square, write_clip
from tests.notes import Notes
from videomae_cli.cli import app
from videomae_cli.data.manifest import read_manifest
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import run

QUICK = ("--decoder", "pyav", "--workers", "1")
REPORTS = {"health.json", "health.html", "probe-cache.jsonl", "rejected.csv"}
ODD = ("-", "a, b ", "it's ", '"c" ', "é & <b>", "100% #1 ", "a%03d ")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def read_findings(out: Path) -> dict[str, Any]:
    return {one["name"]: one for one in json.loads((out / "health.json").read_text())["findings"]}


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    """Two classes in two splits, long enough and all different."""
    rng = np.random.default_rng(0)
    for number, place in enumerate(("train/run", "train/sit", "val/run", "val/sit")):
        scene = np.kron(rng.integers(0, 255, (6, 8, 3)), np.ones((24, 24, 1)))
        frames = np.stack([np.roll(scene, 3 * t, axis=1) for t in range(64)]).astype(np.uint8)
        write_clip(tmp_path / "healthy" / place / f"{number}.mp4", frames)
    return tmp_path / "healthy"


def test_the_reports_lie_beside_the_manifest(folders: Path, tmp_path: Path) -> None:
    notes = Notes()

    summary = run(folders, tmp_path / "out", notes, PrepareOptions(decoder="pyav", workers=1))

    assert names(tmp_path / "out") >= {*REPORTS, "manifest.csv"}
    findings = read_findings(tmp_path / "out")
    # one clip, copied into two classes: in val and train, and with both labels
    assert set(findings) == {
        "near-duplicates-across-splits",
        "near-duplicates-with-different-labels",
        "short",
        "unusual-sizes",
    }
    assert findings["near-duplicates-across-splits"]["number"] == 2
    assert findings["short"]["examples"][0]["detail"] == "6 frames"
    assert summary.as_json()["findings"] == {name: one["number"] for name, one in findings.items()}
    assert notes.has(f"health: 3 findings and 1 note, see {tmp_path / 'out' / 'health.html'}")


def test_the_numbers_are_those_of_the_data(folders: Path, tmp_path: Path) -> None:
    run(folders, tmp_path / "out", Notes(), PrepareOptions(decoder="pyav", workers=1))

    data = json.loads((tmp_path / "out" / "health.json").read_text())["data"]

    assert data["videos"] == {"train": 4, "val": 2, "test": 0} and data["rejected"] == 0
    assert data["hours"] == pytest.approx(6 * 6 / 25 / 3600, abs=1e-4)
    assert data["bytes"] == sum(path.stat().st_size for path in folders.rglob("*.mp4"))
    assert data["frame_counts"] == [["0 to 15", 6]]
    assert data["size_counts"] == [["48 x 32", 6]] and data["rate_counts"] == [["25", 6]]
    assert data["codec_counts"] == [["h264 yuv420p", 6]]
    assert data["classes"] == ["run", "sit"]
    assert data["class_counts"] == {"train": [2, 2], "val": [1, 1]}
    facts = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert data["pixels"]["channel_mean"] == facts["channel_mean"]


def test_a_healthy_data_set_has_no_finding(
    healthy: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = app.run(["prepare", str(healthy), "--check", "--out", str(tmp_path / "out"), *QUICK])

    assert code == 0
    assert f"health: no findings, see {tmp_path / 'out' / 'health.html'}" in capfd.readouterr().out
    assert names(tmp_path / "out") == REPORTS
    assert "<p>None.</p>" in (tmp_path / "out" / "health.html").read_text()


def test_a_check_with_findings_ends_with_6_and_keeps_an_earlier_manifest(
    folders: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = ["prepare", str(folders), "--out", str(tmp_path / "out"), *QUICK]
    assert app.run(line) == 0
    capfd.readouterr()
    before = (tmp_path / "out" / "manifest.csv").read_bytes()
    (folders / "run" / "new.mp4").write_bytes((folders / "run" / "0.mp4").read_bytes())

    assert app.run([*line, "--check", "--json"]) == 6

    shown = json.loads(capfd.readouterr().out)
    assert shown["data"]["videos"]["train"] + shown["data"]["videos"]["val"] == 7
    assert (tmp_path / "out" / "manifest.csv").read_bytes() == before


def test_notes_alone_do_not_fail_a_check(healthy: Path, tmp_path: Path) -> None:
    write_clip(healthy / "train/run/fast.mp4", moving_square(64, 120, 160), fps=50)

    assert app.run(["prepare", str(healthy), "--check", "--out", str(tmp_path), *QUICK]) == 0
    assert set(read_findings(tmp_path)) == {"mixed-rates"}


@pytest.mark.parametrize(
    ("flags", "code", "has_manifest"),
    [
        ((), 0, True),
        (("--max-bad", "0.5"), 0, True),
        (("--max-bad", "0.3"), 3, False),
        (("--check",), 3, False),
        (("--check", "--strict", "--max-bad", "0.5"), 3, False),
        (("--check", "--max-bad", "0.5"), 6, False),
    ],
)
def test_the_budget_of_bad_files(
    flags: tuple[str, ...],
    code: int,
    has_manifest: bool,
    healthy: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in ("x", "y"):
        (healthy / "train/run" / f"{name}.mp4").write_bytes(b"")
    out = tmp_path / "out"

    assert app.run(["prepare", str(healthy), "--out", str(out), *QUICK, *flags]) == code

    assert (out / "manifest.csv").exists() == has_manifest
    assert read_findings(out)["rejected"]["number"] == 2
    error = " ".join(capfd.readouterr().err.split())
    assert ("2 of 6 videos are rejected (33.3%), and --max-bad allows" in error) == (code == 3)


def test_a_check_reports_even_if_no_video_can_be_used(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "source" / name).mkdir(parents=True)
        (tmp_path / "source" / name / "1.mp4").write_bytes(b"")

    line = ["prepare", str(tmp_path / "source"), "--check", "--out", str(tmp_path / "out"), *QUICK]
    assert app.run(line) == 3

    rejected = read_findings(tmp_path / "out")["rejected"]
    assert rejected["severity"] == "error"
    assert rejected["examples"][0] == {"path": "a/1.mp4", "detail": "is empty"}


def test_a_budget_that_is_no_share_is_refused(folders: Path, tmp_path: Path) -> None:
    assert app.run(["prepare", str(folders), "--out", str(tmp_path), "--max-bad", "5"]) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_the_page_is_one_file_and_shows_any_name(
    clip: Callable[[Path], Path], tmp_path: Path
) -> None:
    strange = (
        '<script>alert("1").mp4',
        "caf\udce9.mp4",
        "line\nbreak.mp4",
        "🎬 \u202e.mp4",
    )
    for name in strange:
        clip(tmp_path / "source" / name)

    run(tmp_path / "source", tmp_path / "out", Notes(), PrepareOptions(decoder="pyav", workers=1))

    page = (tmp_path / "out" / "health.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert" in page and r"caf\xe9.mp4" in page and r"🎬 \u202e.mp4" in page
    lowered = page.lower()
    for outside in ("<script", "src=", "href=", "http", "url(", "@import"):
        assert outside not in lowered
    assert "prefers-color-scheme: dark" in page
    json.loads((tmp_path / "out" / "health.json").read_bytes().decode("utf-8"))


@pytest.mark.slow
def test_every_real_clip_under_an_odd_name_is_prepared_or_rejected(
    shared: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "my clips", tmp_path / "out"
    folders = [shared / "videos", shared / "cases" / "videos"]
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    clips = [path for path in files if path.suffix not in (".md", ".csv")]
    for number, path in enumerate(clips):
        odd = ODD[number % len(ODD)]
        place = source / f"{odd}{path.parent.name}" / f"{odd}{number} {path.name}"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    listed = {os.path.relpath(path, source) for path in source.rglob("*.*") if path.is_file()}

    summary = run(source, out, Notes(), PrepareOptions(workers=2))

    manifest = read_manifest(out)
    prepared = {video.path for video in manifest.videos}
    with (out / "rejected.csv").open(newline="") as file:
        rejected = {row["path"] for row in csv.DictReader(file)}
    assert prepared | rejected == listed and not prepared & rejected
    assert len(listed) == len(clips) > 240
    assert {Path(path).name.split(" ")[-1] for path in rejected} == {
        *("corrupted.mp4", "depth.mkv", "res_change.ts"),
    }
    assert summary.rejected.total() == len(rejected)
    assert all((source / video.path).is_file() for video in manifest.videos)
