"""Time and memory of one pretraining step under each masking strategy, relative to tube masking.

    python benchmarks/strategies.py --json strategies.json

Same model, same clips, AdamW, in the precision that training takes here (bf16 where the device
computes it); and a fine-tuning step that encodes 0.6 of the tokens by their motion, relative to one
that encodes all. Times: by turns, each in a process of its own. Memory: the most that a process of
its own holds in three steps, and how much more that is than before them, when model and optimizer
exist (benchmarks/memory.py says how); on a GPU, what torch allocates there.

Ratios are the time over that of tube: random, dual (VideoMAE V2), motion (EVEREST); finetune_motion
over fine-tuning on all tokens.
"""

import argparse
from collections.abc import Callable
from functools import partial

from measuring.apart import open_sides
from measuring.commands import run_apart
from measuring.growth import measure_growth
from measuring.runner import Result, make_parser, quotients, run_rounds
from measuring.training_steps import Step, ours, ours_finetune

from videomae_cli.config.transformer import SIZES
from videomae_cli.engine.runtime import resolve_precision

TUBE, ALL = "tube", "fine-tuning, all tokens"
STRATEGIES = {
    TUBE: [],
    "random": ["mask.strategy=random"],
    "dual": ["mask.targets=running-cell", "mask.targets_ratio=0.5"],
    "motion": ["mask.strategy=motion", "mask.pool=0.3"],
}
SELECTIONS = {
    ALL: [],
    "fine-tuning, motion": ["select.strategy=motion", "select.pool=0.6", "select.source=online"],
}
RATIOS = {
    **{name: (name, TUBE) for name in STRATEGIES if name != TUBE},
    "finetune_motion": ("fine-tuning, motion", ALL),
}
"""Name of a ratio -> the sides whose times are divided."""


def make_sides(chosen: argparse.Namespace, device: str) -> dict[str, Callable[[], Step]]:
    """Return the makers of the steps, which can be sent to another process."""
    precision = resolve_precision(chosen.precision, device.split(":")[0])
    common = chosen.size, chosen.batch, precision, device, f"clip.size={chosen.clip_size}"
    return {
        **{name: partial(ours, *common, *more) for name, more in STRATEGIES.items()},
        **{name: partial(ours_finetune, *common, *more) for name, more in SELECTIONS.items()},
    }


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__)
    parser.add_argument("--size", default="vitb", choices=list(SIZES))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"])
    parser.add_argument("--no-memory", action="store_true", help="times only")
    parser.add_argument("--clip-size", type=int, default=224, help="pixels; smaller only to try")
    chosen = parser.parse_args()
    result = Result("strategies", chosen, "torch")
    device = result.device
    makers = make_sides(chosen, device)
    if not chosen.no_memory:
        for name, make in makers.items():
            memory = run_apart(measure_growth, make, device, False, chosen.threads)
            result.add_side(f"{name}, peak", [memory.peak], "MiB")
            result.add_side(f"{name}, growth", [memory.growth], "MiB")
    with open_sides(makers, device, chosen.threads, makers) as sides:
        rounds = run_rounds(sides, chosen.rounds)
    result.add_sides({f"{name}, time": seconds for name, seconds in rounds.items()})
    for ratio, (name, base) in RATIOS.items():
        result.add_ratio(ratio, quotients(rounds[name], rounds[base]), "lower")
    result.finish()


if __name__ == "__main__":
    main()
