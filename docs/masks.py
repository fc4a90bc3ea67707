"""Draw the picture of masks in the README: `visualize-mask` on a synthetic video.

`python docs/masks.py` writes `docs/masks.png`. The video is drawn here, so that no video of others
is needed: a ball rolls to the right and a person walks to the left, before a brick wall and grass.
"""

import math
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from videomae_cli.report import Silence
from videomae_cli.rng import stream
from videomae_cli.tasks.visualize import visualize
from videomae_cli.tasks.visualize.movie import write_mp4
from videomae_cli.tasks.visualize.setup import Options

PICTURE = Path(__file__).resolve().parent / "masks.png"
SIDE, FRAMES, FPS = 224, 64, 25
SCALE = 3  # frames are drawn this many times larger, for smooth edges
GROUND = 168  # first row of the ground, in pixels
PALETTE_SIZE = 255
OPTIONS = Options(strategy="all", columns=3)


def draw_video() -> NDArray[np.uint8]:
    """Draw the synthetic video: frames_THWC."""
    background = _draw_background()
    return np.stack([_draw_frame(background, t) for t in range(FRAMES)])


def draw_picture(path: Path, video: Path) -> None:
    """Draw every strategy on the video, with a small palette, so that the file is small.

    Args:
        path: The picture.
        video: File for the synthetic video.
    """
    write_mp4(video, [Image.fromarray(frame_HWC) for frame_HWC in draw_video()], FPS, comment="")
    visualize.run(video, Silence(), out=path, options=OPTIONS)
    with Image.open(path) as picture:
        # without one round of k-means, the brightest yellow of the heat map becomes orange
        small = picture.quantize(PALETTE_SIZE, kmeans=1, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def _draw_background() -> Image.Image:
    rng = stream(0, "wall")
    image = Image.new("RGB", (SIDE * SCALE, SIDE * SCALE), (122, 96, 84))
    pen = ImageDraw.Draw(image)
    for row, top in enumerate(range(0, GROUND, 14)):
        for left in range(-28 + 14 * (row % 2), SIDE, 28):
            shade = rng.integers(-14, 14)
            brick = tuple(int(c + shade) for c in (168, 98, 74))
            pen.rectangle(_scale(left + 1, top + 1, left + 26, top + 12), fill=brick)
    pen.rectangle(_scale(0, GROUND, SIDE, SIDE), fill=(104, 130, 84))
    for _ in range(600):
        x, y = rng.uniform(0, SIDE), rng.uniform(GROUND, SIDE)
        blade = tuple(int(c + rng.integers(-26, 26)) for c in (104, 136, 80))
        pen.line(_scale(x, y, x + rng.uniform(-2, 2), y - 5), fill=blade, width=SCALE)
    pen.rectangle(_scale(148, 36, 200, 92), fill=(236, 232, 220))
    pen.rectangle(_scale(152, 40, 196, 88), fill=(126, 172, 204))
    pen.line(_scale(174, 40, 174, 88), fill=(236, 232, 220), width=3 * SCALE)
    pen.line(_scale(152, 64, 196, 64), fill=(236, 232, 220), width=3 * SCALE)
    return image


def _draw_frame(background: Image.Image, t: int) -> NDArray[np.uint8]:
    image = background.copy()
    pen = ImageDraw.Draw(image)
    _draw_person(pen, 186 - 2.2 * t, t)
    _draw_ball(pen, 22 + 2.9 * t, GROUND + 12, 26, 2.9 * t / 26)
    small = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(small.filter(ImageFilter.GaussianBlur(0.4)))


def _draw_ball(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, angle: float) -> None:
    box = _scale(x - radius, y - radius, x + radius, y + radius)
    for wedge in range(6):
        start = math.degrees(angle) + 60 * wedge
        fill = (246, 240, 226) if wedge % 2 else (206, 52, 44)
        pen.pieslice(box, start, start + 60, fill=fill)
    pen.ellipse(box, outline=(60, 30, 28), width=2 * SCALE)


def _draw_person(pen: ImageDraw.ImageDraw, x: float, t: int) -> None:
    stride = math.sin(0.42 * t)
    bob = 2 * abs(math.cos(0.42 * t))
    hip, neck = (x, 128 - bob), (x - 3, 86 - bob)
    for way, trousers, sleeve in (
        (-1, (34, 42, 72), (216, 150, 30)),
        (1, (48, 58, 96), (240, 176, 48)),
    ):
        knee = (x + 15 * way * stride - 4, 150 - bob)
        foot = (knee[0] + 8 + 9 * way * stride, 172 - 3 * max(0.0, -way * stride))
        hand = (neck[0] - 20 * way * stride - 6, 122 - bob)
        _draw_limb(pen, (hip, knee, foot), 10, trousers)
        _draw_limb(pen, (neck, (neck[0] - 9 * way * stride + 4, 106 - bob), hand), 8, sleeve)
    _draw_limb(pen, (neck, hip), 19, (232, 166, 40))
    head = (x - 4, 68 - bob)
    pen.ellipse(
        _scale(head[0] - 12, head[1] - 13, head[0] + 12, head[1] + 13), fill=(226, 178, 142)
    )
    pen.pieslice(
        _scale(head[0] - 13, head[1] - 15, head[0] + 13, head[1] + 11), 170, 370, fill=(54, 38, 30)
    )


def _draw_limb(
    pen: ImageDraw.ImageDraw,
    joints: tuple[tuple[float, float], ...],
    width: float,
    colour: tuple[int, int, int],
) -> None:
    pen.line([(x * SCALE, y * SCALE) for x, y in joints], fill=colour, width=round(width * SCALE))
    for x, y in joints:
        pen.ellipse(_scale(x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=colour)


def _scale(*coordinates: float) -> tuple[float, ...]:
    return tuple(value * SCALE for value in coordinates)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        draw_picture(PICTURE, Path(folder) / "synthetic video.mp4")
    sys.stdout.write(f"wrote {PICTURE} ({PICTURE.stat().st_size:,} bytes)\n")
