"""Time one optimizer step, ours against transformers', and how near it is to the machine's limit.

    python benchmarks/step.py --json step.json
    python benchmarks/step.py --precision bf16 --batch 2 8 --json step_batches.json
    python benchmarks/step.py --finetune --size vits --json step_finetune.json

A pretraining step of VideoMAE: 16 x 224 x 224, tube masks of 0.9, decoder of 4 blocks. Both sides
take the same uint8 clips, the same masks and AdamW; transformers gets normalised floats, as its
users give it. With --finetune a step of a classifier of 400 classes that sees all tokens, without
stochastic depth and Mixup, which transformers lacks; in bf16.

Each side steps in a process of its own, set up as its users have it: ours keeps freed memory, as
`videomae pretrain` does on a CPU, transformers' has the allocator's defaults. With
--peer-keeps-freed both keep it: what is left is the difference of the steps alone.

Ratios are transformers' time over ours at batch 4; at another batch the name ends in it
(`vits_bf16_batch8`):

- SIZE_default: transformers' default, fp32, over ours, `train.precision: auto`;
- SIZE_bf16, SIZE_fp32: both in this precision; SIZE_bf16_compiled: with torch.compile;
- SIZE_finetune: the fine-tuning step;
- SIZE_roof: share of the rate of bf16 matrix products that our bf16 step reaches: the FLOP of the
  step (measuring/products.py says how they are counted) per second, over the best of the rates of
  large squares and of the step's own largest products, measured in the same rounds.

`bound` in the JSON: the products of our step alone, in a loop. No step can be faster that computes
the same products in the same way, so the share of the rate that the loop reaches is what is left
to reach.
"""

import argparse
import gc
import statistics
from collections.abc import Callable, Sequence
from functools import partial

from measuring.apart import open_sides
from measuring.products import Product, flop_per_clip, make_loop, rate_sides, record_products
from measuring.runner import Result, Rounds, Side, make_parser, quotients, run_rounds
from measuring.training_steps import (
    Step,
    ours,
    ours_finetune,
    pretrain_recipe,
    theirs,
    theirs_finetune,
)

from videomae_cli.config.transformer import SIZES
from videomae_cli.engine.runtime import keep_freed_memory, resolve_precision

Make = Callable[..., Step]
BATCH = 4
"""The batch whose ratios have no batch in their names."""
PRETRAIN: dict[str, Make] = {"videomae": ours, "transformers": theirs}
FINETUNE: dict[str, Make] = {"videomae": ours_finetune, "transformers": theirs_finetune}
OURS, LOOP = "videomae, bf16", "products alone, bf16"


def step_makers(
    chosen: argparse.Namespace, size: str, batch: int, device: str
) -> dict[str, Callable[[], Step]]:
    """Return what makes the steps of a size, by their names, such as `videomae, bf16`."""
    clip = [f"clip.size={chosen.clip_size}"]
    kinds = {"": clip} | ({" compiled": [*clip, "train.compile=true"]} if chosen.compile else {})
    return {
        f"{name}, {precision}{kind}": partial(make, size, batch, precision, device, *more)
        for precision in (["bf16"] if chosen.finetune else chosen.precision)
        for kind, more in kinds.items()
        for name, make in (FINETUNE if chosen.finetune else PRETRAIN).items()
    }


def measure(result: Result, chosen: argparse.Namespace, size: str, batch: int) -> None:
    """Measure one size and batch, and add sides and ratios."""
    device, title = result.device, size if batch == BATCH else f"{size} batch {batch}"
    key = title.replace(" batch ", "_batch")
    makers = step_makers(chosen, size, batch, device)
    products, rates, loop = list[Product](), dict[str, Side](), dict[str, Side]()
    if OURS in makers and not chosen.finetune:
        products = record_products(makers[OURS]())
        gc.collect()  # of a model that refers to itself
        loop[LOOP] = make_loop(products, device)
        rates = rate_sides(products, device, chosen.squares)
    keeps = [name for name in makers if chosen.peer_keeps_freed or name.startswith("videomae")]
    with open_sides(makers, device, chosen.threads, keeps) as sides:
        rounds = run_rounds(sides | loop | rates, chosen.rounds)
    result.add_sides({f"{title} {name}": rounds[name] for name in (*sides, *loop)})
    for name in rates:
        result.add_side(f"{title} {name}", [rate / 1e9 for rate in rounds[name]], "GFLOP/s")
    add_ratios(result, key, rounds, is_finetune=chosen.finetune)
    if products:
        flop = flop_per_clip(pretrain_recipe(size, f"clip.size={chosen.clip_size}"))
        ran = sum(product.flop for product in products)
        add_roof(result, key, rounds, list(rates), flop=flop.counted * batch, ran=ran)
        result.content["flop_per_clip"][key] = {**flop._asdict(), "ran": ran // batch}


def add_ratios(result: Result, key: str, rounds: Rounds, *, is_finetune: bool) -> None:
    """Add transformers' time over ours."""
    auto = resolve_precision("auto", result.device.split(":")[0])
    pairs = {
        f"{key}_default": ("transformers, fp32", f"videomae, {auto}"),
        f"{key}_bf16": ("transformers, bf16", "videomae, bf16"),
        f"{key}_fp32": ("transformers, fp32", "videomae, fp32"),
        f"{key}_bf16_compiled": ("transformers, bf16 compiled", "videomae, bf16 compiled"),
        f"{key}_fp32_compiled": ("transformers, fp32 compiled", "videomae, fp32 compiled"),
    }
    if is_finetune:
        pairs = {
            f"{key}_finetune{end}": (f"transformers, bf16{kind}", f"videomae, bf16{kind}")
            for end, kind in (("", ""), ("_compiled", " compiled"))
        }
    for name, (peer, own) in pairs.items():
        if peer in rounds and own in rounds:
            result.add_ratio(name, quotients(rounds[peer], rounds[own]))


def add_roof(
    result: Result, key: str, rounds: Rounds, rates: list[str], *, flop: int, ran: int
) -> None:
    """Add the share of the matrix rate that our step reaches, and the bound beside it.

    Args:
        result: To add to.
        key: Size, and batch.
        rounds: Of the steps, of the products alone, and of the rates.
        rates: Names of the sides that are rates.
        flop: FLOP of the plain arithmetic of a step.
        ran: FLOP of the products that our step ran.
    """
    best = max(rates, key=lambda name: statistics.median(rounds[name]))
    reached = [flop / seconds for seconds in rounds[OURS]]
    result.add_ratio(f"{key}_roof", quotients(reached, rounds[best]))
    loop, own = statistics.median(rounds[LOOP]), statistics.median(rounds[OURS])
    rate = statistics.median(rounds[best])
    result.content["bound"][key] = {
        "rate_of": best,
        "rate_gflops": rate / 1e9,
        "products_alone_seconds": loop,
        "products_alone_share_of_rate": ran / loop / rate,
        "step_share_of_rate_of_what_ran": ran / own / rate,
        "products_alone_share_of_step": loop / own,
        "highest_roof": flop / loop / rate,
    }


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = make_parser(__doc__)
    parser.add_argument("--size", nargs="+", default=["vits", "vitb"], choices=list(SIZES))
    parser.add_argument("--batch", nargs="+", type=int, default=[BATCH])
    parser.add_argument(
        "--precision", nargs="+", default=["fp32", "bf16"], choices=["fp32", "bf16"]
    )
    parser.add_argument("--compile", action="store_true", help="also both with torch.compile")
    parser.add_argument("--finetune", action="store_true", help="the fine-tuning step, in bf16")
    parser.add_argument(
        "--peer-keeps-freed", action="store_true", help="transformers' process keeps freed memory"
    )
    parser.add_argument("--squares", nargs="+", type=int, help="widths, for the matrix rate")
    parser.add_argument("--clip-size", type=int, default=224, help="pixels; smaller only to try")
    return parser.parse_args(words)


def run(chosen: argparse.Namespace) -> None:
    """Measure all sizes and batches, and print."""
    result = Result("step", chosen, "torch", "transformers")
    result.content |= {"flop_per_clip": {}, "bound": {}}
    for size in chosen.size:
        for batch in chosen.batch:
            measure(result, chosen, size, batch)
    result.finish()


def main() -> None:
    """Measure and print."""
    chosen = parse()
    keep_freed_memory()
    run(chosen)


if __name__ == "__main__":
    main()
