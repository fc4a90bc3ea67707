"""Small folders of frames, for any test that needs one."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.data.make_clips import moving_square


def write_frame_folder(
    folder: Path,
    frames: NDArray[np.uint8] | int = 12,
    *,
    pattern: str = "img_{:05d}.png",
    first: int = 1,
    step: int = 1,
    height: int = 64,
    width: int = 80,
    seed: int = 0,
) -> Path:
    """Write frames (T, H, W, 3), or those of a moving square, as images; return their folder."""
    if isinstance(frames, int):
        frames = moving_square(frames, height, width, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    for position, pixels in enumerate(frames):
        Image.fromarray(pixels).save(folder / pattern.format(first + position * step))
    return folder


def touch_all(folder: Path, names: Iterable[str]) -> Path:
    """Create empty files in a folder, which is created, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder
