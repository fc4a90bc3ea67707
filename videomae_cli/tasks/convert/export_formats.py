"""Models as programs that run without videomae: a file per model, any batch size.

Both kinds take the graph that torch.export reads off the model. What the graph cannot say (an error
raised over the content of a clip) is left out of it.
"""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from videomae_cli.errors import CheckpointError, UsageError

INPUT = "clip"
OPSET = 20
MOST_PROTOBUF_BYTES = 1_900_000_000  # a protobuf ends at 2 GiB; above, numbers lie in a second file

Running = Callable[[Tensor], Tensor]


class Program(NamedTuple):
    """A kind of program."""

    title: str
    suffix: str
    packages: tuple[str, ...]
    """What it takes to write and try one, beside torch."""
    write: Callable[[nn.Module, Tensor, str, Path], None]
    """Writes a model, tried on this batch; names its output."""
    open: Callable[[Path], Running]
    """Returns what was written as a function of a batch."""


def require(program: Program) -> None:
    """Make sure that the packages a program needs are installed.

    Raises:
        UsageError: One is missing.
    """
    missing = [package for package in program.packages if find_spec(package) is None]
    if missing:
        raise UsageError(
            f"{program.title} needs {', '.join(missing)}, which is not installed",
            "pip install 'videomae[onnx]'",
        )


def write(program: Program, model: nn.Module, clip_BCTHW: Tensor, output: str, path: Path) -> None:
    """Write a model as a program, tried on a batch of two or more; `output` names what comes out.

    Raises:
        CheckpointError: torch cannot make a graph of it.
    """
    try:
        program.write(model, clip_BCTHW, output, path)
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise CheckpointError(
            f"torch cannot write this model as {program.title}: {reason}",
            "please report it, with the versions of torch, onnx and onnxscript",
        ) from error


def _write_onnx(model: nn.Module, clip_BCTHW: Tensor, output: str, path: Path) -> None:
    numbers = sum(tensor.nbytes for tensor in model.state_dict().values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about its own insides
        program = torch.onnx.export(
            model,
            (clip_BCTHW,),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[output],
            dynamic_shapes=({0: "batch"},),
            custom_translation_table={torch.ops.aten.sort.stable: _stable_sort},
        )
        assert program is not None
        program.save(path, external_data=numbers > MOST_PROTOBUF_BYTES)


def _stable_sort(x: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """Sort in ONNX. The exporter has no rule of its own; of equals TopK puts the earlier first."""
    from onnxscript import opset20 as op

    size = op.Gather(op.Shape(x), op.Constant(value_ints=[dim]))
    return op.TopK(x, size, axis=dim, largest=int(descending), sorted=1)


def _open_onnx(path: Path) -> Running:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda clip_BCTHW: torch.from_numpy(session.run(None, {INPUT: clip_BCTHW.numpy()})[0])


def _write_torch(model: nn.Module, clip_BCTHW: Tensor, output: str, path: Path) -> None:
    batch = torch.export.Dim("batch", min=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(model, (clip_BCTHW,), dynamic_shapes=({0: batch},))
        torch.export.save(program, path)


def _open_torch(path: Path) -> Running:
    module = torch.export.load(path).module()

    def running(clip_BCTHW: Tensor) -> Tensor:
        result: Tensor = module(clip_BCTHW)
        return result

    return running


PROGRAMS: dict[str, Program] = {
    "onnx": Program(
        "ONNX", ".onnx", ("onnx", "onnxscript", "onnxruntime"), _write_onnx, _open_onnx
    ),
    "torch-export": Program("torch.export", ".pt2", (), _write_torch, _open_torch),
}
