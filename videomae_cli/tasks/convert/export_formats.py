"""Formats of exported models, which run without videomae: one file per model.

Both formats use the graph that torch.export traces. Errors that depend on the content of a clip
cannot be part of a graph and are left out.
"""

import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from videomae_cli.checkpoints.reading.files import first_line
from videomae_cli.errors import CheckpointError, UsageError
from videomae_cli.report import format_json, is_encodable

INPUT = "clip"
OPSET = 20
EXTRA_FILE = "videomae.json"  # inside a .pt2: the notes that ONNX stores as metadata_props
MAX_PROTOBUF_BYTES = 1_900_000_000  # protobuf ends at 2 GiB; above, values go into a second file

ModelFunction = Callable[[Tensor], Tensor]


class ExportInput(NamedTuple):
    """What is exported beside the model."""

    clip_BCTHW: Tensor
    """An example batch: of at least two clips if the batch size is open, else of that size."""
    output: str
    """Name of the output."""
    is_batch_fixed: bool
    """Whether the model takes batches of the size of the example only; else of any size."""
    metadata: Mapping[str, str]
    """Notes for the file, such as the frames of a clip."""


class ExportFormat(NamedTuple):
    """A format of exported models."""

    title: str
    suffix: str
    packages: tuple[str, ...]
    """Packages needed to write and run a model, beside torch."""
    write: Callable[[nn.Module, ExportInput, Path], None]
    """Writes a model."""
    open: Callable[[Path], ModelFunction]
    """Returns an exported model as a function of a batch."""


def check_packages(export_format: ExportFormat) -> None:
    """Check that the packages of a format are installed."""
    missing = [package for package in export_format.packages if find_spec(package) is None]
    if missing:
        raise UsageError(
            f"{export_format.title} needs {', '.join(missing)}, which is not installed",
            "pip install 'videomae[onnx]'",
        )


def write_model(
    export_format: ExportFormat, model: nn.Module, inputs: ExportInput, path: Path
) -> None:
    """Export a model: clips in, one tensor out.

    Raises:
        CheckpointError: torch cannot trace the model.
    """
    try:
        export_format.write(model, inputs, path)
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"torch cannot export this model to {export_format.title}: {first_line(error)}",
            "please report it, with the versions of torch, onnx and onnxscript",
        ) from error


def _write_onnx(model: nn.Module, inputs: ExportInput, path: Path) -> None:
    weight_bytes = sum(tensor.nbytes for tensor in model.state_dict().values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about internals of the exporter
        exported = torch.onnx.export(
            model,
            (inputs.clip_BCTHW,),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[inputs.output],
            dynamic_shapes=None if inputs.is_batch_fixed else ({0: "batch"},),
            custom_translation_table={torch.ops.aten.sort.stable: _stable_sort},
        )
        assert exported is not None
        exported.model.metadata_props.update(inputs.metadata)
        for node in exported.model.graph.all_nodes():
            node.metadata_props.pop("pkg.torch.onnx.stack_trace", None)  # paths of this machine
        exported.save(path, external_data=weight_bytes > MAX_PROTOBUF_BYTES)


def _stable_sort(x: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """Sort in ONNX, where the exporter has no rule: TopK orders equal values by position."""
    from onnxscript import opset20 as op

    size = op.Gather(op.Shape(x), op.Constant(value_ints=[dim]))
    return op.TopK(x, size, axis=dim, largest=int(descending), sorted=1)


def _open_onnx(path: Path) -> ModelFunction:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    model = str(path) if is_encodable(path) else path.read_bytes()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda clip_BCTHW: torch.from_numpy(session.run(None, {INPUT: clip_BCTHW.numpy()})[0])


def _write_torch(model: nn.Module, inputs: ExportInput, path: Path) -> None:
    shapes = None if inputs.is_batch_fixed else ({0: torch.export.Dim("batch", min=1)},)
    notes = {EXTRA_FILE: format_json(dict(inputs.metadata))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(model, (inputs.clip_BCTHW,), dynamic_shapes=shapes)
        for node in exported.graph.nodes:
            node.meta.pop("stack_trace", None)  # paths of this machine
        with path.open("wb") as file:  # torch itself opens only paths that UTF-8 can encode
            torch.export.save(exported, file, extra_files=notes)


def _open_torch(path: Path) -> ModelFunction:
    with warnings.catch_warnings(), path.open("rb") as file:
        warnings.simplefilter("ignore")  # torch 2.10: about its own read-only buffers
        return torch.export.load(file).module()


EXPORT_FORMATS: dict[str, ExportFormat] = {
    "onnx": ExportFormat(
        "ONNX", ".onnx", ("onnx", "onnxscript", "onnxruntime"), _write_onnx, _open_onnx
    ),
    "torch-export": ExportFormat("torch.export", ".pt2", (), _write_torch, _open_torch),
}
