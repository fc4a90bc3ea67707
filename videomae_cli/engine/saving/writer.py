"""Write tensors to a safetensors file one at a time, and compute its SHA-256 while writing.

The library's own writer needs all tensors in main memory at once, and a second pass for the
SHA-256. Here one thread hashes the bytes of a tensor while another writes them, so at most two
tensors are in main memory. Files are read with the library.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, load_file
from torch import Tensor

from videomae_cli.report import is_encodable

_TYPE_NAMES = {
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
    """Write a safetensors file; return its SHA-256."""
    return write_bytes(path, _blocks(tensors))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file, also one that the library cannot open itself."""
    return load_file(path) if is_encodable(path) else load(path.read_bytes())


def write_bytes(path: Path, blocks: Iterator[Any]) -> str:
    """Write blocks of bytes to a file; return their SHA-256."""
    digest = hashlib.sha256()
    pending: Future[None] | None = None
    with path.open("wb") as file, ThreadPoolExecutor(1) as hasher:
        for block in blocks:
            if pending is not None:
                pending.result()  # so that at most two blocks are in memory
            pending = hasher.submit(digest.update, block)
            file.write(block)
    return digest.hexdigest()


def _blocks(tensors: Mapping[str, Tensor]) -> Iterator[Any]:
    """Yield the header and the bytes of each tensor; large types first, so that all are aligned."""
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, Any] = {}
    end = 0
    for name in order:
        tensor = tensors[name]
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _TYPE_NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for name in order:
        flat = tensors[name].detach().cpu().contiguous().reshape(-1)
        yield flat.view(torch.uint8).numpy().data
