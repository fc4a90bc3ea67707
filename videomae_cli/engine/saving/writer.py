"""Tensors into a safetensors file, one at a time, hashed on the way.

The library's own writer wants every tensor in main memory at once and leaves the hash to a second
pass over the file. Here a tensor comes off its device, and while one thread hashes its bytes the
other hands them to the disk: a save of a large model costs no more memory than its largest tensor
and no more time for being sealed. Reading is left to the library.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write a safetensors file, force it to the disk, and return its SHA-256.

    Raises:
        OSError: The disk refused.
    """
    return write_hashed(path, _blocks(tensors))


def write_hashed(path: Path, blocks: Iterator[Any]) -> str:
    """Write blocks of bytes, force them to the disk, and return their SHA-256."""
    digest = hashlib.sha256()
    pending: Future[None] | None = None
    with path.open("wb") as file, ThreadPoolExecutor(1) as hasher:
        for block in blocks:
            if pending is not None:
                pending.result()  # at most two blocks in memory
            pending = hasher.submit(digest.update, block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _blocks(tensors: Mapping[str, Tensor]) -> Iterator[Any]:
    """Yield the header, then each tensor's bytes; wide types first, so that all lie aligned."""
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, Any] = {}
    end = 0
    for name in order:
        tensor = tensors[name]
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for name in order:
        flat = tensors[name].detach().cpu().contiguous().reshape(-1)
        yield flat.view(torch.uint8).numpy().data
