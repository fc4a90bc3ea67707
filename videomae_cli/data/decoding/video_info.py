"""Frame count, frame rate and size of a video, measured by decoding all of it."""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.decode import FRAMES, check_file, reference_decoder
from videomae_cli.data.decoding import pyav
from videomae_cli.errors import DataError

MAX_PIXELS = 7680 * 4320  # 8K; a 199 kB file of 8192 x 8192 is rejected


class VideoInfo(NamedTuple):
    """Properties of a video, measured by decoding all of it; pixels after rotation."""

    frames: int
    fps: float
    width: int
    height: int
    rotation: int
    """Degrees, from the rotation flag of the file."""
    is_ordered: bool = True
    """Whether timestamps ascend from frame to frame; in AVI files with B-frames they do not."""
    notes: tuple[str, ...] = ()
    """What a viewer would notice: what the video has, for the summary of `prepare`."""


def probe_video(path: Path) -> VideoInfo:
    """Decode a whole video and count its frames; a DataError if it cannot be read to its end."""
    if reference_decoder(path) == FRAMES:
        from videomae_cli.data.decoding import frame_folder

        return frame_folder.probe(path)
    check_file(path)
    frames, height, width, rotation = 0, 0, 0, 0
    timestamps: list[int] = []
    with pyav.open_video(path) as (container, stream):
        fps = float(stream.average_rate or stream.guessed_rate or 0)
        for frame in container.decode(stream):
            if frames == 0:
                height, width, _ = pyav.pixels(frame).shape
                rotation = round(frame.rotation)
            frames += 1
            if frame.pts is not None:
                timestamps.append(frame.pts)
    if frames == 0:
        raise DataError(f"{path}: no frame can be decoded", "replace the file or leave it out")
    is_ordered = all(now < later for now, later in pairwise(timestamps))
    return VideoInfo(frames, fps, width, height, rotation, is_ordered)


def check_size(path: Path, width: int, height: int) -> None:
    """Raise a DataError if frames are too large to be decoded."""
    if width * height > MAX_PIXELS:
        raise DataError(
            f"{path}: frames of {width} x {height} pixels; more than {MAX_PIXELS:,} are not decoded"
        )
