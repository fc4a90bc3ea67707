"""Convert golden weights and compare again: python tests/parity/convert.py GOLDEN [FORMAT...]

The weights of a golden file are written in a format by `videomae convert`, converted to native and
back, and put through the golden comparison once more: identical tensors, the same outputs. Without
a FORMAT, all formats that can be written. One line per format and quantity. Exit code 0 if all
agree, 1 if something differs, 2 for a format that does not support the model, or an unknown file.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # as a script it has to find the others

from tests.parity.golden import KINDS  # noqa: E402  (above)
from tests.parity.golden_file import Golden, Quantity, UnknownFileError, read  # noqa: E402
from videomae_cli.checkpoints.formats import FORMATS  # noqa: E402
from videomae_cli.checkpoints.hints import Hints  # noqa: E402
from videomae_cli.checkpoints.loading import load_any_format, save_as_format  # noqa: E402
from videomae_cli.errors import CheckpointError  # noqa: E402
from videomae_cli.report import Silence  # noqa: E402
from videomae_cli.tasks.convert import convert  # noqa: E402

WRITTEN = tuple(name for name, known in FORMATS.items() if known.write is not None)
SUFFIX = {"v1": ".pth", "mmaction2": ".pth", "mae-st": ".pth"}


def main(arguments: list[str]) -> int:
    """Convert one file; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("golden", type=Path)
    parser.add_argument("format", nargs="*", choices=[*WRITTEN, []])
    chosen = parser.parse_args(arguments)
    worst = 0
    for name in chosen.format or WRITTEN:
        try:
            for quantity in compare(chosen.golden, name):
                verdict = "ok" if quantity.agrees else "DIFFERS"
                print(
                    f"{chosen.golden.name}  {name:10} {quantity.name:20}"
                    f" {quantity.difference:.2e}  (tolerance {quantity.tolerance:.0e})  {verdict}"
                )
                worst = max(worst, int(not quantity.agrees))
        except CheckpointError as error:
            print(f"{chosen.golden.name}  {name:10} cannot: {error.message}", file=sys.stderr)
            worst = 2 if chosen.format else worst
        except UnknownFileError as error:
            print(f"{chosen.golden}: not a golden file: {error}", file=sys.stderr)
            return 2
    return worst


def compare(path: Path, name: str) -> Iterator[Quantity]:
    """Yield every quantity after conversion.

    Raises:
        CheckpointError: The format does not support the model.
        UnknownFileError: The file is of no known kind.
    """
    golden = read(path)
    quantities = next((q for signs, q in KINDS.values() if signs <= golden.tensors.keys()), None)
    if quantities is None:
        raise UnknownFileError("it is of an unknown kind")
    weights = golden.weights()
    with tempfile.TemporaryDirectory() as folder:
        back = there_and_back(weights, golden, name, Path(folder))
    same = back.keys() == weights.keys() and all(torch.equal(back[n], weights[n]) for n in weights)
    yield Quantity("tensors", 0.0 if same else 1.0, 0.0)
    others = {key: value for key, value in golden.tensors.items() if not key.startswith("sd.")}
    converted = Golden(others | {f"sd.{n}": t for n, t in back.items()}, golden.metadata)
    yield from quantities(converted)


def there_and_back(
    weights: dict[str, Tensor], golden: Golden, name: str, folder: Path
) -> dict[str, Tensor]:
    """Convert the reference's weights to a format, to native, and to the reference's names."""
    torch.save({"model": weights}, folder / "reference.pth")
    reference = load_any_format(folder / "reference.pth", hints(golden))
    out = folder / f"there{SUFFIX.get(name, '')}"
    save_as_format(out, reference.weights, reference.config, name)
    convert.run(out, folder / "native", Silence())
    returned = load_any_format(folder / "native")
    if returned.config != reference.config:
        raise CheckpointError("the model configuration changed on the way")
    convert.run(folder / "native", folder / "back.pth", Silence(), to=reference.format)
    saved = torch.load(folder / "back.pth", weights_only=True)  # noqa: TID251  (as others read it)
    found: dict[str, Tensor] = saved["model"]
    return found


def hints(golden: Golden) -> Hints:
    """Return the facts about the model that only the metadata state."""
    metadata = golden.metadata
    decoder = metadata.get("decoder_heads")
    video = golden.tensors.get("video")
    frames, size = golden.tensors["frames"].shape[1:3] if video is None else video.shape[2:4]
    return Hints(int(metadata["encoder_heads"]), int(decoder) if decoder else None, frames, size)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
