"""`prepare` is killed again and again while it writes videos; the finished set is the same."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.data.make_clips import moving_square, write_clip

FEW, MANY = 3, 20
RECORDS = "probe-cache"  # their lines are in the order in which files were probed


def start(source: Path, out: Path, *flags: str) -> subprocess.Popen[bytes]:
    words = ["prepare", str(source), "--out", str(out), "--workers", "2", *flags]
    return subprocess.Popen(
        [sys.executable, "-m", "videomae_cli", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def contents(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.startswith(RECORDS)
    }


def kill_when_written(process: subprocess.Popen[bytes], out: Path, count: int) -> bool:
    """Kill the command, not its children, when so many files are written or begun."""
    while process.poll() is None:
        if sum(path.is_file() for path in (out / "videos").rglob("*")) >= count:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.002)
    return False


def check_kills(source: Path, tmp_path: Path, flags: tuple[str, ...], kills: int) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert start(source, whole, *flags).wait() == 0
    expected = contents(whole)
    total = sum(name.startswith("videos/") for name in expected)
    rng, landed = random.Random(0), 0
    for number in range(kills):
        landed += kill_when_written(
            start(source, out, *flags), out, 1 + number * (total - 1) // kills + rng.randrange(2)
        )
        assert not (out / "dataset.json").exists() or number > 0
    assert landed >= kills // 2

    assert start(source, out, *flags).wait() == 0

    names = ("manifest.csv", "rejected.csv", "classes.json", "transcoded.jsonl")
    result = contents(out)
    assert result.keys() == expected.keys()
    differing = {name for name in expected if result[name] != expected[name]}
    assert differing <= {"dataset.json"}, "it names its own root"
    assert all(name in expected for name in names)


def check_shard_kills(source: Path, tmp_path: Path, flags: tuple[str, ...], kills: int) -> None:
    """Kill two shards that run at the same time, and the run without `--shard`, and compare."""
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert start(source, out, *flags).wait() == 0
    out.rename(whole)
    expected = contents(whole)
    total = sum(name.startswith("videos/") for name in expected)
    rng, landed = random.Random(0), 0
    for number in range(kills):
        jobs = [start(source, out, *flags, "--shard", f"{share}/2") for share in range(2)]
        limit = 1 + number * (total - 1) // kills + rng.randrange(2)
        landed += kill_when_written(jobs[number % 2], out, limit)
        jobs[1 - number % 2].kill()
        for job in jobs:
            job.wait()
        assert not (out / "manifest.csv").exists()
    assert landed >= kills // 2
    if kills == MANY:
        assert start(source, out, *flags, "--shard", "1/2").wait() == 0
        kill_when_written(start(source, out, *flags), out, total - 1)

    assert start(source, out, *flags).wait() == 0

    assert contents(out) == expected


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for number in range(28):
        frames = moving_square(150, 96, 128, seed=number)
        path = write_clip(folder / ("run", "sit")[number % 2] / f"{number}.mp4", frames)
        os.utime(path, ns=(10**18, 10**18 + number))
    return folder


def test_a_few_kills(source: Path, tmp_path: Path) -> None:
    check_kills(source, tmp_path, ("--transcode",), FEW)


def test_a_few_kills_of_two_shards(source: Path, tmp_path: Path) -> None:
    check_shard_kills(source, tmp_path, ("--jpeg",), FEW - 1)


@pytest.mark.grid
@pytest.mark.parametrize("form", ["--transcode", "--uint8"])
def test_many_kills_of_two_shards(form: str, source: Path, tmp_path: Path) -> None:
    check_shard_kills(source, tmp_path, (form,), MANY)


@pytest.mark.grid
@pytest.mark.parametrize("form", ["--transcode", "--all-intra", "--jpeg", "--uint8"])
def test_many_kills(form: str, source: Path, tmp_path: Path) -> None:
    check_kills(source, tmp_path, (form,), MANY)
