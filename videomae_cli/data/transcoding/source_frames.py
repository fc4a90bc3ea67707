"""All frames of a source in their order, as training would read them, with square pixels.

Shapes: H height, W width, C channels, uint8.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from videomae_cli.data.decode import check_file, refuse_any_failure
from videomae_cli.data.decoding import pixels
from videomae_cli.data.decoding.frame_folder import read_image
from videomae_cli.data.decoding.frame_series import find_frames
from videomae_cli.data.decoding.pyav import open_video
from videomae_cli.data.decoding.video_info import check_size
from videomae_cli.data.transcoding import given_file
from videomae_cli.data.transcoding.geometry import find_frame_size, fit_frame

# flags of FFmpeg's scaler: SWS_BICUBIC, _ACCURATE_RND, _FULL_CHR_H_INP, _FULL_CHR_H_INT
ACCURATE = 0x4 | 0x40000 | 0x4000 | 0x2000
SQUARE = Fraction(1)


class AccurateReformatter:
    """Converts colours without the rounding errors of FFmpeg's usual conversion.

    That makes pixels darker by about one level. Frames that are encoded as H.264 are converted once
    more when they are read, so they must not be darkened before.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def reformat(self, frame: Any, **changes: Any) -> Any:
        """Convert a frame as `VideoReformatter.reformat` does."""
        return self._reformatter.reformat(frame, interpolation=ACCURATE, **changes)


class _Shown(NamedTuple):
    frame_HWC: NDArray[np.uint8]
    aspect: Fraction


def read_source(
    path: Path, short_side: int, *, is_accurate: bool = False
) -> Iterator[NDArray[np.uint8]]:
    """Yield every frame (H, W, C), upright, with square pixels and even sides.

    Args:
        path: A video, a folder of frames, or a file of `prepare --jpeg` or `--uint8`.
        short_side: Frames with a longer one are scaled down to it.
        is_accurate: Whether colours are converted without the usual rounding errors.

    Raises:
        DataError: The file cannot be decoded, or its frames have several sizes.
    """
    size = None
    if path.is_dir():
        shown = _read_folder(path)
    elif given_file.find_decoder(path):
        shown = (_Shown(frame_HWC, SQUARE) for frame_HWC in given_file.read_all(path))
    else:
        shown = _decode(path, is_accurate=is_accurate)
    for frame_HWC, aspect in shown:
        if size is None:
            height, width = frame_HWC.shape[:2]
            size = find_frame_size(width, height, aspect, short_side)
        yield fit_frame(frame_HWC, *size)


def _read_folder(folder: Path) -> Iterator[_Shown]:
    found = find_frames(folder)
    for index in range(len(found.names)):
        yield _Shown(read_image(found.path(index)), SQUARE)


def _decode(path: Path, *, is_accurate: bool) -> Iterator[_Shown]:
    check_file(path)
    reformatter = AccurateReformatter() if is_accurate else VideoReformatter()
    with refuse_any_failure(path), open_video(path) as (container, stream):
        check_size(path, stream.codec_context.width, stream.codec_context.height)
        for frame in container.decode(stream):
            orientation = pixels.read_orientation(frame)
            rgb_HWC = pixels.convert_to_rgb(frame, reformatter)
            aspect = Fraction(stream.sample_aspect_ratio or 1)
            aspect = aspect if aspect > 0 else SQUARE
            yield _Shown(
                pixels.make_upright(rgb_HWC, orientation),
                1 / aspect if orientation.transposes else aspect,
            )
