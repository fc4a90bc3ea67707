"""Draw the README's picture of masks: a scene of our own, as `visualize-mask` shows it.

`python docs/masks.py` writes `docs/masks.png`. The scene is drawn here, pixel by pixel, so that the
picture shows nobody's video: a ball rolls, somebody walks the other way, a textured wall and the
ground stand still.
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
FINE = 3  # drawn so many times larger, for smooth edges
GROUND = 168  # row where the ground begins, pixels
COLOURS = 255  # of the picture
OPTIONS = Options(strategy="all", columns=3)


def scene() -> NDArray[np.uint8]:
    """Film the scene: frames_THWC."""
    still = _background()
    return np.stack([_frame(still, t) for t in range(FRAMES)])


def draw(path: Path, video: Path) -> None:
    """Show every strategy on the scene, in fewer colours, so that the file stays small."""
    write_mp4(video, [Image.fromarray(frame_HWC) for frame_HWC in scene()], FPS, comment="")
    visualize.run(video, Silence(), out=path, options=OPTIONS)
    with Image.open(path) as picture:
        # one round of k-means: without it the brightest yellow of the heat map turns orange
        small = picture.quantize(COLOURS, kmeans=1, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def _background() -> Image.Image:
    rng = stream(0, "wall")
    image = Image.new("RGB", (SIDE * FINE, SIDE * FINE), (122, 96, 84))
    pen = ImageDraw.Draw(image)
    for row, top in enumerate(range(0, GROUND, 14)):
        for left in range(-28 + 14 * (row % 2), SIDE, 28):
            shade = rng.integers(-14, 14)
            brick = tuple(int(c + shade) for c in (168, 98, 74))
            pen.rectangle(_fine(left + 1, top + 1, left + 26, top + 12), fill=brick)
    pen.rectangle(_fine(0, GROUND, SIDE, SIDE), fill=(104, 130, 84))
    for _ in range(600):
        x, y = rng.uniform(0, SIDE), rng.uniform(GROUND, SIDE)
        blade = tuple(int(c + rng.integers(-26, 26)) for c in (104, 136, 80))
        pen.line(_fine(x, y, x + rng.uniform(-2, 2), y - 5), fill=blade, width=FINE)
    pen.rectangle(_fine(148, 36, 200, 92), fill=(236, 232, 220))
    pen.rectangle(_fine(152, 40, 196, 88), fill=(126, 172, 204))
    pen.line(_fine(174, 40, 174, 88), fill=(236, 232, 220), width=3 * FINE)
    pen.line(_fine(152, 64, 196, 64), fill=(236, 232, 220), width=3 * FINE)
    return image


def _frame(still: Image.Image, t: int) -> NDArray[np.uint8]:
    image = still.copy()
    pen = ImageDraw.Draw(image)
    _walker(pen, 186 - 2.2 * t, t)
    _ball(pen, 22 + 2.9 * t, GROUND + 12, 26, 2.9 * t / 26)
    small = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(small.filter(ImageFilter.GaussianBlur(0.4)))


def _ball(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, angle: float) -> None:
    box = _fine(x - radius, y - radius, x + radius, y + radius)
    for wedge in range(6):
        start = math.degrees(angle) + 60 * wedge
        fill = (246, 240, 226) if wedge % 2 else (206, 52, 44)
        pen.pieslice(box, start, start + 60, fill=fill)
    pen.ellipse(box, outline=(60, 30, 28), width=2 * FINE)


def _walker(pen: ImageDraw.ImageDraw, x: float, t: int) -> None:
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
        _limb(pen, (hip, knee, foot), 10, trousers)
        _limb(pen, (neck, (neck[0] - 9 * way * stride + 4, 106 - bob), hand), 8, sleeve)
    _limb(pen, (neck, hip), 19, (232, 166, 40))
    head = (x - 4, 68 - bob)
    pen.ellipse(_fine(head[0] - 12, head[1] - 13, head[0] + 12, head[1] + 13), fill=(226, 178, 142))
    pen.pieslice(
        _fine(head[0] - 13, head[1] - 15, head[0] + 13, head[1] + 11), 170, 370, fill=(54, 38, 30)
    )


def _limb(
    pen: ImageDraw.ImageDraw,
    joints: tuple[tuple[float, float], ...],
    width: float,
    colour: tuple[int, int, int],
) -> None:
    pen.line([(x * FINE, y * FINE) for x, y in joints], fill=colour, width=round(width * FINE))
    for x, y in joints:
        pen.ellipse(_fine(x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=colour)


def _fine(*places: float) -> tuple[float, ...]:
    return tuple(place * FINE for place in places)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        draw(PICTURE, Path(folder) / "a scene drawn for this page.mp4")
    sys.stdout.write(f"wrote {PICTURE} ({PICTURE.stat().st_size:,} bytes)\n")
