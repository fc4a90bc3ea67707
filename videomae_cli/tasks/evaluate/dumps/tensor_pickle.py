"""Write pickles in which numpy arrays are torch tensors, always with the same bytes.

Torch writes a memory address into each tensor that it pickles, so that no two of its files are
equal. `pickle.load` reads these files as it reads those of torch.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videomae_cli import atomic
from videomae_cli.checkpoints.reading.torch_archive import LEGACY_MAGIC

Array = NDArray[np.generic]


def write_tensor_pickle(path: Path, value: object) -> None:
    """Write plain containers with arrays of float32 or int64; the protocol is 2, as MMAction2's.

    Raises:
        OSError: The file cannot be written.
    """
    with atomic.replacing(path) as partial, partial.open("wb") as file:
        _Pickler(file, protocol=2).dump(value)


class _Storage:
    """The elements of a tensor as bytes of a torch file."""

    def __init__(self, array: Array) -> None:
        self._array = array

    def __reduce__(self) -> tuple[Callable[..., object], tuple[bytes]]:
        """Return what a storage of torch returns."""
        from torch.storage import _load_from_bytes

        return _load_from_bytes, (_encode_storage(self._array),)


class _Pickler(pickle.Pickler):
    """A pickler that writes arrays as tensors."""

    def reducer_override(self, value: object) -> Any:
        """Return what a tensor of torch returns, for arrays."""
        from torch._utils import _rebuild_tensor_v2

        if not isinstance(value, np.ndarray):
            return NotImplemented
        strides = tuple(stride // value.itemsize for stride in value.strides)
        hooks: OrderedDict[str, object] = OrderedDict()
        parts = (_Storage(value), 0, value.shape, strides, False, hooks)
        return _rebuild_tensor_v2, parts


class _StoragePickler(pickle.Pickler):
    """A pickler of the reference to a storage."""

    def persistent_id(self, value: object) -> object:
        """Return the outermost tuple as a reference."""
        return value if isinstance(value, tuple) else None


def _encode_storage(array: Array) -> bytes:
    import torch

    kinds = {"float32": torch.FloatStorage, "int64": torch.LongStorage}
    stream = io.BytesIO()
    system = {"protocol_version": 1001, "little_endian": True}
    sizes = {"short": 2, "int": 4, "long": 4}
    for value in (LEGACY_MAGIC, 1001, {**system, "type_sizes": sizes}):
        pickle.dump(value, stream, protocol=2)
    reference = ("storage", kinds[str(array.dtype)], "0", "cpu", array.size, None)
    _StoragePickler(stream, protocol=2).dump(reference)
    pickle.dump(["0"], stream, protocol=2)
    values = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    return stream.getvalue() + array.size.to_bytes(8, "little") + values.tobytes()
