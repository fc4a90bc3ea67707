"""Time `videomae convert`, and the load and save of transformers, on ViT-B's autoencoder.

    python benchmarks/convert.py --json convert.json

Sides, each in a process of its own, by turns: between native, Hugging Face (hf) and VideoMAE's
`.pth` (v1); transformers that loads a Hugging Face folder and saves it into another; the import of
its class alone. Ours also reads back what it wrote, compares every tensor and reports it. CPU
seconds (all threads), seconds by the clock with the start of Python and all imports, and peak
resident memory, in which mapped files count.

Ratios, against our conversions from Hugging Face's format, `hf_to_native` and `hf_to_v1`:
NAME (transformers' time by the clock over ours), NAME_cpu, and NAME_peak (our peak over its).
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measuring.commands import VIDEOMAE, Usage, run_apart, run_command, write_checkpoint
from measuring.runner import Result, make_parser, quotients, run_rounds

PEER, IMPORT = "transformers, hf to hf", "transformers, import alone"
IMPORT_MODEL = "from transformers import VideoMAEForPreTraining as Model"
LOAD_AND_SAVE = f"{IMPORT_MODEL}; Model.from_pretrained('hf').save_pretrained('out')"
FORMATS = {"native": "native", "hf": "hf", "v1": "v1.pth"}
"""Format -> file or folder."""
PAIRS = [("native", "hf"), ("hf", "native"), ("native", "v1"), ("v1", "native"), ("hf", "v1")]


def make_sides(folder: Path, size: str) -> dict[str, Callable[[], Usage]]:
    """Write a checkpoint in all formats, and return the sides."""
    for name, file in FORMATS.items():
        run_apart(write_checkpoint, folder / file, size, name)

    def convert(source: str, target: str) -> Usage:
        out = "out.pth" if target == "v1" else "out"
        words = ["convert", FORMATS[source], out, "--to", target]
        return _run_and_remove([*VIDEOMAE, *words], folder, out)

    sides: dict[str, Callable[[], Usage]] = {
        f"{source} to {target}": partial(convert, source, target) for source, target in PAIRS
    }
    python = [sys.executable, "-c"]
    sides[PEER] = partial(_run_and_remove, [*python, LOAD_AND_SAVE], folder, "out")
    sides[IMPORT] = partial(run_command, [*python, IMPORT_MODEL], cwd=folder)
    return sides


def _run_and_remove(words: list[str], folder: Path, out: str) -> Usage:
    usage = run_command(words, cwd=folder, variables={"HF_HUB_OFFLINE": "1"})
    written = folder / out
    if written.is_dir():
        shutil.rmtree(written)
    else:
        written.unlink()
    return usage


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__, has_device=False)
    parser.add_argument("--size", default="vitb", help="of the model")
    chosen: argparse.Namespace = parser.parse_args()
    result = Result("convert", chosen, "torch", "safetensors", "transformers")
    with tempfile.TemporaryDirectory() as name:
        rounds = run_rounds(make_sides(Path(name), chosen.size), chosen.rounds)
    columns = {
        side: {field: [getattr(usage, field) for usage in usages] for field in Usage._fields}
        for side, usages in rounds.items()
    }
    for side, column in columns.items():
        for field, unit in (("wall", "s"), ("cpu", "s"), ("peak", "MiB")):
            result.add_side(f"{side}, {field}", column[field], unit)
    for target in ("native", "v1"):
        own, peer, key = columns[f"hf to {target}"], columns[PEER], f"hf_to_{target}"
        result.add_ratio(key, quotients(peer["wall"], own["wall"]))
        result.add_ratio(f"{key}_cpu", quotients(peer["cpu"], own["cpu"]))
        result.add_ratio(f"{key}_peak", quotients(own["peak"], peer["peak"]), "lower")
    result.finish()


if __name__ == "__main__":
    main()
