"""Limits of what is decoded: of one frame, and of all frames of a video.

Headers are not trusted: frames are counted while they are decoded.
"""

from pathlib import Path

from videomae_cli.errors import DataError

MAX_PIXELS = 7680 * 4320  # 8K; a 199 kB file of 8192 x 8192 is rejected
MAX_FRAMES = 1 << 22  # 38 hours at 30 frames a second
MAX_VIDEO_PIXELS = 1 << 43  # of all frames: 48 hours of 1920 x 1080 at 25 frames a second
SPLIT_HINT = "cut it into shorter videos: ffmpeg -i IN -c copy -f segment -segment_time 3600 %d.mp4"


def check_size(path: Path, width: int, height: int) -> None:
    """Raise a DataError if frames are too large to be decoded."""
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{path}: frames of {width} x {height} pixels; more than {MAX_PIXELS:,} are not decoded"
        )


def check_length(path: Path, frames: int, width: int, height: int) -> None:
    """Raise a DataError if a video has too many frames, or too many for their size."""
    if frames > MAX_FRAMES:
        raise DataError(f"{path}: more than {MAX_FRAMES:,} frames are not decoded", SPLIT_HINT)
    if frames * width * height > MAX_VIDEO_PIXELS:
        raise DataError(
            f"{path}: more than {MAX_VIDEO_PIXELS // (width * height):,} frames of {width} x "
            f"{height} pixels are not decoded",
            SPLIT_HINT,
        )
