"""Files of `prepare --jpeg` and `--uint8` that are given by their paths, without their manifest.

They contain no frame rate: it is that of the manifest of the directory they lie in, else unknown.

Shapes: H height, W width, C channels, uint8.
"""

from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.decode import check_file, refuse_any_failure
from videomae_cli.data.decoding.limits import check_length, check_size
from videomae_cli.data.decoding.pixel_moments import PixelMoments
from videomae_cli.data.decoding.timing import UNKNOWN_RATE
from videomae_cli.data.decoding.video_info import VideoInfo
from videomae_cli.data.health.content import FrameContent
from videomae_cli.data.health.facts import VideoHealth
from videomae_cli.data.health.points import select_points
from videomae_cli.data.manifest import DATASET, NO_TIMES, Times, read_manifest
from videomae_cli.data.time_sampling import with_times
from videomae_cli.data.transcoding import jpeg_file, pixel_file
from videomae_cli.data.transcoding.damage import damage_error
from videomae_cli.data.transcoding.forms import FORMS, JPEG, UINT8, Timing
from videomae_cli.data.transcoding.output_names import FOLDER
from videomae_cli.errors import DataError


def find_decoder(path: Path) -> str:
    """Return the decoder of a file in one of these forms, or ""; Motion JPEG is not one of them."""
    if path.suffix == FORMS[UINT8].suffix and path.is_file():
        return FORMS[UINT8].decoder
    if path.suffix == FORMS[JPEG].suffix and jpeg_file.has_index(path):
        return FORMS[JPEG].decoder
    return ""


def count_frames(path: Path, decoder: str) -> int:
    """Return the number of frames of a file in one of these forms, from its index or header."""
    if decoder == FORMS[JPEG].decoder:
        return jpeg_file.count_frames(path)
    return pixel_file.count_frames(path)


def read_all(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield all frames (H, W, C) of a file in one of these forms; a DataError if it is damaged."""
    is_jpeg = find_decoder(path) == FORMS[JPEG].decoder
    yield from (jpeg_file if is_jpeg else pixel_file).read_all(path)


def probe(path: Path) -> VideoInfo:
    """Read all frames of a file in one of these forms, count them and describe the video.

    Raises:
        DataError: It is damaged or cut off, or is an array of something else.
    """
    check_file(path)
    fps, times = find_timing(path)
    moments, content, count = PixelMoments(), FrameContent(), 0
    shape: tuple[int, ...] = ()
    with refuse_any_failure(path):
        for frame_HWC in read_all(path):
            shape = shape or frame_HWC.shape
            check_size(path, shape[1], shape[0])
            moments.add(count, partial(np.asarray, frame_HWC))
            content.add(count, partial(select_points, frame_HWC))
            count += 1
            check_length(path, count, shape[1], shape[0])
    if not shape:
        raise damage_error(path, "has no frames")
    height, width, channels = shape
    file = path.suffix[1:], find_decoder(path), "", path.stat().st_size, False, 1, 0
    return VideoInfo(
        *(count, fps, width, height),
        notes=() if fps or times else (UNKNOWN_RATE,),
        times=tuple(times),
        channels=channels,
        moments=moments.conclude(),
        health=VideoHealth(*file, *content.conclude(count)),
    )


def find_timing(path: Path) -> Timing:
    """Return the timing of a file from the manifest of the directory that it was written to."""
    full = path.absolute()
    for folder in full.parents:
        if folder.name == FOLDER and (folder.parent / DATASET).is_file():
            rates, times = _read_timing(folder.parent)
            name = full.relative_to(folder.parent).as_posix()
            return Timing(rates.get(name, 0.0), [float(second) for second in times.get(name, ())])
    return Timing(0.0)


@lru_cache(maxsize=1)
def _read_timing(directory: Path) -> tuple[dict[str, float], Times]:
    """Return the rates and the times of the files of a prepared directory; {} if it is damaged."""
    try:
        manifest = with_times(read_manifest(directory))
    except DataError:
        return {}, NO_TIMES
    return {video.path: video.fps for video in manifest.videos}, manifest.times
