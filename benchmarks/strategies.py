"""Time and memory of one pretraining step under each masking strategy, relative to tube masking.

    python benchmarks/strategies.py --size vitb --batch 2 --rounds 5

Same model, same clips, AdamW, in the precision that training takes here (bf16 where the device
computes it). Times: all strategies in one process, every round runs each once, in turn; medians,
and ratios round by round. Memory: the most that a process of its own holds while it takes three
steps, and how much of that came after model and optimizer were there; on a GPU, what torch
allocates there.
"""

import argparse
import multiprocessing
import statistics

import torch
from step import ours, processor, timed

from videomae_cli.engine.logging.throughput import peak_bytes
from videomae_cli.engine.runtime import keep_freed_memory, resolve_precision

STRATEGIES = {
    "tube": [],
    "dual": ["mask.targets=running-cell", "mask.targets_ratio=0.5"],
    "motion": ["mask.strategy=motion", "mask.pool=0.3"],
    "random": ["mask.strategy=random"],
}


def memory(
    size: str, batch: int, precision: str, device: str, more: list[str]
) -> tuple[float, float]:
    """Return the peak of this process, and its growth in the steps after the first, in MiB."""
    step = ours(size, batch, precision, device, *more)
    before = peak(device)
    for _ in range(3):
        step()
    return peak(device), peak(device) - before


def peak(device: str) -> float:
    """Return the most memory this process has held on the device, MiB."""
    most = peak_bytes(torch.device(device))
    assert most is not None, "this system does not tell"
    return most / 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", default="vitb", choices=["vits", "vitb", "vitl"])
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    chosen = parser.parse_args()
    size, batch, device = chosen.size, chosen.batch, chosen.device
    precision = resolve_precision(chosen.precision, device)
    keep_freed_memory()
    held = {}
    for name, more in STRATEGIES.items():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            held[name] = pool.apply(memory, (size, batch, precision, device, more))
    steps = {n: ours(size, batch, precision, device, *more) for n, more in STRATEGIES.items()}
    for step in steps.values():
        step()
    rounds = [
        {name: timed(step, device) for name, step in steps.items()} for _ in range(chosen.rounds)
    ]
    print(
        f"{size}, batch {batch}, 16 x 224 x 224, {precision}, {device} ({processor(device)}), "
        f"torch {torch.__version__}"
    )
    for name in STRATEGIES:
        seconds = statistics.median(one[name] for one in rounds)
        ratio = statistics.median(one[name] / one["tube"] for one in rounds)
        total, growth = held[name]
        print(
            f"{name:8s} median {seconds:8.4f} s  {ratio:5.2f} x tube   "
            f"peak {total:6.0f} MiB, {growth:6.0f} in the steps"
        )


if __name__ == "__main__":
    main()
