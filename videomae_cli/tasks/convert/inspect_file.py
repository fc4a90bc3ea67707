"""`videomae convert --inspect`: what a file is, from its names and shapes.

Nothing is run and, but for torch files from before 1.6, no numbers are read beyond the few in which
known defects show. A file of no known format is described as far as it goes, then refused.
"""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli.checkpoints.infer_config import Hints
from videomae_cli.checkpoints.loading import NO_HINTS, Loaded
from videomae_cli.checkpoints.reading.files import Contents, read_contents
from videomae_cli.checkpoints.reading.locate import locate
from videomae_cli.checkpoints.reading.unwrap import Unwrapped, unwrap
from videomae_cli.errors import CheckpointError
from videomae_cli.report import Report
from videomae_cli.tasks.convert.load_report import pattern_rows, tell
from videomae_cli.tasks.load_model import read_checkpoint


class Inspection(NamedTuple):
    """What was found out about a file."""

    file: Path
    contents: Contents
    unwrapped: Unwrapped
    """Its tensors under their own names, and what lies around them."""
    loaded: Loaded | None
    """What it would be read as; None where it is refused."""
    refusal: CheckpointError | None
    """Why it is refused."""

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        weights, loaded, refusal = self.unwrapped.weights, self.loaded, self.refusal
        rows = pattern_rows(weights if loaded is None else loaded.weights)
        return {
            "source": str(self.file),
            "container": self.contents.metadata["container"],
            "files": [file.name for file in self.contents.files],
            "bytes": self.contents.size,
            "wrapper": self.unwrapped.wrapper or None,
            "prefixes": list(self.unwrapped.prefixes),
            "beside": list(self.unwrapped.beside),
            "progress": self.unwrapped.progress,
            "dtypes": self.dtypes(),
            "tensors": len(weights),
            "numbers": sum(tensor.numel() for tensor in weights.values()),
            "shapes": [{"name": name, "shape": shape, "tensors": n} for name, shape, n in rows],
            "source_format": None if loaded is None else loaded.format,
            "card": None if loaded is None else loaded.config.model_dump(mode="json"),
            "report": None if loaded is None else loaded.report._asdict(),
            "warning": None if loaded is None else loaded.warning or None,
            "refused": None if refusal is None else refusal.message,
        }

    def dtypes(self) -> dict[str, int]:
        """Return how many tensors are stored in which type."""
        weights = self.unwrapped.weights.values()
        return dict(Counter(str(tensor.dtype).removeprefix("torch.") for tensor in weights))


def run(source: Path, report: Report, *, hints: Hints = NO_HINTS, ema: bool = False) -> Inspection:
    """Say what a file is, and what it would be read as.

    Args:
        source: A file of weights, a directory of ours or of others, or a finished run.
        report: Who is told.
        hints: What the user knows and the file does not tell.
        ema: Look at the moving average instead of the weights.

    Returns:
        What was found; a file whose tensors cannot be read as a model says why in `refusal`.

    Raises:
        CheckpointError: The file is missing, damaged, unsafe, or holds no tensors.
    """
    file = locate(source).file
    contents = read_contents(file, numbers=False)
    unwrapped = unwrap(contents.weights, ema=ema)
    loaded, refusal = None, None
    try:
        loaded = read_checkpoint(source, hints, ema=ema, numbers=False)
    except CheckpointError as error:
        refusal = error
    found = Inspection(file, contents, unwrapped, loaded, refusal)
    _say(found, report)
    return found


def _say(found: Inspection, report: Report) -> None:
    contents, unwrapped = found.contents, found.unwrapped
    parts = [contents.metadata["container"], f"{contents.size:,} bytes"]
    parts += [f"{count} tensors in {kind}" for kind, count in found.dtypes().items()]
    if unwrapped.wrapper:
        parts.append(f"under {unwrapped.wrapper}")
    if unwrapped.prefixes:
        parts.append(f"with {' and '.join(unwrapped.prefixes)} before names")
    parts += [f"{counter} {count}" for counter, count in unwrapped.progress.items()]
    report.say(f"{found.file}: {'; '.join(parts)}")
    if found.loaded is not None:
        tell(found.loaded, report)
        return
    report.table("tensors", ("name", "shape", "tensors"), pattern_rows(unwrapped.weights))
