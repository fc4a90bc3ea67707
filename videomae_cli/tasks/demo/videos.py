"""The videos of the demonstration: a textured plane that moves, and only its motion to learn.

Eight classes in four opposite pairs. A clip is a random scene (texture, pose, speeds) filmed while
the plane moves one way, symmetrically about the middle of the clip. So the opposite class of the
same scene is, bit for bit, the same frames in reverse order, and no statistic that ignores order
can tell the two apart. Nor can a single frame tell the pairs apart: wherever the plane does not
zoom, it stands still at a distance that a zooming one would have in a random frame; shift and turn
are uniform in all classes. Motion is not blurred.

Files are encoded with key frames only at a constant quantiser: each frame by itself, so that file
size and compression marks know no direction either. Names are numbers.

Shapes: T frames, H height, W width, C = 3 colours. Lengths are in frame widths, times in frames.
"""

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.decode import read_frames
from videomae_cli.rng import stream

MOTIONS = ("left", "right", "up", "down", "zoom-in", "zoom-out", "clockwise", "counterclockwise")
Order = Literal["natural", "still", "shuffled"]
Frames = NDArray[np.uint8]

FRAMES, SIDE, FPS = 8, 64, 8
SPEED = (0.042, 0.104)  # frame widths per frame
ZOOM = (0.04, 0.10)  # logarithm of the magnification, per frame
TURN = (0.06, 0.15)  # radians per frame
DISTANCE = (-0.2, 0.2)  # logarithm of the scale of the texture
CELL = 128  # side of a texture, in its own pixels; it repeats
IN_VIEW = 64  # of which a frame shows about this many
WAVES = (1.5, 12.0)  # slowest and fastest waves in a texture
STEEPNESS = 1.0  # amplitude falls with frequency to this power
CONTRAST, TINT = 50.0, 20.0  # deviation of a texture about its colour, and of that colour
QUANTISER = 22
PER_TASK = 25  # videos a child process makes before it reports back


class Scene(NamedTuple):
    """Everything about a clip but the way it moves."""

    texture_HWC: NDArray[np.float32]
    place: tuple[float, float]
    angle: float
    distance: float
    still_at: float
    """Moment of the zoom, in frames from the middle, at which a clip without zoom stands still."""
    speed: float
    zoom: float
    turn: float


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw a scene; its law knows nothing of the motion that will be filmed."""
    return Scene(
        texture_HWC=_draw_texture(rng),
        place=(rng.uniform(0, CELL), rng.uniform(0, CELL)),
        angle=rng.uniform(0, 2 * np.pi),
        distance=rng.uniform(*DISTANCE),
        still_at=float(rng.choice(_moments())),
        speed=rng.uniform(*SPEED),
        zoom=rng.uniform(*ZOOM),
        turn=rng.uniform(*TURN),
    )


def film(scene: Scene, motion: int) -> Frames:
    """Film a scene while it moves as `MOTIONS[motion]`: frames_THWC."""
    moments_T = _moments()
    way = 1.0 if motion % 2 == 0 else -1.0
    kind = motion // 2
    moved_T = way * moments_T
    right_T = scene.speed * moved_T if kind == 0 else 0 * moved_T
    down_T = scene.speed * moved_T if kind == 1 else 0 * moved_T
    zoomed_T = -moved_T if kind == 2 else np.full_like(moved_T, scene.still_at)
    angle_T = scene.angle - (scene.turn * moved_T if kind == 3 else 0 * moved_T)
    scale_T = np.exp(scene.distance + scene.zoom * zoomed_T) * IN_VIEW

    steps = (np.arange(SIDE) + 0.5) / SIDE - 0.5
    x_THW = steps[None, None, :] + right_T[:, None, None]
    y_THW = steps[None, :, None] + down_T[:, None, None]
    cosine, sine = (np.asarray(f(angle_T) * scale_T)[:, None, None] for f in (np.cos, np.sin))
    u_THW = cosine * x_THW - sine * y_THW + scene.place[0]
    v_THW = sine * x_THW + cosine * y_THW + scene.place[1]
    return _sample(scene.texture_HWC, u_THW, v_THW)


def reorder(frames_THWC: Frames, order: Order, rng: np.random.Generator) -> Frames:
    """Keep the frames, repeat a random one of them, or shuffle them."""
    if order == "still":
        return frames_THWC[np.full(len(frames_THWC), rng.integers(len(frames_THWC)))]
    if order == "shuffled":
        return frames_THWC[rng.permutation(len(frames_THWC))]
    return frames_THWC


def write_video(path: Path, frames_THWC: Frames) -> None:
    """Encode frames as H.264 in MP4, each by itself, without any metadata of our own."""
    with av.open(str(path), "w", format="mp4") as container:
        track = container.add_stream("libx264", rate=FPS)
        track.height, track.width = frames_THWC.shape[1:3]
        track.pix_fmt = "yuv420p"
        track.codec_context.thread_count = 1
        track.options = {"preset": "ultrafast", "g": "1", "bf": "0", "qp": str(QUANTISER)}
        for number, pixels_HWC in enumerate(frames_THWC):
            frame = av.VideoFrame.from_ndarray(pixels_HWC, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(track.encode(frame))
        container.mux(track.encode())


def motion_of(number: int) -> int:
    """Return the class of a video by its number: every class comes once in eight."""
    return number % len(MOTIONS)


def write_videos(
    folder: Path, numbers: Sequence[int], *, seed: int, order: Order, workers: int
) -> Iterator[int]:
    """Write `folder/000042.mp4` for each number, in child processes; yield counts as they are done.

    A number means the same scene in every order of frames. Different folders need different seeds
    or numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # not forked: the parent may hold threads, of torch for one
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_ignore_interrupts)
    with pool:
        tasks = [
            pool.submit(_write_some, folder, numbers[first : first + PER_TASK], seed, order)
            for first in range(0, len(numbers), PER_TASK)
        ]
        try:
            for task in as_completed(tasks):
                yield task.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def name_of(number: int) -> str:
    """Return a video's file name, which says nothing of what is in it."""
    return f"{number:06d}.mp4"


def plain_guess_loss(videos: Sequence[Path]) -> float:
    """Return the squared error, pixels in 0..1, of guessing each frame's own mean colour."""
    frames_THWC = np.concatenate([read_frames(path, range(FRAMES)) for path in videos]) / 255
    return float(frames_THWC.var(axis=(1, 2)).mean())


def _write_some(folder: Path, numbers: Sequence[int], seed: int, order: Order) -> int:
    for number in numbers:
        frames_THWC = film(draw_scene(stream(seed, "scene", number)), motion_of(number))
        frames_THWC = reorder(frames_THWC, order, stream(seed, order, number))
        partial = folder / f"{number:06d}.partial"
        write_video(partial, frames_THWC)
        partial.replace(folder / name_of(number))
    return len(numbers)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _moments() -> NDArray[np.float64]:
    """Return the times of the frames, symmetric about 0: reversing them only changes signs."""
    return np.arange(FRAMES, dtype=np.float64) - (FRAMES - 1) / 2


def _draw_texture(rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw noise on a torus, in three mixed colours, without direction: texture_HWC in 0..255."""
    along = np.fft.fftfreq(CELL, 1 / CELL)[:, None]
    across = np.fft.rfftfreq(CELL, 1 / CELL)[None, :]
    frequency = np.hypot(along, across)
    inside = (frequency >= WAVES[0]) & (frequency <= WAVES[1])
    amplitude = np.where(inside, np.maximum(frequency, 1) ** -STEEPNESS, 0)
    spectrum_CHW = np.fft.rfft2(rng.standard_normal((3, CELL, CELL))) * amplitude
    waves_CHW = np.fft.irfft2(spectrum_CHW, s=(CELL, CELL))
    waves_CHW /= waves_CHW.std(axis=(1, 2), keepdims=True)
    mixture = np.eye(3) + 0.5 * rng.standard_normal((3, 3))
    mixture *= CONTRAST / np.linalg.norm(mixture, axis=1, keepdims=True)
    colour_C = 127.5 + TINT * rng.standard_normal(3)
    texture_HWC = np.einsum("kc,chw->hwk", mixture, waves_CHW) + colour_C
    clipped: NDArray[np.float32] = np.clip(texture_HWC, 0, 255).astype(np.float32)
    return clipped


def _sample(
    texture_HWC: NDArray[np.float32], u_THW: NDArray[np.float64], v_THW: NDArray[np.float64]
) -> Frames:
    """Read a texture that repeats, between its pixels."""
    left, top = np.floor(u_THW).astype(np.int64), np.floor(v_THW).astype(np.int64)
    part_u, part_v = ((u_THW - left)[..., None], (v_THW - top)[..., None])
    part_u, part_v = part_u.astype(np.float32), part_v.astype(np.float32)
    pixels = texture_HWC.reshape(-1, 3)
    columns = left % CELL, (left + 1) % CELL
    rows = (top % CELL) * CELL, ((top + 1) % CELL) * CELL
    upper, lower = (
        pixels[row + columns[0]] * (1 - part_u) + pixels[row + columns[1]] * part_u for row in rows
    )
    frames_THWC: Frames = (upper * (1 - part_v) + lower * part_v + 0.5).astype(np.uint8)
    return frames_THWC
