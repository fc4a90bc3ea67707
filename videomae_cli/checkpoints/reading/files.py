"""Weights in and out of files, without running anything and without leaving half a file.

Reading takes safetensors, torch archives through the weights-only unpickler with one more class on
its list (`argparse.Namespace`, which the original training scripts store beside the weights), and
weights in several files with an index. What can be checked from names and sizes is checked before
memory is taken; the numbers stay in the file until they are used.
"""

import pickle
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeGuard

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from videomae_cli.checkpoints.reading.file_type import AGAIN, container
from videomae_cli.checkpoints.reading.shards import Shard, read_index
from videomae_cli.checkpoints.reading.torch_archive import (
    ALLOWED,
    check_archive,
    check_stream,
    check_sums,
)
from videomae_cli.errors import CheckpointError

Weights = dict[str, Tensor]

MOST_HEADER_BYTES = 16 * 2**20  # names and shapes of 600 tensors take 60,000
MOST_TENSORS = 100_000

# what a damaged file makes torch, zipfile and pickle raise (found by flipping and cutting bytes)
_DAMAGE = (
    RuntimeError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    MemoryError,
    struct.error,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    NotImplementedError,
)


class Contents(NamedTuple):
    """What a file of weights holds."""

    weights: object
    """Safetensors: tensors by name. Torch: what was saved, often a dict with the weights inside."""
    metadata: dict[str, str]
    """Text stored beside the tensors (safetensors); `container` is always there."""
    size: int
    """Bytes of the file, or of all its parts."""
    files: tuple[Path, ...]
    """The file, or its parts."""


def read_contents(path: Path, *, numbers: bool = True) -> Contents:
    """Read a safetensors or torch file, or all files of an index.

    Args:
        path: The file, or the index.
        numbers: Read everything and compare checksums, where there are any. Without it only names
            and shapes are read, and numbers when they are used.

    Raises:
        CheckpointError: Missing, empty, truncated, a web page, unknown, in need of a class that is
            not allowed, or larger than its limits.
    """
    kind = container(path)
    try:
        if kind == "index":
            return _read_shards(read_index(path), numbers=numbers)
        if kind == "safetensors":
            return _read_safetensors(path)
        return _read_torch(path, kind, numbers=numbers)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read: {error.strerror or error}", "check who may read it"
        ) from error
    except (SafetensorError, *_DAMAGE) as error:
        what = "safetensors" if kind == "safetensors" else "a torch file"
        raise CheckpointError(
            f"{path} is damaged or not {what}: {_first_line(error)}", AGAIN
        ) from error


def read_weights(path: Path) -> tuple[Weights, dict[str, str]]:
    """Read a file that holds tensors by name and nothing else, and its metadata.

    Raises:
        CheckpointError: As `read_contents`, or the file holds something other than named tensors.
    """
    contents = read_contents(path)
    if not is_weights(contents.weights):
        raise CheckpointError(
            f"{path} does not hold named tensors", "look at it with convert --inspect"
        )
    return owned(contents.weights, contents.size), contents.metadata


def is_weights(value: object) -> TypeGuard[Mapping[str, Tensor]]:
    """Tell whether a value is a non-empty mapping of names to tensors."""
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())
    )


def owned(weights: Mapping[str, Tensor], size: int) -> Weights:
    """Return float32 copies of tensors that may still lie in the file's memory map.

    Args:
        weights: Tensors by name.
        size: Bytes of the file they came from.

    Raises:
        CheckpointError: The tensors claim more numbers than the file has bytes for.
    """
    check_claims(weights, size)
    return {
        name: tensor.detach()
        .to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)
        .contiguous()
        for name, tensor in weights.items()
    }


def taken(weights: Mapping[str, Tensor], size: int, *, numbers: bool) -> Weights:
    """Return `owned` weights, or without `numbers` the tensors as they lie in the file.

    Raises:
        CheckpointError: As `owned`.
    """
    if numbers:
        return owned(weights, size)
    check_claims(weights, size)
    return dict(weights)


def check_claims(weights: Mapping[str, Tensor], size: int) -> None:
    """Make sure that tensors are no larger than the file of `size` bytes they came from.

    Raises:
        CheckpointError: They are, or there are too many of them.
    """
    if len(weights) > MOST_TENSORS:
        raise CheckpointError(f"it has {len(weights):,} tensors, more than {MOST_TENSORS:,}")
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    if claimed > 2 * size:  # shared tensors may count twice
        raise CheckpointError(f"its tensors claim {claimed:,} bytes, more than the file has")


def _read_safetensors(path: Path) -> Contents:
    size = path.stat().st_size
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if header > MOST_HEADER_BYTES:
        raise CheckpointError(
            f"{path} is damaged: its header claims {header:,} bytes, more than"
            f" {MOST_HEADER_BYTES:,}",
            AGAIN,
        )
    with safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata() or {})
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return Contents(weights, {**metadata, "container": "safetensors"}, size, (path,))


def _read_torch(path: Path, kind: str, *, numbers: bool) -> Contents:
    is_zip = kind == "torch"
    if is_zip:
        check_archive(path)
    else:
        check_stream(path)
    if is_zip and numbers:
        check_sums(path)
    with warnings.catch_warnings(), torch.serialization.safe_globals(list(ALLOWED)):
        warnings.simplefilter("ignore")  # about pickle protocols: the outcome says it all
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip or None)
    return Contents(held, {"container": kind}, path.stat().st_size, (path,))


def _read_shards(shards: tuple[Shard, ...], *, numbers: bool) -> Contents:
    weights: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    size = 0
    for shard in shards:
        part = read_contents(shard.file, numbers=numbers)
        if not is_weights(part.weights):
            raise CheckpointError(f"{shard.file} does not hold named tensors", AGAIN)
        wrong = sorted(part.weights.keys() ^ set(shard.names))
        if wrong:
            where = "holds" if wrong[0] in part.weights else "does not hold"
            raise CheckpointError(
                f"{shard.file} {where} {wrong[0]}; its index says otherwise", AGAIN
            )
        weights |= part.weights
        metadata |= part.metadata
        size += part.size
    parts = f"{metadata['container']}, {len(shards)} files"
    files = tuple(shard.file for shard in shards)
    return Contents(weights, {**metadata, "container": parts}, size, files)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
