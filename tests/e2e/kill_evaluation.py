"""Kill a command that keeps finished parts again and again; compare what it writes in the end.

Every kill is SIGKILL, during start-up, at a random moment, or when another part turns up in the
directory. The last call runs to its end; its files must be those of a run that nobody touched.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.data.make_clips import write_clip
from tests.e2e.warm import Warm, wait
from videomae_cli.data.manifest import Video, write_manifest

AIMS = ("start-up", "any time", "a part", "two parts")
CLIPS, COPIES = 10, 48
Words = Sequence[str | Path]


def make_many_videos(folder: Path) -> Path:
    """Return a prepared data set of `CLIPS` validation clips, each under `COPIES` names."""
    videos = []
    for number in range(CLIPS):
        frames = 10 + number % 5
        clip = write_clip(folder / f"{number}.mp4", frames, height=40, width=56, seed=number)
        for copy in range(COPIES):
            path = folder / "videos" / f"{copy:02d} {number}.mp4"
            path.parent.mkdir(exist_ok=True)
            path.hardlink_to(clip)
            videos.append(Video(path.name, number % 2, "val", frames, 25.0, 56, 40, "pyav"))
    classes = ["fast", "slow"]
    videos.sort()
    # a broken one: it must be named in every run
    (folder / "videos" / videos[100].path).unlink()
    write_manifest(
        folder / "data", root=folder / "videos", videos=videos, classes=classes, facts={}
    )
    return folder / "data"


class Case:
    """A command that is killed, and the same one that is not.

    Args:
        words: The command, without --out.
        folder: Where both write.
        parts: Pattern of the finished parts below --out.
        world: Number of processes.
        warm: Starts commands.
    """

    def __init__(self, words: Words, folder: Path, parts: str, world: int, warm: Warm) -> None:
        self.words, self.parts, self.world, self.warm = words, parts, world, warm
        self.out, self.twin = folder / f"killed-{world}", folder / f"twin-{world}"

    def kill(self, kills: int, rng: random.Random) -> Counter[str]:
        """Kill the command `kills` times; return how many parts were there, by aim."""
        landed: Counter[str] = Counter()
        for number in range(kills):
            aim = AIMS[number % len(AIMS)]
            ranks = self.warm.start([*self.words, "--out", self.out], world=self.world)
            _until(self._sight(aim, rng), ranks)
            rng.shuffle(ranks)
            for rank in ranks:
                rank.kill()
            codes = [wait(rank) for rank in ranks]
            assert codes == [-signal.SIGKILL] * self.world, f"{codes}: {self.warm.text()[-3000:]}"
            landed[aim] += self.count()
        return landed

    def count(self) -> int:
        """Return the number of finished parts."""
        return len(list(self.out.glob(self.parts)))

    def finish(self, *, code: int = 0) -> None:
        """Run both commands to their ends; compare every file."""
        for out in (self.out, self.twin):
            codes = self.warm.run([*self.words, "--out", out], world=self.world)
            assert set(codes) == {code}, f"{codes}: {self.warm.text()[-3000:]}"
        assert read_all(self.out) == read_all(self.twin)

    def _sight(self, aim: str, rng: random.Random) -> Callable[[], bool]:
        start, first = time.monotonic(), self.count()
        if aim in ("start-up", "any time"):
            delay = rng.uniform(0, 0.7 if aim == "start-up" else 1.5)
            return lambda: time.monotonic() > start + delay
        more = 1 if aim == "a part" else 2
        return lambda: self.count() >= first + more


def read_all(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder, by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert not [path.name for path in files if ".partial-" in path.name]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _until(is_so: Callable[[], bool], processes: Sequence[BaseProcess]) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline
        if any(process.exitcode is not None for process in processes):
            return
        time.sleep(0.001)
