"""Measure the peak memory of a pretraining step, ours against transformers'.

    python benchmarks/memory.py --json memory.json

ViT-S and ViT-B, batch 8, bf16. Each side takes six steps in a process of its own; what is measured
is the most that it holds during steps, minus what it held before, MiB:

- with optimizer state: in the first three steps, from before the first one, when model and
  optimizer exist; the gradients and the optimizer's two moments come on top;
- of a step: in the last three, from after three steps, when gradients are freed, freed memory is
  returned to the system, and the moments exist.

On Linux these are VmHWM, which is reset in between, and VmRSS of the process; on a GPU, what torch
allocates there. Ours is measured once more as training runs on a CPU, where glibc keeps freed
memory (`freed memory kept`), and with each value of `train.recompute`. Then steps of all sides are
timed by turns, each in a process of its own; ours keep freed memory there, as in training.

Ratios, SIZE_bf16_...: growth (ours over transformers', with optimizer state), growth_of_step; the
same with `_recompute` and `_selective`; time (transformers' over ours), and time_recompute and
time_selective (ours with it over ours without).
"""

import argparse
from collections.abc import Callable
from functools import partial

from measuring.apart import open_sides
from measuring.commands import run_apart
from measuring.growth import measure_growth
from measuring.runner import Result, make_parser, quotients, run_rounds
from measuring.training_steps import Step, ours, pretrain_recipe, theirs

from videomae_cli.config.transformer import SIZES
from videomae_cli.errors import RecipeError

PEER, OURS, KEPT = "transformers", "videomae", "videomae, freed memory kept"
RECOMPUTE = {"recompute": "true", "selective": "selective"}
"""End of the name of a ratio -> value of `train.recompute`."""


def recompute_modes() -> dict[str, str]:
    """Return the values of `train.recompute` that this version has."""
    modes = {}
    for name, value in RECOMPUTE.items():
        try:
            pretrain_recipe("vits", f"train.recompute={value}")
        except RecipeError:
            continue
        modes[name] = value
    return modes


def make_sides(chosen: argparse.Namespace, size: str, device: str) -> dict[str, Callable[[], Step]]:
    """Return the makers of the steps, which can be sent to another process."""
    common = size, chosen.batch, chosen.precision, device, f"clip.size={chosen.clip_size}"
    sides: dict[str, Callable[[], Step]] = {
        PEER: partial(theirs, *common),
        OURS: partial(ours, *common),
    }
    for name, value in recompute_modes().items():
        sides[f"{OURS}, {name}"] = partial(ours, *common, f"train.recompute={value}")
    return sides


def add_growth(result: Result, chosen: argparse.Namespace, size: str) -> None:
    """Measure memory, and add sides and ratios."""
    device = result.device
    sides = make_sides(chosen, size, device)
    jobs = {name: (make, False) for name, make in sides.items()}
    if device == "cpu":
        jobs[KEPT] = sides[OURS], True
    growth = {}
    for name, (make, keeps) in jobs.items():
        growth[name] = run_apart(measure_growth, make, device, keeps, chosen.threads)
    for name, memory in growth.items():
        result.add_side(f"{size} {name}, growth with optimizer state", [memory.growth], "MiB")
        result.add_side(f"{size} {name}, growth of a step", [memory.growth_of_step], "MiB")
    for kind in ("", *recompute_modes()):
        name, end = (f"{OURS}, {kind}", f"_{kind}") if kind else (OURS, "")
        for what in ("growth", "growth_of_step"):
            key = f"{size}_{chosen.precision}_{what}{end}"
            result.add_ratio(
                key, getattr(growth[name], what) / getattr(growth[PEER], what), "lower"
            )


def add_times(result: Result, chosen: argparse.Namespace, size: str) -> None:
    """Time the steps, and add sides and ratios."""
    device = result.device
    makers = make_sides(chosen, size, device)
    keeps = makers.keys() - {PEER}
    with open_sides(makers, device, chosen.threads, keeps) as sides:
        rounds = run_rounds(sides, chosen.rounds)
    result.add_sides({f"{size} {name}, time of a step": x for name, x in rounds.items()})
    key = f"{size}_{chosen.precision}_time"
    result.add_ratio(key, quotients(rounds[PEER], rounds[OURS]))
    for kind in recompute_modes():
        again = quotients(rounds[f"{OURS}, {kind}"], rounds[OURS])
        result.add_ratio(f"{key}_{kind}", again, "lower")


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__)
    parser.add_argument("--size", nargs="+", default=["vits", "vitb"], choices=list(SIZES))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--precision", default="bf16", choices=["fp32", "bf16"])
    parser.add_argument("--no-times", action="store_true", help="memory only")
    parser.add_argument("--clip-size", type=int, default=224, help="pixels; smaller only to try")
    chosen = parser.parse_args()
    result = Result("memory", chosen, "torch", "transformers")
    if missing := RECOMPUTE.keys() - recompute_modes().keys():
        result.note(f"this version has no train.recompute: {', '.join(sorted(missing))}")
    for size in chosen.size:
        add_growth(result, chosen, size)
    for size in chosen.size if not chosen.no_times else ():
        add_times(result, chosen, size)
    result.finish()


if __name__ == "__main__":
    main()
