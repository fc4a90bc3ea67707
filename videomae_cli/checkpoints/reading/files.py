"""Read weights from files without running any code in them.

Readable are safetensors files, torch files (by the weights-only unpickler with one more class
allowed: `argparse.Namespace`, which the original training scripts store beside the weights), and
weights in several files with an index. Names and sizes are checked before memory is allocated; the
values stay in the file until they are used.
"""

import json
import pickle
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeGuard

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load
from torch import Tensor

from videomae_cli.checkpoints.keymap import Weights
from videomae_cli.checkpoints.reading.file_type import DOWNLOAD_AGAIN, FileType, detect_file_type
from videomae_cli.checkpoints.reading.shards import read_index
from videomae_cli.checkpoints.reading.torch_archive import (
    ALLOWED,
    check_archive,
    check_checksums,
    check_legacy_file,
)
from videomae_cli.errors import CheckpointError
from videomae_cli.report import is_encodable

MAX_HEADER_BYTES = 16 * 2**20  # names and shapes of 600 tensors need 60,000
MAX_TENSORS = 100_000

# raised by torch, zipfile and pickle for damaged files (found by flipping and cutting bytes)
_DAMAGE_ERRORS = (
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
)


class Contents(NamedTuple):
    """The content of a file of weights."""

    saved: object
    """Safetensors: tensors by name. Torch: the saved object, often a dict that contains weights."""
    metadata: dict[str, str]
    """Text stored beside the tensors (safetensors), and the file type under `container`."""
    size: int
    """Bytes of all files."""
    files: tuple[Path, ...]
    """The file, or its shards."""


def read_contents(path: Path, *, read_values: bool = True) -> Contents:
    """Read a safetensors or torch file, or all files of an index.

    `read_values` reads the whole file and compares its checksums, if it has any. False reads only
    names and shapes, and each value when it is used.

    Raises:
        CheckpointError: Missing, empty, truncated, a web page, unknown, in need of a class that is
            not allowed, or above the limits.
    """
    file_type = detect_file_type(path)
    try:
        if file_type == "index":
            return _read_shards(read_index(path), read_values=read_values)
        if file_type == "safetensors":
            return _read_safetensors(path)
        return _read_torch(path, file_type, read_values=read_values)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read: {error.strerror or error}", "check its permissions"
        ) from error
    except (SafetensorError, *_DAMAGE_ERRORS) as error:
        expected = "a safetensors file" if file_type == "safetensors" else "a torch file"
        raise CheckpointError(
            f"{path} is damaged or not {expected}: {first_line(error)}", DOWNLOAD_AGAIN
        ) from error


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a file that contains nothing but tensors by name, and its metadata.

    Raises:
        CheckpointError: As `read_contents`, or the file contains something other than named
            tensors.
    """
    contents = read_contents(path)
    if not is_weights(contents.saved):
        raise CheckpointError(
            f"{path} does not contain named tensors", "inspect it: videomae convert FILE --inspect"
        )
    return copy_weights(contents.saved, contents.size), contents.metadata


def is_weights(value: object) -> TypeGuard[Weights]:
    """Return whether a value is a non-empty mapping of names to tensors."""
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())
    )


def copy_weights(weights: Weights, size: int, *, read_values: bool = True) -> dict[str, Tensor]:
    """Check the sizes of tensors and copy them out of a file of `size` bytes, as float32.

    Without `read_values` the tensors are returned as they are in the file.

    Raises:
        CheckpointError: There are too many tensors, or they are larger than the file.
    """
    if len(weights) > MAX_TENSORS:
        raise CheckpointError(f"it has {len(weights):,} tensors, more than {MAX_TENSORS:,}")
    declared = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    if declared > 2 * size:  # shared tensors may count twice
        raise CheckpointError(f"its tensors declare {declared:,} bytes, more than the file has")
    if not read_values:
        return dict(weights)
    return {
        name: tensor.detach()
        .to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)
        .contiguous()
        for name, tensor in weights.items()
    }


def _read_safetensors(path: Path) -> Contents:
    size = path.stat().st_size
    with path.open("rb") as file:
        header_size = int.from_bytes(file.read(8), "little")
    if header_size > MAX_HEADER_BYTES:
        raise CheckpointError(
            f"{path} is damaged: its header declares {header_size:,} bytes, more than"
            f" {MAX_HEADER_BYTES:,}",
            DOWNLOAD_AGAIN,
        )
    if not is_encodable(path):  # safetensors cannot open it
        content = path.read_bytes()
        weights = load(content)
        metadata = json.loads(content[8 : 8 + header_size]).get("__metadata__", {})
    else:
        with safe_open(path, framework="pt") as archive:
            metadata = dict(archive.metadata() or {})
            weights = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    return Contents(weights, {**metadata, "container": "safetensors"}, size, (path,))


def _read_torch(path: Path, file_type: FileType, *, read_values: bool) -> Contents:
    is_zip = file_type == "torch"
    if is_zip:
        check_archive(path)
    else:
        check_legacy_file(path)
    if is_zip and read_values:
        check_checksums(path)
    with warnings.catch_warnings(), torch.serialization.safe_globals(list(ALLOWED)):
        warnings.simplefilter("ignore")  # about pickle protocols; errors are raised anyway
        mmap = is_zip and is_encodable(path)  # torch cannot map others
        saved = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap or None)
    return Contents(saved, {"container": file_type}, path.stat().st_size, (path,))


def _read_shards(shards: Mapping[Path, list[str]], *, read_values: bool) -> Contents:
    weights: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    size = 0
    for file, names in shards.items():
        part = read_contents(file, read_values=read_values)
        if not is_weights(part.saved):
            raise CheckpointError(f"{file} does not contain named tensors", DOWNLOAD_AGAIN)
        differences = sorted(part.saved.keys() ^ set(names))
        if differences:
            verb = "contains" if differences[0] in part.saved else "does not contain"
            raise CheckpointError(
                f"{file} {verb} {differences[0]}, unlike its index", DOWNLOAD_AGAIN
            )
        weights |= part.saved
        metadata |= part.metadata
        size += part.size
    file_type = f"{metadata['container']}, {len(shards)} files"
    return Contents(weights, {**metadata, "container": file_type}, size, tuple(shards))


def first_line(error: Exception) -> str:
    """Return the first line of another library's message; the name of the error without one."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
