"""`videomae prepare`, killed 20 times, writes in the end what it writes when nobody touches it."""

import random
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from tests.data.make_clips import write_clip
from tests.e2e.kill_evaluation import read_all
from tests.e2e.warm import Warm, wait

CLIPS, COPIES = 12, 40
VIDEOS = CLIPS * COPIES
BROKEN = 3
CACHE = "probe-cache*.jsonl"
pytestmark = pytest.mark.grid


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two class folders of `VIDEOS` videos, `BROKEN` of them broken."""
    folder = tmp_path_factory.mktemp("source")
    for number in range(CLIPS):
        clip = write_clip(folder / f"{number}.mp4", 6 + number % 5, height=32, width=48)
        for copy in range(COPIES):
            path = folder / "videos" / str(number % 2) / f"{copy:02d} {number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.hardlink_to(clip)
    for number in range(BROKEN):
        path = folder / "videos" / "0" / f"{number:02d} 0.mp4"
        path.unlink()
        path.write_bytes(b"no video" * number)
    return folder / "videos"


def count_results(out: Path) -> int:
    """Return how many whole results are stored."""
    return sum(path.read_text().count('"stamp"') for path in out.glob(CACHE))


def kill_when(is_so: Callable[[], bool], process: BaseProcess) -> bool:
    """Kill a process when something is so; return False if it has ended before."""
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline
        if process.exitcode is not None:
            return False
        time.sleep(0.001)
    process.kill()
    return wait(process) == -signal.SIGKILL


def after(seconds: float) -> Callable[[], bool]:
    """Return a function that is true after a time."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


@pytest.mark.parametrize("shard", [None, "1/2"])
def test_prepare_killed_again_and_again_writes_the_same_files(
    shard: str | None, source: Path, tmp_path: Path, warm: Warm
) -> None:
    rng = random.Random(str(shard))
    words = ["prepare", source, "--decoder", "pyav", "--workers", "2", "--out"]
    out, whole = tmp_path / "killed", tmp_path / "whole"
    share = VIDEOS // (2 if shard else 1)
    more: list[str | Path] = ["--shard", shard] if shard else []

    counts = []
    for kill in range(14):
        limit = share * (kill + 1) // 17 + rng.randrange(5)
        (process,) = warm.start([*words, out, *more])
        assert kill_when(lambda limit=limit: count_results(out) >= limit, process), warm.text()
        counts.append(count_results(out))
    for _ in range(3):
        (process,) = warm.start([*words, out, *more])
        assert kill_when(after(rng.uniform(0, 0.3)), process), warm.text()
    landed = 0
    while landed < 3:  # while the manifest is written
        (process,) = warm.start([*words, out])
        writes = rng.choice([".rejected.*", "rejected.csv", ".manifest.*", ".dataset.*"])
        for path in out.glob("[!p]*"):
            path.unlink()
        landed += kill_when(lambda writes=writes: any(out.glob(writes)), process)

    assert 0 < counts[0] < counts[6] < share and counts == sorted(counts)
    for folder in (out, whole):
        assert warm.run([*words, folder]) == [0], warm.text()[-3000:]
    files, expected = read_all(out), read_all(whole)
    caches = [name for name in (*files, *expected) if name.startswith("probe-cache")]
    assert {**files, **dict.fromkeys(caches)} == {**expected, **dict.fromkeys(caches)}
    assert files["rejected.csv"].count(b"\n") == 1 + BROKEN
    assert files["manifest.csv"].count(b"\n") == 1 + VIDEOS - BROKEN
