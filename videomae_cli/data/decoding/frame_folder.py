"""Read a folder of frames with Pillow: images whose names contain the number of the frame.

A folder without images may contain `.npy` arrays instead, with 1 to 8 channels.

Images are read as a viewer shows them: the orientation in their metadata is applied, transparent
pixels lie over white, and 16-bit images keep the high byte of each value. Colour profiles are
ignored, as in video files. All images of a folder must have the same size. The frame rate of a
folder is unknown: it is 0.
Not covered: damage that decodes without an error (flipped bits).
"""

import os
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from videomae_cli.data.decoding.arrays import read_array
from videomae_cli.data.decoding.frame_series import FolderFrames, find_frames, is_array
from videomae_cli.data.decoding.pixel_moments import PixelMoments
from videomae_cli.data.decoding.timing import UNKNOWN_RATE
from videomae_cli.data.decoding.video_info import VideoInfo, check_size
from videomae_cli.data.health.content import FrameContent
from videomae_cli.data.health.facts import VideoHealth
from videomae_cli.data.health.points import select_points
from videomae_cli.errors import DataError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")  # by content; the ending of the name may be another
WHITE = (255, 255, 255, 255)
ORIENTATION = 0x0112  # key in EXIF; its values: EXIF 2.32, section 4.6.4
ZEROS = bytes(16)
END_OF_JPEG = b"\xff\xd9"
DARKEST = 32  # 16-bit images (depth) without a brighter pixel are almost black
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
REPLACE_HINT = "replace the image, or leave the folder out"


def read(folder: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames (ascending, without duplicates) by their position, as RGB (T, H, W, 3).

    Frames that are stored as arrays keep their C channels.

    Raises:
        DataError: The folder has no frames or fewer than that, an image cannot be decoded, or its
            size differs from that of the others.
    """
    found = find_frames(folder)
    count = len(found.names)
    if indices[-1] >= count:
        raise DataError(
            f"{folder}: frame {indices[-1]} is past the end: the folder has {count} frames",
            "images are missing that were there before; run videomae prepare again",
        )
    first = read_image(found.path(indices[0]))
    frames = np.empty((len(indices), *first.shape), np.uint8)
    frames[0] = first
    for position, index in enumerate(indices[1:], start=1):
        frames[position] = _read_same_size(found.path(index), first)
    return frames


def probe(folder: Path) -> VideoInfo:
    """Decode all frames of a folder and count them; a DataError names an image that is wrong."""
    found = find_frames(folder)
    count = len(found.names)
    first = read_image(found.path(0))
    brightest, moments, content = 0, PixelMoments(count), FrameContent(count)
    for index in range(count):
        frame = _read_same_size(found.path(index), first) if index else first
        brightest = max(brightest, int(frame.max()))
        moments.add(index, partial(np.asarray, frame))
        content.add(index, partial(select_points, frame))
    notes = [UNKNOWN_RATE, *found.notes]
    if _is_deep_grey(found.path(0)):
        _check_not_black(folder, brightest)
        notes.append("16-bit grey, scaled from 0..65535")
    height, width, channels = first.shape
    return VideoInfo(
        count,
        0.0,
        width,
        height,
        notes=tuple(notes),
        channels=channels,
        moments=moments.conclude(),
        health=_describe_images(found, content),
    )


def _describe_images(found: FolderFrames, content: FrameContent) -> VideoHealth:
    """Return the facts for the health report: every image is a key frame, named by its ending."""
    count = len(found.names)
    sizes = (found.path(index).stat().st_size for index in range(count))
    codec = Path(found.names[0]).suffix.lstrip(".").lower()
    return VideoHealth("", codec, "", sum(sizes), False, 1, 0, *content.conclude(count))


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image file as RGB (H, W, 3), upright; a DataError if it cannot be decoded.

    An array is read as it is: (H, W, C).
    """
    if is_array(path.name):
        return read_array(path)
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")  # of damaged metadata, and sizes that are refused below
            with Image.open(file, formats=FORMATS) as image:
                check_size(path, *image.size)
                _check_one_image(path, image)
                image.load()
                _check_end(path, image, file)
                return _to_rgb(_turn_upright(image))
    except (DataError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise DataError(
            f"{path} is not a JPEG, PNG, WebP or BMP image, or is damaged", REPLACE_HINT
        ) from error
    except Exception as error:  # damaged images raise nearly every class
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be decoded: {reason}", REPLACE_HINT) from error


def _check_one_image(path: Path, image: Image.Image) -> None:
    count = getattr(image, "n_frames", 1)
    if count > 1 and image.format != "MPO":  # a photo, followed by its preview
        raise DataError(f"{path} is an animation of {count} images, not one frame", REPLACE_HINT)


def _check_end(path: Path, image: Image.Image, file: IO[bytes]) -> None:
    """Refuse a JPEG with zeros at the end, as an interrupted copy leaves: they decode as grey."""
    if image.format not in ("JPEG", "MPO"):
        return
    file.seek(-len(ZEROS), os.SEEK_END)  # an image of fewer bytes is not decoded
    if file.read() == ZEROS and not path.read_bytes().rstrip(b"\0").endswith(END_OF_JPEG):
        raise DataError(f"{path} is cut off: it ends with zeros", REPLACE_HINT)


def _turn_upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(ORIENTATION)
    except Exception:  # noqa: BLE001  (viewers ignore damaged metadata too)
        return image
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):
        grey = (np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image)
    return np.asarray(image.convert("RGB"))


def _is_deep_grey(path: Path) -> bool:
    if is_array(path.name):
        return False
    with Image.open(path) as image:
        return image.mode.startswith("I")


def _check_not_black(folder: Path, brightest: int) -> None:
    if brightest < DARKEST:
        raise DataError(
            f"{folder}: its 16-bit grey has no value above {256 * brightest + 255}, and 0..65535 "
            "is scaled to 0..255: its pixels would be almost black",
            "multiply the values, or convert the images to 8 bits",
        )


def _read_same_size(path: Path, first: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = read_image(path)
    if image.shape[2] != first.shape[2]:
        raise DataError(
            f"{path} has {image.shape[2]} channels, and the frames before it {first.shape[2]}",
            "a folder of frames must contain one video",
        )
    if image.shape != first.shape:
        sizes = [f"{width} x {height}" for height, width, _ in (image.shape, first.shape)]
        raise DataError(
            f"{path} has {sizes[0]} pixels, and the images before it {sizes[1]}",
            "a folder of frames must contain one video of one size",
        )
    return image
