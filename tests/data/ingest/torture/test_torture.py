"""Hundreds of damaged files and traps: frames or a reason for each, and nothing else happens.

All files are made from small clips when the test runs, with a fixed seed; none is stored.
"""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.data.decoding.odd_clips import write_video
from tests.data.ingest.torture.mutations import MUTATIONS
from tests.data.make_clips import moving_square, write_clip
from videomae_cli.data.ingest.child import MEMORY_BYTES
from videomae_cli.data.manifest import read_manifest

SHARED = Path(__file__).resolve().parents[5] / "shared" / "videos"
SEED = 20
COPIES = 4  # of each clip and mutation
SHARED_BYTES = 300_000
SECONDS = 240  # the whole test; it takes about a minute
RUN = """
import resource, sys
from videomae_cli.cli.app import run
code = run(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.exit(code)
"""


def write_masters(folder: Path) -> list[Path]:
    """Write clips of many formats and codecs, and return them with small real ones."""
    small = {
        name: write_clip(folder / name, 24, height=48, width=64, codec=codec)
        for name, codec in (
            ("h264.mp4", "libx264"),
            ("h264.mkv", "libx264"),
            ("h264.ts", "libx264"),
            ("h264.flv", "libx264"),
            ("mpeg4.avi", "mpeg4"),
            ("mpeg4.mov", "mpeg4"),
            ("hevc.mp4", "libx265"),
        )
    }
    frames = moving_square(12, 48, 64)
    odd = [
        write_video(folder / name, frames, codec=codec, pixels=pixels)
        for name, codec, pixels in (
            ("vp9.webm", "libvpx-vp9", "yuv420p"),
            ("jpeg.avi", "mjpeg", "yuvj420p"),
            ("ffv1.mkv", "ffv1", "bgr0"),
            ("picture.gif", "gif", "rgb8"),
        )
    ]
    real = [path for path in sorted(SHARED.rglob("*")) if path.is_file() and path.suffix != ".csv"]
    real = [path for path in real if path.suffix != ".md" and path.stat().st_size < SHARED_BYTES]
    return [*small.values(), *odd, *real[:: max(len(real) // 6, 1)]]


def write_mutants(masters: list[Path], folder: Path) -> list[str]:
    rng = np.random.default_rng(SEED)
    names = []
    for master in masters:
        content = master.read_bytes()
        for mutate in MUTATIONS:
            for copy in range(COPIES):
                name = f"{master.stem} {mutate.__name__} {copy}{master.suffix}"
                (folder / name).write_bytes(mutate(bytearray(content), rng))
                names.append(name)
    return names


def write_traps(good: Path, root: Path) -> dict[str, str]:
    """Place traps; return words of the reason for each path."""
    outside = root.parent / "outside.mp4"
    outside.write_bytes(good.read_bytes())
    contents = {
        "empty.mp4": (b"", "is empty"),
        "hls.mp4": (b"#EXTM3U\n#EXTINF:1,\n../outside.mp4\n", "is text"),
        "concat.mp4": (b"ffconcat version 1.0\nfile ../outside.mp4\n", "is text"),
        "session.mp4": (b"v=0\no=- 0 0 IN IP4 127.0.0.1\n", "is text"),
        "page.mp4": (b"<html><body>404</body></html>", "is text"),
        "words.mp4": (b"not a video at all\n" * 40, "cannot decode"),
        "huge.y4m": (b"YUV4MPEG2 W60000 H60000 F25:1 C420\nFRAME\n" + bytes(900), "cannot decode"),
        "large.y4m": (b"YUV4MPEG2 W9000 H9000 F25:1 C420\nFRAME\n" + bytes(900), "9000 x 9000"),
    }
    for name, (content, _) in contents.items():
        (root / name).write_bytes(content)
    (root / "link.mp4").symlink_to(outside)
    (root / "folder.mp4").mkdir()
    os.mkfifo(root / "pipe.mp4")
    (root / "loop.mp4").symlink_to(root / "loop.mp4")
    return {
        **{name: words for name, (_, words) in contents.items()},
        "link.mp4": "leads out of the root",
        "folder.mp4": "a folder without images",
        "pipe.mp4": "not a regular file",
        "loop.mp4": "cannot be read",
        "gone.mp4": "no such file",
        "../outside.mp4": "leaves its root",
        "x/../../other.mp4": "leaves its root",
        "/etc/hostname": "outside --root",
        "/dev/zero": "outside --root",
        "~/outside.mp4": "~ is not expanded",
        "http://127.0.0.1:9/a.mp4": "a URL",
        "concat:empty.mp4|hls.mp4": "a URL",
        "file:/etc/hostname": "a URL",
        "numbers%03d.mp4": "no such file",
    }


def take_snapshot(folder: Path) -> dict[str, tuple[int, int, int]]:
    states = {str(path): path.lstat() for path in folder.rglob("*")}
    return {name: (one.st_mode, one.st_size, one.st_mtime_ns) for name, one in states.items()}


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits are those of Linux")
def test_every_damaged_file_gives_frames_or_a_reason_and_nothing_else_happens(
    tmp_path: Path,
) -> None:
    root, out = tmp_path / "files" / "root", tmp_path / "out"
    root.mkdir(parents=True)
    masters = write_masters(tmp_path / "files" / "masters")
    names = write_mutants(masters, root)
    traps = write_traps(masters[0], root)
    (root / "good.mp4").write_bytes(masters[0].read_bytes())
    with (tmp_path / "files" / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path"], ["good.mp4"], *([name] for name in [*names, *traps])])
    before = take_snapshot(tmp_path / "files")

    done = subprocess.run(
        [
            *(sys.executable, "-c", RUN, "prepare", str(tmp_path / "files" / "list.csv")),
            *("--root", str(root), "--out", str(out), "--timeout", "5", "--workers", "2"),
        ],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=tmp_path / "files",
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert len(names) >= 300
    assert take_snapshot(tmp_path / "files") == before
    with (out / "rejected.csv").open(newline="") as file:
        reasons = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    readable = {video.path: video for video in read_manifest(out).videos}
    assert sorted([*reasons, *readable]) == sorted(["good.mp4", *names, *traps])
    assert "good.mp4" in readable and all(reasons.values())
    wrong = {path: reasons.get(path) for path in traps if traps[path] not in reasons.get(path, "")}
    assert wrong == {}
    peak = int(done.stdout.rsplit("peak ", 1)[1])
    assert peak < MEMORY_BYTES
    assert min(sum(kind in name for name in readable) for kind in ("flip_bits", "edit_header")) > 10
    findings = json.loads((out / "health.json").read_text())["findings"]
    assert {one["name"] for one in findings} >= {"rejected", "damaged"}
