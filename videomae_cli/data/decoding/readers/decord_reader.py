"""Read frames with decord, imported without the libraries of CUDA."""

import importlib
import importlib.metadata
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.decode import describe_source, first_line, past_end_error, read_with_pyav
from videomae_cli.errors import DataError

logger = logging.getLogger("videomae")


def read(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames (ascending, without duplicates) with decord, or with PyAV if decord cannot.

    Raises:
        DataError: Neither can, or the last number is past the end.
    """
    try:
        frames, length = decord_frames(path, indices)
    except DataError as error:
        frames = read_with_pyav(path, indices)
        name = describe_source(path)
        _warn_once(name, error.message.replace(str(path), name))
        return frames
    if not len(frames):
        raise past_end_error(path, indices[-1], length)
    return frames


def decord_frames(path: Path, indices: Sequence[int]) -> tuple[NDArray[np.uint8], int]:
    """Read frames (ascending, without duplicates) with decord alone.

    Returns the frames (none if the last number is past the end) and the frame count of the video.

    Raises:
        DataError: decord fails; the message is the first line of its own.
    """
    # recommended in decord's issue threads; by default a damaged file is retried 10,240 times
    os.environ.setdefault("DECORD_EOF_RETRY_MAX", "512")
    os.environ.setdefault("DECORD_REWIND_RETRY_MAX", "16")
    decord = import_decord()
    decord.logging.set_level(decord.logging.QUIET)  # the exception reports damage; no need to print
    try:
        reader = decord.VideoReader(str(path.absolute()), ctx=decord.cpu(0), num_threads=1)
        existing = list(indices) if indices[-1] < len(reader) else []
        frames: NDArray[np.uint8] = (
            reader.get_batch(existing).asnumpy() if existing else np.empty((0, 0, 0, 3), np.uint8)
        )
        return frames, len(reader)
    except Exception as error:
        raise DataError(first_line(error)) from error


@lru_cache(maxsize=4096)
def _warn_once(name: str, reason: str) -> None:
    logger.warning("%s: read with PyAV, because decord cannot: %s", name, reason)


@lru_cache(maxsize=1)
def import_decord() -> ModuleType:
    """Import decord, without the libraries of CUDA.

    It loads all that are installed, which takes seconds, and 0.4 GB of memory in every process.
    Only its builds with CUDA need them, whose versions end in `+cu` and a number.
    """
    hidden = "nvidia"  # the package that decord looks for
    if _is_cuda_build() or hidden in sys.modules:
        return importlib.import_module("decord")
    sys.modules[hidden] = None  # type: ignore[assignment]  # as documented: it cannot be imported
    try:
        return importlib.import_module("decord")
    finally:
        del sys.modules[hidden]


def _is_cuda_build() -> bool:
    for name in ("decord2", "decord"):
        with suppress(importlib.metadata.PackageNotFoundError):
            return "+cu" in importlib.metadata.version(name)
    return False
