"""Read a folder of frames with Pillow: images whose names contain the number of the frame.

Images are read as a viewer shows them: the orientation in their metadata is applied, transparent
pixels lie over white, and 16-bit images keep the high byte of each value. Colour profiles are
ignored, as in video files. All images of a folder must have the same size. The frame rate of a
folder is unknown: it is 0.
Not covered: damage that decodes without an error (flipped bits).
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from videomae_cli.data.decoding.frame_series import find_frames
from videomae_cli.data.decoding.video_info import VideoInfo, check_size
from videomae_cli.errors import DataError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")  # by content; the ending of the name may be another
WHITE = (255, 255, 255, 255)
ORIENTATION = 0x0112  # key in EXIF; its values: EXIF 2.32, section 4.6.4
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

    Raises:
        DataError: The folder has no frames or fewer than that, an image cannot be decoded, or its
            size differs from that of the others.
    """
    files = find_frames(folder).files
    if indices[-1] >= len(files):
        raise DataError(
            f"{folder}: frame {indices[-1]} is past the end: the folder has {len(files)} frames",
            "images are missing that were there before; run videomae prepare again",
        )
    first = read_image(files[indices[0]])
    frames = np.empty((len(indices), *first.shape), np.uint8)
    frames[0] = first
    for position, index in enumerate(indices[1:], start=1):
        image = read_image(files[index])
        _check_same_size(files[index], image, first)
        frames[position] = image
    return frames


def probe(folder: Path) -> VideoInfo:
    """Decode all frames of a folder and count them; a DataError names an image that is wrong."""
    files, _, notes = find_frames(folder)
    first = read_image(files[0])
    for file in files[1:]:
        _check_same_size(file, read_image(file), first)
    with Image.open(files[0]) as image:
        if image.mode.startswith("I"):
            notes = (*notes, "16-bit grey, reduced to the high byte")
    height, width, _ = first.shape
    return VideoInfo(len(files), 0.0, width, height, 0, notes=("frame rate unknown", *notes))


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image file as RGB (H, W, 3), upright; a DataError if it cannot be decoded."""
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")  # of damaged metadata, and sizes that are refused below
            with Image.open(file, formats=FORMATS) as image:
                check_size(path, *image.size)
                _check_one_image(path, image)
                image.load()
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


def _check_same_size(path: Path, image: NDArray[np.uint8], first: NDArray[np.uint8]) -> None:
    if image.shape != first.shape:
        sizes = [f"{width} x {height}" for height, width, _ in (image.shape, first.shape)]
        raise DataError(
            f"{path} has {sizes[0]} pixels, and the images before it {sizes[1]}",
            "a folder of frames must contain one video of one size",
        )
