"""`convert --to onnx`: export a trained model, and compare it with the original.

The exported model takes pixels as uint8 and normalises them inside, so that callers cannot
normalise differently. A JSON file beside it describes the preprocessing before that. Files are left
only if the exported model, read back, gives the outputs of the original, for two batch sizes if it
takes any.
"""

from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli.checkpoints.destination import replacing_several
from videomae_cli.checkpoints.hints import NO_HINTS, Hints
from videomae_cli.checkpoints.loading import Checkpoint
from videomae_cli.engine.environment import software
from videomae_cli.errors import CheckpointError, UsageError
from videomae_cli.report import Report, format_json
from videomae_cli.tasks.convert.export_formats import (
    EXPORT_FORMATS,
    INPUT,
    ExportFormat,
    ExportInput,
    check_packages,
    write_model,
)
from videomae_cli.tasks.convert.export_model import (
    BATCHES,
    ExportModel,
    Parity,
    build_export_model,
    compare_outputs,
    constant_embedding,
    make_clips,
)
from videomae_cli.tasks.convert.load_report import print_assumptions, print_warnings
from videomae_cli.tasks.convert.preprocessing import (
    describe_preprocessing,
    summarize_preprocessing,
)
from videomae_cli.tasks.convert.source import ALL_WEIGHTS, Selection, fold_outputs, read_source

EXAMPLE_BATCH = 2


class Export(NamedTuple):
    """The file that was written, and the content of the JSON file beside it."""

    out: Path
    metadata: dict[str, Any]


class ExportRequest(NamedTuple):
    """What to export, and to which format."""

    to: str
    """A key of `EXPORT_FORMATS`."""
    features: bool = False
    """Whether to export a classifier without its head."""
    batch: int | None = None
    """The only batch size that the exported model takes; None: any."""


def parse_request(
    to: str | None, out: Path | None, *, features: bool, batch: int | None = None
) -> ExportRequest | None:
    """Return the export that a format name or a suffix asks for; None for a conversion.

    Raises:
        UsageError: `features` or `batch` is set for a conversion.
    """
    suffix = None if out is None or to is not None else out.suffix
    names = (n for n, known in EXPORT_FORMATS.items() if n == to or known.suffix == suffix)
    name = next(names, None)
    if name is None and (features or batch is not None):
        option, known_names = "--features" if features else "--batch", " and ".join(EXPORT_FORMATS)
        raise UsageError(
            f"{option} works only with {known_names}", f"leave out {option}, or use --to onnx"
        )
    return None if name is None else ExportRequest(name, features, batch)


def run(
    source: Path,
    out: Path,
    report: Report,
    *,
    request: ExportRequest,
    hints: Hints = NO_HINTS,
    license_text: str | None = None,
    selection: Selection = ALL_WEIGHTS,
    force: bool = False,
) -> Export:
    """Read a checkpoint as `read_source` does, export its model, and compare the two.

    Raises:
        CheckpointError: The source cannot be read, `out` exists, or the outputs of the exported
            model differ from the original's.
        UsageError: `out` has the wrong suffix, or a package is missing.
    """
    export_format = EXPORT_FORMATS[request.to]
    metadata_file = out.with_name(out.name + ".json")
    _check_destination(out, metadata_file, export_format, force=force)
    loaded = read_source(source, hints, selection, license_text)
    loaded = fold_outputs(loaded, report)
    original = build_export_model(loaded, features=request.features)
    report.say(f"{loaded.file}: exporting to {export_format.title}; output: {original.meaning}")
    parity, metadata = _write(out, metadata_file, loaded, original, request)
    report.say(
        f"wrote {out} and {metadata_file.name}; read back, its {original.output} agree with the"
        f" original's within {parity.largest_difference:.1g} (batch"
        f" {' and '.join(map(str, parity.batches))}{'' if request.batch is None else ', fixed'})"
    )
    report.say(f"clip: {summarize_preprocessing(loaded.config, original.grid.frames)} by the model")
    print_assumptions(loaded, report)
    print_warnings(loaded, report)
    return Export(out, metadata)


def _check_destination(
    out: Path, metadata_file: Path, export_format: ExportFormat, *, force: bool
) -> None:
    if out.suffix != export_format.suffix:
        raise UsageError(f"{out}: {export_format.title} files end in {export_format.suffix}")
    check_packages(export_format)
    for file in (out, metadata_file):
        if file.is_dir():
            raise CheckpointError(f"{file} is a directory", "name a file")
        if file.exists() and not force:
            raise CheckpointError(f"{file} exists", "give another name, or --force to replace it")


def _write(
    out: Path,
    metadata_file: Path,
    loaded: Checkpoint,
    original: ExportModel,
    request: ExportRequest,
) -> tuple[Parity, dict[str, Any]]:
    """Write the exported model and its JSON file, if the outputs agree."""
    with replacing_several(out) as folder:
        export_format, file = EXPORT_FORMATS[request.to], folder / out.name
        batch = request.batch
        inputs = ExportInput(
            make_clips(batch or EXAMPLE_BATCH, original.grid),
            original.output,
            batch is not None,
            _make_notes(loaded, original),
        )
        with constant_embedding(original.model):
            write_model(export_format, original.model, inputs, file)
        batches = BATCHES if batch is None else (batch,)
        parity = compare_outputs(original, export_format.open(file), batches)
        metadata = _make_metadata(loaded, original, request, parity)
        metadata["files"] = sorted(file.name for file in folder.iterdir())
        text = format_json(metadata, indent=2) + "\n"
        (folder / metadata_file.name).write_text(text, encoding="utf-8")
    return parity, metadata


def _make_notes(loaded: Checkpoint, original: ExportModel) -> dict[str, str]:
    """Return the notes inside the file: the preprocessing that the exported model does not do."""
    config, preprocessing = (
        loaded.config,
        describe_preprocessing(loaded.config, original.grid.frames),
    )
    size = f"{config.grid.height}x{config.grid.width}"
    names = ("frames", "stride_frames", "fps", "seconds", "sampling")
    notes = {name: preprocessing.get(name) for name in names}
    notes |= {"size": size, "license": config.license, "output": original.meaning}
    return {name: str(value) for name, value in notes.items() if value is not None}


def _make_metadata(
    loaded: Checkpoint, original: ExportModel, request: ExportRequest, parity: Parity
) -> dict[str, Any]:
    config = loaded.config
    batch = "batch" if request.batch is None else request.batch
    return {
        "format": "videomae-export",
        "version": 1,
        "program": request.to,
        "input": {
            "name": INPUT,
            "dtype": "uint8",
            "layout": "batch, channel (R, G, B), frame, row, column",
            "shape": [batch, *make_clips(1, original.grid).shape[1:]],
        },
        "output": {"name": original.output, "dtype": "float32", "meaning": original.meaning},
        "preprocessing": describe_preprocessing(config, original.grid.frames),
        "classes": config.classes if original.output in ("logits", "values") else None,
        "model": config.model_dump(
            mode="json", include={"kind", "encoder", "grid", "select", "step"}
        ),
        "license": config.license,
        "derived_from": [*config.derived_from, "/".join(loaded.file.parts[-2:])],
        "parity": parity._asdict(),
        "software": software(),
    }
