"""Show over several seeds that pretraining helps, and that nothing but motion can be the reason.

    python benchmarks/demo_proof.py --out runs/proof --seeds 0 1 2 3 4
    python benchmarks/demo_proof.py --out runs/choice --choose --seeds 1000

The first runs `videomae demo` once per seed (finished parts of an earlier call are used again) and
prints the tables that stand in RESULTS.md. It exits with 1 unless, on average over the seeds,

- fine-tuning gains 5 points at every number of labels, and no single seed loses more than 3;
- a linear probe on frozen features gains 8 points with the fewest labels and 30 with the most;
- single frames stay within 5 points of chance, and shuffled frames within 5 points of a coin's toss
  inside each pair of opposite classes.

The second chooses the settings of fine-tuning, the same menu for both starts: it trains all of
`MENU` on the videos of a seed that is used for nothing else, and prints the accuracies. Each start
has what gave it the best mean over both numbers of labels: `recipes/demo-finetune.yaml`, and
`FROM_SCRATCH` in `tasks/demo/plan.py`.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.report import Silence
from videomae_cli.tasks.demo import demo
from videomae_cli.tasks.demo.data import make_unlabelled
from videomae_cli.tasks.demo.plan import DemoClassifier, DemoPlan, make_plan
from videomae_cli.tasks.demo.results import CHANCE, PAIR_CHANCE, DemoResults, InitialWeights

LEAST_GAIN, MOST_LOST = 5.0, 3.0  # points of accuracy, of fine-tuning
LEAST_FROZEN = (8.0, 30.0)  # points, with the fewest and with the most labels
MOST_AWAY = 5.0  # points, of the controls
MENU = [
    (f"optim.base_lr={rate}", f"optim.layer_decay={decay}")
    for rate in ("1.2e-2", "2.4e-2", "4.8e-2")
    for decay in ("0.75", "1.0")
]


class Check(NamedTuple):
    """One demand, as measured in points (0..100) for each seed."""

    name: str
    found: tuple[float, ...]
    wanted: str
    holds: bool

    def row(self) -> str:
        """Return it as a line of a Markdown table."""
        cells = " | ".join(f"{value:.1f}" for value in (*self.found, statistics.mean(self.found)))
        return f"| {self.name} | {cells} | {self.wanted} | {'yes' if self.holds else '**no**'} |"


def checks(outcomes: Sequence[DemoResults]) -> Iterator[Check]:
    """Compare what was found with what must hold."""
    budgets = outcomes[0].budgets
    frozen = [[100 * point.gain.value for point in outcome.points] for outcome in outcomes]
    for place, labels in ((0, budgets[0]), (-1, budgets[-1])):
        found = tuple(gains[place] for gains in frozen)
        least = LEAST_FROZEN[place]
        name = f"gain of frozen features, {labels} labels"
        yield Check(name, found, f">= {least:g}", statistics.mean(found) >= least)
    for labels in budgets:
        found = tuple(100 * outcome.gain(labels).value for outcome in outcomes)
        holds = statistics.mean(found) >= LEAST_GAIN and min(found) >= -MOST_LOST
        wanted = f">= {LEAST_GAIN:g}, none below {-MOST_LOST:g}"
        yield Check(f"gain of fine-tuning, {labels} labels", found, wanted, holds)
    still = tuple(100 * outcome.controls[0].top1 for outcome in outcomes)
    yield _near("single frames, top-1 %", still, 100 * CHANCE)
    shuffled = tuple(100 * outcome.controls[1].pair for outcome in outcomes)
    yield _near("shuffled frames, % right within pairs", shuffled, 100 * PAIR_CHANCE)


def curves(outcomes: Sequence[DemoResults], seeds: Sequence[int]) -> str:
    """Return the accuracies of all seeds as a Markdown table."""
    rules = "|---|---|" + "---|" * (len(seeds) + 1)
    lines = [f"| labels | | {' | '.join(f'seed {seed}' for seed in seeds)} | mean |", rules]
    kinds: dict[str, Callable[[DemoResults, int], float]] = {
        "frozen, pretrained": lambda one, place: one.points[place].first.value,
        "frozen, random": lambda one, place: one.points[place].second.value,
        "fine-tuned, pretrained": lambda one, place: _top1(one, place, "pretrained"),
        "fine-tuned, scratch": lambda one, place: _top1(one, place, "scratch"),
    }
    for place, labels in enumerate(outcomes[0].budgets):
        for name, read in kinds.items():
            found = [100 * read(outcome, place) for outcome in outcomes]
            cells = " | ".join(f"{value:.1f}" for value in (*found, statistics.mean(found)))
            lines.append(f"| {labels} | {name} | {cells} |")
    return "\n".join(lines)


def choose(out: Path, seeds: Sequence[int], *, quick: bool) -> None:
    """Fine-tune with all settings of the menu, and print the accuracies of both starts."""
    for seed in seeds:
        plan = make_plan(seed, quick=quick)
        budgets = sorted({plan.counts.budgets[1], plan.counts.budgets[-1]})
        classifiers = [
            DemoClassifier("natural", start, labels)
            for labels in budgets
            for start in get_args(InitialWeights)
        ]
        first = out / f"seed-{seed}" / "videos-and-pretraining"
        make_unlabelled(first, plan.counts, seed=seed, report=Silence())
        for settings in MENU:
            folder = out / f"seed-{seed}" / "-".join(word.split("=")[1] for word in settings)
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("videos", "data", demo.PRETRAIN):  # made once, for all settings
                (first / name).mkdir(exist_ok=True)
                if not (folder / name).is_symlink():
                    (folder / name).symlink_to((first / name).resolve())
            done = demo.train(folder, with_settings(plan, settings), classifiers, Silence())
            found = [f"{one.name} {100 * done[one.name].top1:.1f}" for one in classifiers]
            print(f"seed {seed}, {' '.join(settings)}: {', '.join(found)}", flush=True)


def with_settings(plan: DemoPlan, settings: Sequence[str]) -> DemoPlan:
    """Return a plan whose fine-tuning has other settings."""
    words = [*settings, f"schedule.steps={plan.finetuning.schedule.steps}"]
    words.append(f"schedule.warmup_steps={plan.finetuning.schedule.warmup_steps}")
    recipe = load_recipe("demo-finetune", words, "finetune")
    recipe = recipe.model_copy(update={"seed": plan.seed})
    return plan._replace(finetuning=recipe, from_scratch=recipe)


def main() -> int:
    """Run the seeds, print the tables, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/proof"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--choose", action="store_true", help="try the menu of fine-tuning")
    parser.add_argument("--quick", action="store_true", help="try the script; proves nothing")
    given = parser.parse_args()
    if given.choose:
        choose(given.out, given.seeds, quick=given.quick)
        return 0
    outcomes = []
    for seed in given.seeds:
        plan = make_plan(seed, quick=given.quick)
        outcomes.append(demo.run(given.out / f"seed-{seed}", Silence(), plan))
        spent = sum(outcomes[-1].seconds.values())
        print(f"seed {seed}: {spent:.0f} s, {outcomes[-1].rows()}", file=sys.stderr, flush=True)
    found = list(checks(outcomes))
    print(curves(outcomes, given.seeds))
    each = " | ".join(f"seed {seed}" for seed in given.seeds)
    print(f"\n| demand, points | {each} | mean | wanted | holds |")
    print("|---|" + "---|" * (len(given.seeds) + 3))
    print("\n".join(check.row() for check in found))
    minutes = ", ".join(f"{sum(outcome.seconds.values()) / 60:.1f}" for outcome in outcomes)
    print(f"\n{outcomes[0].comparisons[0].videos} test videos; minutes per seed: {minutes}.")
    return 0 if all(check.holds for check in found) else 1


def _top1(outcome: DemoResults, place: int, start: str) -> float:
    scores = [s for s in outcome.comparisons if s.start == start]
    return sorted(scores, key=lambda score: score.labels)[place].top1


def _near(name: str, found: tuple[float, ...], expected: float) -> Check:
    away = abs(statistics.mean(found) - expected)
    return Check(name, found, f"{expected:g} ± {MOST_AWAY:g}", away <= MOST_AWAY)


if __name__ == "__main__":
    sys.exit(main())
