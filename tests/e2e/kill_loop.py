"""Kill a training run again and again; prove that nothing is lost and nothing is different.

    python tests/e2e/kill_loop.py --kills 50 --terms 10

Every kill is SIGKILL, at a random moment or when a file of a save turns up in the directory (seen
from outside: training knows nothing of it). After each there must be a whole save and no damaged
one. What the kill left behind tells where it landed, whatever was aimed at. In the end weights,
optimizer, state and log must be those of a run that nobody touched. Then the same with SIGTERM on
two processes with decoding workers: exit code 75, no process left, the same end.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.e2e.micro import make_data, write_recipes  # noqa: E402
from tests.e2e.warm import Warm, left_of, wait  # noqa: E402
from videomae_cli.engine.saving.store import MANIFEST, newest_checkpoint  # noqa: E402

KEEP = 2
SAVED = ("model.safetensors", "optimizer.safetensors", "state.json", MANIFEST)
AIMS = ("start-up", "any time", "a save begins", *SAVED, "published", "removal of an old save")
SETTINGS = (
    "train.save_every_steps=1",
    f"train.keep={KEEP}",
    "train.log_every_steps=2",
    "train.workers=1",
    "model.decoder.dim=192",  # saves that take long enough to be hit
)


class BrokenPromiseError(Exception):
    """A run lost or changed something."""


class Case:
    """One run and its untouched twin.

    Args:
        folder: Where both go.
        steps: How long they are.
        world: Processes.
        warm: Starts commands.
    """

    def __init__(self, folder: Path, steps: int, world: int, warm: Warm) -> None:
        self.run, self.twin, self.world, self.warm = folder / "run", folder / "twin", world, warm
        self.words: list[str | Path] = [
            *("pretrain", "--recipe", folder.parent / "recipes/micro.yaml"),
            *("--data", folder.parent / "data"),
        ]
        for change in (*SETTINGS, f"schedule.steps={steps}"):
            self.words += ["--set", change]

    @property
    def saves(self) -> Path:
        """Where the run saves."""
        return self.run / "checkpoints"

    def start(self) -> list[BaseProcess]:
        """Start the run, or go on with it."""
        is_run = (self.run / "recipe.yaml").is_file()
        words = ["pretrain", "--resume", self.run] if is_run else [*self.words, "--out", self.run]
        return self.warm.start(words, world=self.world)

    def finish(self) -> None:
        """Let the twin run from start to end and the run to its end; compare them."""
        for command in ([*self.words, "--out", self.twin], ["pretrain", "--resume", self.run]):
            codes = self.warm.run(command, world=self.world)
            if any(codes):
                raise BrokenPromiseError(f"exit codes {codes}:\n{self.warm.text()[-3000:]}")
        last = sorted(path.name for path in (self.twin / "checkpoints").iterdir())[-1]
        files = ["metrics.jsonl", "final/model.safetensors"]
        files += [f"checkpoints/{last}/{name}" for name in SAVED]
        for name in files:
            if (self.run / name).read_bytes() != (self.twin / name).read_bytes():
                raise BrokenPromiseError(f"{name} differs from that of the untouched run")

    def check(self) -> None:
        """Make sure that there is a whole save, and no damaged one."""
        found, problems = newest_checkpoint(self.saves)
        if found is None or problems:
            raise BrokenPromiseError(f"after a kill: newest save {found}, problems {problems}")


def kill_loop(case: Case, kills: int, rng: random.Random) -> Counter[str]:
    """Kill the run `kills` times, then finish it; return how often the kills landed where."""
    landed: Counter[str] = Counter()
    while sum(landed.values()) < kills:
        aim = AIMS[sum(landed.values()) % len(AIMS)]
        (process,) = case.start()
        first = _newest_name(case)
        if aim != "start-up":  # elsewhere some progress, so that the loop ends
            _until(lambda first=first: _newest_name(case) > first, process)
        _until(_sight(case, aim, rng), process)
        process.kill()
        if wait(process) != -signal.SIGKILL:
            raise BrokenPromiseError(
                f"the run ended by itself; too few steps?\n{case.warm.text()[-3000:]}"
            )
        where = _landed(case)
        landed[where] += 1
        if first:
            case.check()
        print(f"{sum(landed.values()):4}  aimed at {aim}: {where}", flush=True)
    case.finish()
    return landed


def term_loop(case: Case, terms: int, rng: random.Random) -> None:
    """Stop the run `terms` times with SIGTERM, then finish it."""
    log = case.run / "metrics.jsonl"
    for number in range(terms):
        before = log.stat().st_size if log.is_file() else 0
        ranks = case.start()
        _until(lambda before=before: log.is_file() and log.stat().st_size > before, *ranks)
        time.sleep(rng.uniform(0, 0.2))
        for rank in ranks:
            rank.terminate()
        codes = [wait(rank) for rank in ranks]
        left = [line for rank in ranks for line in left_of(rank)]
        if set(codes) != {75} or left:
            raise BrokenPromiseError(
                f"exit codes {codes}, left: {left}\n{case.warm.text()[-3000:]}"
            )
        case.check()
        print(f"{number + 1:4}  SIGTERM: exit codes {codes}, no process left", flush=True)
    case.finish()


def _sight(case: Case, aim: str, rng: random.Random) -> Callable[[], bool]:
    """Return what tells that the moment aimed at has come."""
    start, delay = time.monotonic(), rng.uniform(0, 1.0 if aim == "start-up" else 0.3)
    first = _newest_name(case)
    if aim in ("any time", "start-up"):
        return lambda: time.monotonic() > start + delay
    if aim == "published":
        return lambda: _newest_name(case) > first
    if aim == "removal of an old save":
        return lambda: any(_step_name(name) <= first for name in _hidden(case))
    if aim == "a save begins":
        return lambda: any(_step_name(name) > first for name in _hidden(case))
    return lambda: any((case.saves / name / aim).exists() for name in _hidden(case))


def _landed(case: Case) -> str:
    """Tell from what a kill left behind where it landed."""
    newest_name = _newest_name(case)
    for name in _hidden(case):
        files = set(os.listdir(case.saves / name))  # noqa: PTH208  (fast enough to catch a save)
        if _step_name(name) <= newest_name:
            return "inside: removing an old save"
        last = [file for file in SAVED if file in files]
        return f"inside: {last[-1]} begun" if last else "inside: directory made"
    complete = [name for name in _names(case) if not name.startswith(".")]
    return "inside: published, old one still there" if len(complete) > KEEP else "between saves"


def _names(case: Case) -> list[str]:
    try:
        return sorted(os.listdir(case.saves))  # noqa: PTH208  (fast enough to catch a save)
    except FileNotFoundError:
        return []


def _hidden(case: Case) -> list[str]:
    """Return the names of saves that are being written or removed."""
    return [name for name in _names(case) if name.startswith(".")]


def _step_name(name: str) -> str:
    """Return the name of the save that a hidden directory becomes or was."""
    return name.split(".")[1]


def _newest_name(case: Case) -> str:
    return max((name for name in _names(case) if not name.startswith(".")), default="")


def _until(is_so: Callable[[], bool], *processes: BaseProcess) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        if time.monotonic() > deadline or any(
            process.exitcode is not None for process in processes
        ):
            return


def main(arguments: list[str] | None = None) -> None:
    """Run both loops and say what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--terms", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name, Warm(Path(name) / "output.txt") as warm:
        folder = Path(name)
        for part in ("recipes", "killed", "stopped"):
            (folder / part).mkdir()
        write_recipes(folder / "recipes")
        make_data(folder)
        landed = kill_loop(
            Case(folder / "killed", 8 * options.kills + 4, 1, warm), options.kills, rng
        )
        inside = sum(count for where, count in landed.items() if where.startswith("inside"))
        for where, count in landed.most_common():
            print(f"{count:4}  {where}")
        print(f"{options.kills} SIGKILLs, {inside} inside saves; the end is the same to the bit")
        if inside < options.kills // 3:
            raise BrokenPromiseError("too few kills landed inside saves to mean anything")
        if options.terms:
            steps = 40 * options.terms + 4
            term_loop(Case(folder / "stopped", steps, 2, warm), options.terms, rng)
            print(f"{options.terms} SIGTERMs on two processes; the end is the same to the bit")


if __name__ == "__main__":
    main()
