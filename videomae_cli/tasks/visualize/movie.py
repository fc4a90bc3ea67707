"""Write images as a GIF (Pillow) or an MP4 (H.264, PyAV)."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

MIN_SECONDS = 8.0  # of an MP4; a GIF repeats by itself
PALETTE_SIZE = 255


def write_gif(path: Path, images: Sequence[Image.Image], fps: float) -> None:
    """Write an endless GIF. All frames share one palette, so that still parts do not flicker."""
    width, height = images[0].size
    sample = Image.new("RGB", (width, height * len(images)))
    for number, image in enumerate(images):
        sample.paste(image, (0, number * height))
    palette = sample.quantize(PALETTE_SIZE, method=Image.Quantize.MEDIANCUT)
    frames = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    duration = max(20, round(1000 / fps))  # many players show less than 20 ms as 100 ms
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=duration, loop=0)


def write_mp4(path: Path, images: Sequence[Image.Image], fps: float, *, comment: str) -> None:
    """Write an H.264 video that repeats the images, of one even size, for at least some seconds."""
    frame_rate = Fraction(fps).limit_denominator(1000)
    repeats = max(1, round(MIN_SECONDS * fps / len(images)))
    with av.open(str(path), "w", format="mp4") as container:
        container.metadata["comment"] = comment
        stream = container.add_stream("libx264", rate=frame_rate, options={"crf": "16"})
        stream.width, stream.height = images[0].size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = 1 / frame_rate
        for number in range(repeats * len(images)):
            pixels = np.asarray(images[number % len(images)])
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
