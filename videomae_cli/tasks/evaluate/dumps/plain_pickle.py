"""Read pickles of tensors, arrays and plain containers without running any code in them.

A pickle names the classes and functions that rebuild its objects. The reader calls its own methods
instead of those few that tensors and arrays need, and refuses all other names. Nothing of torch or
numpy is called by the file, and the size of every array is checked against the bytes that are
there. A tensor in a plain pickle contains its values as a torch file of the form before torch 1.6;
that is read here too.

Source: the pickle documentation ("Restricting Globals"), and torch's `_rebuild_tensor_v2` and
`_legacy_load`.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import starmap
from operator import mul
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videomae_cli.checkpoints.reading.files import first_line
from videomae_cli.checkpoints.reading.pickle_scan import GlobalName, scan_pickle
from videomae_cli.checkpoints.reading.plain_types import NumpyType, read_numpy_scalar
from videomae_cli.checkpoints.reading.torch_archive import LEGACY_MAGIC, LEGACY_PICKLES
from videomae_cli.errors import DataError, VideoMAEError

Array = NDArray[np.generic]
# name of a torch storage -> numpy type of its elements; of BFloat16, the upper half of a float32
STORAGES = {
    **{"DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2"},
    **{"BFloat16Storage": "<u2", "LongStorage": "<i8", "IntStorage": "<i4"},
    **{"ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?"},
}
HEAD_PICKLES = 3  # magic number, protocol, machine
MAX_EXPANSION = 2  # bytes of all arrays per byte of the file
_DAMAGE_ERRORS = (
    *(ValueError, EOFError, LookupError, TypeError, AttributeError, OverflowError, MemoryError),
    *(pickle.UnpicklingError, ImportError),
)


class PickledArray:
    """A tensor or an array of a pickle."""

    __slots__ = ("_count_bytes", "values")

    def __init__(self, values: Array, count_bytes: Callable[[int], None]) -> None:
        self.values = values
        self._count_bytes = count_bytes

    def __setstate__(self, state: object) -> None:
        """Fill an array of numpy: version, shape, type, order, bytes."""
        match state:
            case (int(), tuple(shape), NumpyType() as kind, bool(is_fortran), bytes(data)):
                self._count_bytes(len(data))
                self.values = kind.read_array(data, _check_sizes(shape), "F" if is_fortran else "C")
            case _:
                raise ValueError("it needs an array of something other than numbers")


def read_plain_pickle(path: Path) -> object:
    """Return the object in a pickle; tensors and arrays are `PickledArray`.

    Raises:
        DataError: The file cannot be read, is damaged, or needs a class or a function that is not
            one of tensors, arrays or plain containers.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}", "check the path"
        ) from error
    try:
        scan_pickle(io.BytesIO(content), path)  # refuses what would crash the unpickler
        value: object = _Unpickler(content, path).load()
    except DataError:
        raise
    except VideoMAEError as error:
        raise DataError(error.message, error.hint) from error
    except _DAMAGE_ERRORS as error:
        raise DataError(
            f"{path} is damaged or not a pickle of scores: {first_line(error)}",
            "copy it again, or write it again",
        ) from error
    return value


class _Unpickler(pickle.Unpickler):
    """An unpickler that finds its own methods under the names of tensors and arrays.

    Methods, because a pickle cannot change their attributes.
    """

    def __init__(self, content: bytes, path: Path) -> None:
        super().__init__(io.BytesIO(content))
        self._path = path
        self._head = b""
        self._bytes_left = MAX_EXPANSION * len(content)
        self._functions: dict[str, Callable[..., object]] = {
            "torch._utils._rebuild_tensor_v2": self._rebuild_tensor,
            "torch.storage._load_from_bytes": self._read_storage,
            "collections.OrderedDict": OrderedDict,
            "_codecs.encode": self._encode,
            "numpy.dtype": NumpyType,
            "numpy.ndarray": self._refuse_call,
        }
        for module in ("numpy.core", "numpy._core"):  # before numpy 2, and since
            self._functions[f"{module}.multiarray._reconstruct"] = self._create_array
            self._functions[f"{module}.multiarray.scalar"] = read_numpy_scalar
            self._functions[f"{module}.numeric._frombuffer"] = self._read_buffer

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        """Return what is called instead of a name; a DataError for all names but a few."""
        function = self._functions.get(f"{module}.{name}")
        if function is None:
            raise DataError(
                f"{self._path} needs {module}.{name}, which could run code; refused",
                "a file with scores contains only tensors, arrays, lists and dicts; if you trust"
                " it, load it in a program of your own and save only those",
            )
        return function

    def _count_bytes(self, count: int) -> None:
        """Refuse a file whose arrays are much larger than itself."""
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise ValueError("its arrays declare more bytes than it contains")

    def _rebuild_tensor(
        self, storage: object, offset: object, sizes: object, strides: object, *_: object
    ) -> PickledArray:
        """Return the values of a tensor, which may be a part of its storage."""
        match storage, offset, sizes, strides:
            case PickledArray(values=flat), int(first), tuple(), tuple() if flat.ndim == 1:
                shape, steps = _check_sizes(sizes), _check_sizes(strides)
            case _:
                raise ValueError("a tensor is not made of a storage, sizes and strides")
        spans = starmap(mul, zip([size - 1 for size in shape], steps, strict=True))
        count = int(np.prod(shape, dtype=object))
        if first < 0 or (count and first + sum(spans) >= len(flat)) or count > len(flat):
            raise ValueError("a tensor is larger than its storage")
        self._count_bytes(count * flat.itemsize)
        if not count:
            return PickledArray(np.empty(shape, flat.dtype), self._count_bytes)
        bytes_per_step = [step * flat.itemsize for step in steps]
        view = np.lib.stride_tricks.as_strided(flat[first:], shape, bytes_per_step)
        return PickledArray(view.copy(), self._count_bytes)

    def _read_storage(self, data: object) -> PickledArray:
        """Return the values of a storage from a torch file of the form before torch 1.6."""
        if not isinstance(data, bytes):
            raise ValueError("a storage is not made of bytes")
        stream = io.BytesIO(data)
        if not self._head or not data.startswith(self._head):
            self._head = self._read_head(stream)
        stream.seek(len(self._head))
        scans = [scan_pickle(stream, self._path) for _ in range(LEGACY_PICKLES - HEAD_PICKLES)]
        match [reference for scan in scans for reference in scan.persistent_ids]:
            case [("storage", GlobalName("torch", kind), str(), _, int(count), None)] if (
                kind in STORAGES
            ):
                start = stream.tell() + 8  # after the number of elements
            case _:
                raise ValueError("a storage is not in the form that torch writes")
        if count != int.from_bytes(data[start - 8 : start], "little") or count < 0:
            raise ValueError("a storage does not have the declared number of elements")
        values: Array = np.frombuffer(data, STORAGES[kind], count, start) if count else np.empty(0)
        if kind == "BFloat16Storage":
            values = (values.astype("<u4") << 16).view("<f4")
        return PickledArray(values, self._count_bytes)

    def _read_head(self, stream: io.BytesIO) -> bytes:
        """Return the first bytes of a torch file, the same for all tensors of one machine."""
        scan_pickle(stream, self._path)
        if LEGACY_MAGIC.to_bytes(10, "little") not in stream.getvalue()[: stream.tell()]:
            raise ValueError("a storage is not in the form that torch writes")
        for _ in range(HEAD_PICKLES - 1):
            scan_pickle(stream, self._path)
        return stream.getvalue()[: stream.tell()]

    def _create_array(self, kind: object, *_: object) -> PickledArray:
        """Return an empty array; the state that follows has its values."""
        if kind != self._refuse_call:
            raise ValueError("it needs a subclass of numpy.ndarray")
        return PickledArray(np.empty(0), self._count_bytes)

    def _read_buffer(
        self, data: object, kind: object, shape: object, order: object
    ) -> PickledArray:
        match data, kind, shape, order:
            case ((bytes() | bytearray()), NumpyType(), tuple(), ("C" | "F")):
                self._count_bytes(len(data))
                values = kind.read_array(bytes(data), _check_sizes(shape), order)
                return PickledArray(values, self._count_bytes)
        raise ValueError("it needs an array of something other than numbers")

    def _encode(self, text: object, encoding: object = None) -> bytes:
        """Return bytes, which older pickles write as text."""
        if not isinstance(text, str) or encoding != "latin1":
            raise ValueError("it encodes text in an unusual way")
        return text.encode("latin1")

    def _refuse_call(self, *_: object) -> object:
        raise ValueError("it creates an array in an unusual way")


def _check_sizes(sizes: Sequence[object]) -> tuple[int, ...]:
    """Return sizes or strides; a ValueError if they are not integers from 0 on."""
    numbers = tuple(size for size in sizes if isinstance(size, int) and size >= 0)
    if len(numbers) < len(sizes):
        raise ValueError("the sizes of an array are not numbers")
    return numbers
