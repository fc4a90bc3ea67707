"""Facts about a video that need no model: file metadata, 16 frames as thumbnails, and motion.

The bytes of a segment are the share of its file's bytes that it has of the file's frames.

Shapes: T frames, P pairs of adjacent frames, H W pixels, C channels.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videomae_cli.data.decode import FRAMES, open_source, read_video
from videomae_cli.data.decoding.frame_series import find_frames
from videomae_cli.data.manifest import Video
from videomae_cli.data.shards.index import read_stamp
from videomae_cli.data.transcoding.forms import JPEG, UINT8
from videomae_cli.errors import DataError

PAIRS = 8
"""Pairs of adjacent frames that are read, evenly over the video: 16 frames."""
GREY_SIZE = 48  # pixels, height and width of the frames that differences are taken of
THUMBNAIL_SIZE = 8
FLICKER = 4 / 255  # differences up to this size may be noise of the sensor or of the codec
METADATA = (
    "log frames",
    "frames per second",
    "log width",
    "log height",
    "log seconds",
    "log bytes",
    "log bits per second",
)
MOTION = (
    "mean difference of adjacent frames",
    "its standard deviation over the pairs",
    "its minimum over the pairs",
    "its maximum over the pairs",
    "its change from the first to the second half of the video",
    "standard deviation of the difference over the picture",
    "95th percentile of the difference",
    "share of pixels that change by more than 4/255",
    "standard deviation of this share over the pairs",
    "share of the difference in the middle quarter of the picture",
    "horizontal centre of the difference",
    "vertical centre of the difference",
    "horizontal spread of the difference",
    "vertical spread of the difference",
    "mean change of brightness between adjacent frames, without sign",
    "mean difference of frames an eighth of the video apart",
)
VERSION = 2  # to be increased when the facts of the same file would change


class VideoFacts(NamedTuple):
    """Facts about one video; `error` says why they are missing."""

    metadata: NDArray[np.float64]
    """The values of `METADATA`."""
    codec: str
    motion: NDArray[np.float64]
    """The values of `MOTION`."""
    thumbnails: NDArray[np.uint8]
    """(P, 8, 8, 3), the first frame of each pair."""
    error: str = ""


class FactsReader:
    """The facts of videos, by number; a video that cannot be read has an error."""

    def __init__(self, videos: Sequence[Video], root: Path) -> None:
        self.videos, self.root = tuple(videos), root

    def path(self, index: int) -> Path:
        """Return the path of video `index`."""
        return self.root / self.videos[index].path

    def __getitem__(self, index: int) -> VideoFacts:
        try:
            return read_facts(self.path(index), self.videos[index])
        except DataError as error:
            nothing = np.empty(0)
            pixels = np.empty((0, 0, 0, 3), np.uint8)
            return VideoFacts(nothing, "", nothing, pixels, error.message)


def read_facts(path: Path, video: Video) -> VideoFacts:
    """Read 16 frames of a video, and describe them and the file.

    Raises:
        DataError: The video is missing or cannot be decoded.
    """
    last = max(video.frames - 2, 0)
    starts = np.rint(np.linspace(0, last, PAIRS)).astype(int)
    indices = np.stack([starts, np.minimum(starts + 1, video.frames - 1)], axis=1)
    unique, position = np.unique(indices, return_inverse=True)
    frames_THWC = read_video(path, video, unique.tolist())
    grey_THW = np.stack([_shrink_grey(frame) for frame in frames_THWC])
    position_P2 = position.reshape(PAIRS, 2)
    thumbnails = [_shrink_rgb(frames_THWC[each]) for each in position_P2[:, 0]]
    return VideoFacts(
        metadata=_describe_file(path, video),
        codec=_read_codec(path, video),
        motion=describe_motion(grey_THW[position_P2]),
        thumbnails=np.stack(thumbnails),
    )


def describe_motion(pair_P2HW: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the 16 values of `MOTION` for pairs of grey frames, 0 (black) to 1 (white)."""
    change_PHW = (pair_P2HW[:, 1] - pair_P2HW[:, 0]).astype(np.float64)
    size_PHW = np.abs(change_PHW)
    size_P, moving_P = size_PHW.mean(axis=(1, 2)), (size_PHW > FLICKER).mean(axis=(1, 2))
    size_HW = size_PHW.mean(axis=0)
    half = len(size_P) // 2
    apart = np.abs(np.diff(pair_P2HW[:, 0].astype(np.float64), axis=0))
    values = [
        size_P.mean(),
        size_P.std(),
        size_P.min(),
        size_P.max(),
        size_P[half:].mean() - size_P[:half].mean(),
        size_HW.std(),
        np.quantile(size_PHW, 0.95),
        moving_P.mean(),
        moving_P.std(),
        *_describe_place(size_HW),
        np.abs(change_PHW.mean(axis=(1, 2))).mean(),
        apart.mean(),
    ]
    return np.array(values)


def _describe_place(size_HW: NDArray[np.float64]) -> tuple[float, ...]:
    """Return where the difference is: middle share, centre x and y, spread x and y, in 0..1.

    Without any difference, it is as if it were the same everywhere.
    """
    height, width = size_HW.shape
    weight_HW = (
        size_HW / size_HW.sum() if size_HW.any() else np.full_like(size_HW, 1 / size_HW.size)
    )
    middle = weight_HW[height // 4 : height - height // 4, width // 4 : width - width // 4].sum()
    x_W, y_H = ((np.arange(length) + 0.5) / length for length in (width, height))
    along_x, along_y = weight_HW.sum(axis=0), weight_HW.sum(axis=1)
    x, y = float(along_x @ x_W), float(along_y @ y_H)
    spread_x = float(np.sqrt(along_x @ (x_W - x) ** 2))
    spread_y = float(np.sqrt(along_y @ (y_H - y) ** 2))
    return float(middle), x, y, spread_x, spread_y


def _shrink_grey(frame_HWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a frame as 48 x 48 mean brightnesses, 0 to 1, not rounded to 8 bits."""
    image = Image.fromarray(frame_HWC).convert("L").convert("F")
    small = image.resize((GREY_SIZE, GREY_SIZE), Image.Resampling.BOX)
    brightness_HW: NDArray[np.float32] = np.asarray(small, dtype=np.float32) / np.float32(255)
    return brightness_HW


def _shrink_rgb(frame_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = (THUMBNAIL_SIZE, THUMBNAIL_SIZE)
    return np.asarray(Image.fromarray(frame_HWC).resize(size, Image.Resampling.BOX))


def _describe_file(path: Path, video: Video) -> NDArray[np.float64]:
    """Return the values of `METADATA`; a video without a frame rate counts as 25 per second."""
    size = float(count_bytes(path))
    if video.start is not None:
        size *= video.frames / max(count_file_frames(path, video), video.start + video.frames)
    seconds = video.frames / (video.fps or 25)
    logs = np.log([video.frames, video.width, video.height, seconds, size, 8 * size / seconds])
    return np.array([logs[0], video.fps, *logs[1:]])


def count_bytes(path: Path) -> int:
    """Return the size of a file, or of all files of a folder of frames; at least 1.

    Raises:
        DataError: It is missing or cannot be read.
    """
    try:
        files = path.iterdir() if path.is_dir() else [path]
        return max(sum(read_stamp(file)[0] for file in files), 1)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", "check the data root") from error


def count_file_frames(path: Path, video: Video) -> int:
    """Return the number of frames of the whole file of a segment, from its header; 0 if unknown."""
    if video.decoder == FRAMES:
        return len(find_frames(path).names)
    if video.decoder in (JPEG, UINT8):
        from videomae_cli.data.transcoding import given_file

        with open_source(path) as source:
            return given_file.count_frames(source, video.decoder)
    from videomae_cli.data.decoding.pyav import open_video

    with open_source(path) as source, open_video(source) as (container, stream):
        if stream.frames:
            return int(stream.frames)
        return round((container.duration or 0) / av.time_base * (video.fps or 25))


def _read_codec(path: Path, video: Video) -> str:
    """Return the name of the codec and of its pixel format, read from the header of the file."""
    if video.decoder in (FRAMES, JPEG, UINT8):
        return video.decoder
    from videomae_cli.data.decoding.pyav import open_video

    with open_source(path) as source, open_video(source) as (_, stream):
        return f"{stream.codec_context.name} {stream.codec_context.pix_fmt}"
