"""`convert --inspect`: describe a file from the names and shapes of its tensors.

No code is run. Values are read where they are, not copied, to find known defects and those that
are not finite. A file of an unknown format is described as far as possible, then refused.
"""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli.checkpoints.hints import NO_HINTS, Hints
from videomae_cli.checkpoints.loading import Checkpoint
from videomae_cli.checkpoints.reading.files import Contents, read_contents
from videomae_cli.checkpoints.reading.locate import locate_weights
from videomae_cli.checkpoints.reading.unwrap import SavedWeights, unwrap
from videomae_cli.errors import CheckpointError
from videomae_cli.report import Report
from videomae_cli.tasks.convert.load_report import (
    TENSOR_COLUMNS,
    count_values,
    print_checkpoint,
    summarise_tensors,
)
from videomae_cli.tasks.load_model import read_checkpoint
from videomae_cli.units import plural


class Inspection(NamedTuple):
    """The description of a file."""

    file: Path
    contents: Contents
    saved: SavedWeights
    """Tensors under the names in the file, and other content of the file."""
    loaded: Checkpoint | None
    """The checkpoint that the file is read as; None if it is refused."""
    refusal: CheckpointError | None

    def as_json(self) -> dict[str, Any]:
        """Return the description as plain data."""
        weights, loaded, refusal = self.saved.weights, self.loaded, self.refusal
        rows = summarise_tensors(weights if loaded is None else loaded.weights)
        return {
            "source": str(self.file),
            "container": self.contents.metadata["container"],
            "files": [file.name for file in self.contents.files],
            "bytes": self.contents.size,
            "wrapper": self.saved.wrapper or None,
            "prefixes": list(self.saved.prefixes),
            "beside": list(self.saved.other_keys),
            "progress": self.saved.progress,
            "dtypes": self.count_dtypes(),
            "tensors": len(weights),
            "numbers": count_values(weights),
            "shapes": [{"name": name, "shape": shape, "tensors": n} for name, shape, n in rows],
            "source_format": None if loaded is None else loaded.format,
            "card": None if loaded is None else loaded.config.model_dump(mode="json"),
            "report": None if loaded is None else loaded.report.as_json(),
            "warning": None if loaded is None else loaded.warning or None,
            "refused": None if refusal is None else refusal.message,
        }

    def count_dtypes(self) -> dict[str, int]:
        """Return the number of tensors of each type."""
        weights = self.saved.weights.values()
        return dict(Counter(str(tensor.dtype).removeprefix("torch.") for tensor in weights))


def run(source: Path, report: Report, *, hints: Hints = NO_HINTS, ema: bool = False) -> Inspection:
    """Describe a file, and the checkpoint that it is read as; the arguments are `read_source`'s.

    Raises:
        CheckpointError: The file is missing, damaged, unsafe, or contains no tensors.
    """
    file = locate_weights(source).file
    contents = read_contents(file, read_values=False)
    saved = unwrap(contents.saved, ema=ema)
    loaded, refusal = None, None
    try:
        loaded = read_checkpoint(source, hints, ema=ema, read_values=False, contents=contents)
    except CheckpointError as error:
        refusal = error
    inspection = Inspection(file, contents, saved, loaded, refusal)
    _print_inspection(inspection, report)
    return inspection


def _print_inspection(inspection: Inspection, report: Report) -> None:
    contents, saved = inspection.contents, inspection.saved
    parts = [contents.metadata["container"], f"{contents.size:,} bytes"]
    parts += [
        f"{plural(count, 'tensor')} in {dtype}"
        for dtype, count in inspection.count_dtypes().items()
    ]
    if saved.wrapper:
        parts.append(f"under {saved.wrapper}")
    if saved.prefixes:
        parts.append(f"names prefixed with {' and '.join(saved.prefixes)}")
    parts += [f"{counter} {count}" for counter, count in saved.progress.items()]
    report.say(f"{inspection.file}: {'; '.join(parts)}")
    if inspection.loaded is not None:
        print_checkpoint(inspection.loaded, report)
    else:
        report.table("tensors", TENSOR_COLUMNS, summarise_tensors(saved.weights))
