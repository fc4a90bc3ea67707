"""Compare our models with golden outputs of the references: python tests/parity/golden.py FILE...

Reads `.safetensors` files of the kinds below: inputs, outputs and the weights under `sd.`. The kind
is determined by the names of the tensors and sizes by their shapes; the metadata gives the rest
(heads, mask ratio, optimizer). Prints one line per quantity: the largest difference and the
tolerance. Exit code 0 if all agree, 1 if one does not, 2 for a file of an unknown kind.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # as a script it has to find the others

from tests.parity.golden_file import Golden, Quantity, UnknownFileError, read  # noqa: E402  (above)
from tests.parity.kinds import mae_st, videomae, videoms  # noqa: E402

KINDS: dict[str, tuple[set[str], Callable[[Golden], Iterator[Quantity]]]] = {
    "videomae_pretrain": (
        {"frames", "mask", "sd.encoder.blocks.0.attn.qkv.weight", "sd.encoder_to_decoder.weight"},
        videomae.pretrain,
    ),
    "videomae_finetune": (
        {"video", "sd.blocks.0.attn.qkv.weight", "sd.fc_norm.weight", "sd.head.weight"},
        videomae.finetune,
    ),
    "mae_st_pretrain": (
        {"video", "noise", "sd.blocks.0.attn.q.weight", "sd.decoder_embed.weight"},
        mae_st.pretrain,
    ),
    "mae_st_finetune": (
        {"video", "sd.blocks.0.attn.q.weight", "sd.norm.weight", "sd.head.weight"},
        mae_st.finetune,
    ),
    "videoms_pretrain": (
        {"video", "patch_embeddings", "noise", "sd.encoder_to_decoder.weight"},
        videoms.pretrain,
    ),
}


def main(arguments: list[str]) -> int:
    """Compare every file; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", nargs="+", type=Path)
    worst = 0
    for path in parser.parse_args(arguments).file:
        try:
            for quantity in compare(path):
                verdict = "ok" if quantity.agrees else "DIFFERS"
                print(
                    f"{path.name}  {quantity.name:20} {quantity.difference:.2e}"
                    f"  (tolerance {quantity.tolerance:.0e})  {verdict}"
                )
                worst = max(worst, int(not quantity.agrees))
        except UnknownFileError as error:
            print(f"{path}: not a known golden file: {error}", file=sys.stderr)
            worst = 2
    return worst


def compare(path: Path) -> Iterator[Quantity]:
    """Yield every quantity that the file determines.

    Raises:
        UnknownFileError: The file is none of the kinds.
    """
    golden = read(path)
    for signature, quantities in KINDS.values():
        if signature <= golden.tensors.keys():
            yield from quantities(golden)
            return
    some = ", ".join(sorted(golden.tensors)[:4]) or "no tensors"
    raise UnknownFileError(f"it contains {some}, ... and is none of {', '.join(KINDS)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
