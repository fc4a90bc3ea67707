"""Small real video files, encoded with PyAV, for any test that needs one."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

PIXELS = {"mpeg4": "yuv420p", "libx264": "yuv420p", "libx265": "yuv420p", "ffv1": "bgr0"}


def moving_square(frames: int, height: int, width: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """Return T, H, W, 3: a bright square crossing a smooth background; every frame differs."""
    rng = np.random.default_rng(seed)
    tint = rng.integers(40, 90, size=3)
    rows, columns = np.linspace(0, 60, height), np.linspace(0, 60, width)
    background = rows[:, None, None] + columns[None, :, None] + tint
    clip = np.repeat(background[None], frames, axis=0)
    side = max(2, min(height, width) // 4)
    for t in range(frames):
        top = int(rng.integers(0, 2)) + (t * 3) % (height - side)
        left = (t * 5) % (width - side)
        clip[t, top : top + side, left : left + side] = 255 - 2 * (t % 60)
    return clip.clip(0, 255).astype(np.uint8)


def write_clip(
    path: Path,
    frames: NDArray[np.uint8] | int = 12,
    *,
    height: int = 64,
    width: int = 64,
    fps: int = 25,
    codec: str = "libx264",
    key_every: int = 12,
    seed: int = 0,
) -> Path:
    """Write a video (its folder is created) and return its path.

    Args:
        path: The file; its suffix selects the container (.mp4, .mkv, .avi).
        frames: Frames (T, H, W, 3), or the number of frames of a moving square.
        height: Pixels, if `frames` is a number.
        width: Pixels, if `frames` is a number.
        fps: Frames per second.
        codec: "libx264" and "mpeg4" are lossy, "ffv1" (in .mkv) is lossless.
        key_every: Frames between key frames.
        seed: Of the moving square.
    """
    if isinstance(frames, int):
        frames = moving_square(frames, height, width, seed=seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = PIXELS[codec]
        stream.gop_size = key_every
        stream.codec_context.thread_count = 1
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path
