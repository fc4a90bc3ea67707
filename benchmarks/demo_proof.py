"""Show over several seeds that pretraining helps, and that nothing but motion can be the reason.

    python benchmarks/demo_proof.py --out runs/proof --seeds 0 1 2

Runs `videomae demo` once per seed (finished parts of an earlier call are used again) and prints
the tables that stand in RESULTS.md. Exits 1 unless, on average over the seeds, pretraining gains
30 points at the smallest label budget, single frames stay within 5 points of chance, and shuffled
frames within 5 points of a coin's toss inside each pair of opposite classes.

Also measured, without any model: how well the size of a file tells opposite classes apart.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from videomae_cli.data.manifest import read_manifest
from videomae_cli.report import Silence
from videomae_cli.tasks.demo import demo
from videomae_cli.tasks.demo.plan import make_plan
from videomae_cli.tasks.demo.results import CHANCE, PAIR_CHANCE, DemoResults
from videomae_cli.tasks.demo.videos import MOTIONS, motion_index

LEAST_GAIN, MOST_AWAY = 30.0, 5.0  # points of accuracy


class Check(NamedTuple):
    """One demand, as measured in points (0..100) for each seed."""

    name: str
    found: tuple[float, ...]
    wanted: str
    holds: bool

    def row(self) -> str:
        """Return it as a line of a Markdown table."""
        each = ", ".join(f"{value:.1f}" for value in self.found)
        mean = statistics.mean(self.found)
        return f"| {self.name} | {each} | {mean:.1f} | {self.wanted} | {_yes(self.holds)} |"


def size_accuracy(run_dir: Path) -> float:
    """Return how often the best threshold on file size names the right one of two opposites.

    Chosen on the training videos and used on the test videos, as a fraction: 0.5 is a toss.
    """
    manifest = read_manifest(run_dir / "data" / "natural")
    sizes = {
        split: [
            (motion_index(int(Path(video.path).stem)), manifest.video_path(video).stat().st_size)
            for video in manifest.split(split)
        ]
        for split in ("train", "test")
    }
    hits = []
    for first in range(0, len(MOTIONS), 2):
        train, test = (
            np.array(
                [
                    (motion - first, size)
                    for motion, size in sizes[split]
                    if motion // 2 * 2 == first
                ]
            )
            for split in ("train", "test")
        )
        rules = [
            (((train[:, 1] > cut) == (train[:, 0] == side)).mean(), cut, side)
            for cut in np.unique(train[:, 1])
            for side in (0, 1)
        ]
        _, cut, side = max(rules)
        hits += ((test[:, 1] > cut) == (test[:, 0] == side)).tolist()
    return float(np.mean(hits))


def checks(outcomes: Sequence[DemoResults], file_sizes: Sequence[float]) -> list[Check]:
    """Compare what was found with what must hold on average."""
    fewest = outcomes[0].budgets[0]
    gains = tuple(outcome.gain(fewest) for outcome in outcomes)
    still = tuple(100 * outcome.controls[0].top1 for outcome in outcomes)
    shuffled = tuple(100 * outcome.controls[1].pair for outcome in outcomes)
    sizes = tuple(100 * size for size in file_sizes)
    return [
        Check(
            f"gain of pretraining at {fewest} labels, points",
            gains,
            f">= {LEAST_GAIN:g}",
            statistics.mean(gains) >= LEAST_GAIN,
        ),
        _near("single frames, top-1 %", still, 100 * CHANCE),
        _near("shuffled frames, % right within pairs", shuffled, 100 * PAIR_CHANCE),
        _near("file size alone, % right within pairs", sizes, 100 * PAIR_CHANCE),
    ]


def curve(outcomes: Sequence[DemoResults], seeds: Sequence[int]) -> str:
    """Return the accuracies of all seeds as a Markdown table."""
    lines = [
        f"| labels | start | {' | '.join(f'seed {seed}' for seed in seeds)} | mean |",
        "|---|---|" + "---|" * (len(seeds) + 1),
    ]
    for labels in outcomes[0].budgets:
        for start in ("pretrained", "scratch"):
            found = [100 * o.find_score(labels, start).top1 for o in outcomes]
            cells = " | ".join(f"{value:.1f}" for value in (*found, statistics.mean(found)))
            lines.append(f"| {labels} | {start} | {cells} |")
    return "\n".join(lines)


def main() -> int:
    """Run the seeds, print the tables, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/proof"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="try the script; proves nothing")
    given = parser.parse_args()
    outcomes, sizes = [], []
    for seed in given.seeds:
        run_dir = given.out / f"seed-{seed}"
        outcomes.append(demo.run(run_dir, Silence(), make_plan(seed, quick=given.quick)))
        sizes.append(size_accuracy(run_dir))
        spent = sum(outcomes[-1].seconds.values())
        print(f"seed {seed}: {spent:.0f} s, {outcomes[-1].rows()}", file=sys.stderr, flush=True)
    found = checks(outcomes, sizes)
    print(curve(outcomes, given.seeds))
    print("\n| demand | each seed | mean | wanted | holds |\n|---|---|---|---|---|")
    print("\n".join(check.row() for check in found))
    minutes = ", ".join(f"{sum(outcome.seconds.values()) / 60:.1f}" for outcome in outcomes)
    print(f"\n{outcomes[0].comparisons[0].videos} test videos; minutes per seed: {minutes}.")
    return 0 if all(check.holds for check in found) else 1


def _near(name: str, found: tuple[float, ...], expected: float) -> Check:
    away = abs(statistics.mean(found) - expected)
    return Check(name, found, f"{expected:g} ± {MOST_AWAY:g}", away <= MOST_AWAY)


def _yes(holds: bool) -> str:
    return "yes" if holds else "**no**"


if __name__ == "__main__":
    sys.exit(main())
