"""Stand-ins for the types that training scripts leave beside weights: numpy scalars, types, paths.

The weights-only unpickler calls these instead of numpy and pathlib. They build plain Python values
from checked arguments, and refuse all others; nothing of numpy or pathlib is called by the file.
"""

import math
import re
from collections.abc import Callable
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CODE = re.compile(r"b1|[iu][1248]|f(2|4|8|16)|c(8|16|32)|[SU][0-9]{1,6}")
BYTE_ORDERS = ("<", ">", "=", "|")


class NumpyType:
    """A numpy type of booleans, numbers or text."""

    def __init__(self, code: object, is_aligned: object = False, is_copy: object = True) -> None:
        if not isinstance(code, str) or not CODE.fullmatch(code):
            raise ValueError(f"it needs a numpy type other than numbers and text: {code!r:.40}")
        self._code, self._byte_order = code, "="

    def __setstate__(self, state: object) -> None:
        """Take the byte order; fields, subtypes and metadata are refused."""
        match state:
            case (_, str(order), None, None, None, _, _, _) if order in BYTE_ORDERS:
                self._byte_order = order
            case _:
                raise ValueError("it needs a numpy type with fields or metadata")

    def read_value(self, data: bytes) -> object:
        """Return the one value of this type that the bytes are."""
        kind = np.dtype(self._byte_order + self._code)
        if len(data) != kind.itemsize or not data:
            raise ValueError(f"a numpy scalar of {kind.itemsize} bytes has {len(data)}")
        scalar = np.frombuffer(data, dtype=kind)[0]
        if kind.kind in "fc":  # a long double has no Python value of its precision
            return float(scalar) if kind.kind == "f" else complex(scalar)
        value: object = scalar.item()
        return value

    def read_array(
        self, data: bytes, shape: tuple[int, ...], order: Literal["C", "F"]
    ) -> NDArray[np.generic]:
        """Return an array of numbers; its bytes must be exactly as many as its shape needs."""
        kind = np.dtype(self._byte_order + self._code)
        if kind.kind not in "biuf" or len(data) != kind.itemsize * math.prod(shape):
            raise ValueError(f"an array of {shape} elements of type {kind} has {len(data)} bytes")
        values: NDArray[np.generic] = np.frombuffer(data, kind).reshape(shape, order=order)
        return values


def read_numpy_scalar(kind: object, data: object) -> object:
    """Return a numpy scalar as a Python value."""
    if type(kind) is not NumpyType or not isinstance(data, bytes):
        raise ValueError("a numpy scalar is not made of a type and bytes")
    return kind.read_value(data)


def read_posix_path(*parts: object) -> PurePath:
    """Return a path that cannot touch any file."""
    return PurePosixPath(*_check_text(parts))


def read_windows_path(*parts: object) -> PurePath:
    """Return a path that cannot touch any file."""
    return PureWindowsPath(*_check_text(parts))


def _check_text(parts: tuple[object, ...]) -> list[str]:
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) < len(parts):
        raise ValueError("a path is not made of text")
    return texts


PLAIN_TYPES: dict[str, Callable[..., object]] = {
    "numpy.dtype": NumpyType,
    "numpy.core.multiarray.scalar": read_numpy_scalar,
    "numpy._core.multiarray.scalar": read_numpy_scalar,  # since numpy 2
    **{
        f"{module}.{prefix}{name}": function
        for module in ("pathlib", "pathlib._local")  # the second in Python 3.13
        for prefix in ("", "Pure")
        for name, function in (("PosixPath", read_posix_path), ("WindowsPath", read_windows_path))
    },
}
"""The name in a file to what is called instead."""
