"""Pictures inside an HTML file."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

THUMBNAIL_FRAMES = 4
THUMBNAIL_HEIGHT = 96
THUMBNAIL_WIDTH = 190
JPEG_QUALITY = 72


def encode_image(image_HWC: NDArray[np.uint8], kind: str, **options: Any) -> str:
    """Return a picture as a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(image_HWC).save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def encode_thumbnail(frames_THWC: NDArray[np.uint8]) -> str:
    """Return some frames, evenly spaced and side by side, as a JPEG data URI.

    A clip of three channels is shown as RGB; one of any other number as the mean of its channels.
    """
    frames, height, width, channels = frames_THWC.shape
    indices = np.unique(np.linspace(0, frames - 1, THUMBNAIL_FRAMES).round().astype(int))
    scale = min(THUMBNAIL_HEIGHT / height, THUMBNAIL_WIDTH / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    strip = []
    for frame_HWC in frames_THWC[indices]:
        pixels = frame_HWC if channels == 3 else frame_HWC.mean(axis=2).round().astype(np.uint8)
        strip.append(np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)))
    return encode_image(np.concatenate(strip, axis=1), "jpeg", quality=JPEG_QUALITY)
