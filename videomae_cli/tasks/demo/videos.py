"""The videos of the demonstration: a textured plane before a moving camera, one class per motion.

There are eight classes in four opposite pairs: shifts in x and in y, zoom, rotation. In each clip
the other three motions are there too, at up to a quarter of their own strength and in a random
direction, so that the class is the strongest motion, not the only one. All other parameters are
independent of the class. Motion is symmetric in time about the middle of the clip, so the opposite
class with the same parameters has exactly the same frames in reverse order. A single frame does not
distinguish the pairs either: origin and angle of the texture are random, and the distance varies as
much over the frames of all classes. Files are uncompressed arrays of one size, so that neither file
size nor compression depends on the class.

Shapes: T frames, H height, W width, C = 3 channels. Lengths are in frame widths, times in frames.
"""

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.decode import read_frames
from videomae_cli.rng import stream

MOTIONS = ("left", "right", "up", "down", "zoom-in", "zoom-out", "clockwise", "counterclockwise")
FrameOrder = Literal["natural", "still", "shuffled"]
FrameArray = NDArray[np.uint8]

FRAMES, SIDE = 8, 32
DECODER = "uint8"  # of arrays of frames
SPEED = (0.042, 0.104)  # frame widths per frame
ZOOM = (0.04, 0.10)  # logarithm of the magnification, per frame
ROTATION = (0.06, 0.15)  # radians per frame
LEAK = 0.25  # largest strength of the motions that are not the class, relative to their own
DISTANCE = (-0.2, 0.2)  # logarithm of the scale of the texture
TEXTURE_SIDE = 128  # pixels of a texture, which repeats
VISIBLE_SIDE = 64  # pixels of the texture in a frame, about
FREQUENCIES = (0.75, 6.0)  # lowest and highest frequency in a texture, in waves per texture
AMPLITUDE_EXPONENT = 1.0  # amplitude falls with the frequency to this power
CONTRAST = 50.0  # standard deviation of a texture about its mean colour
COLOUR_STD = 20.0  # standard deviation of the mean colour
VIDEOS_PER_JOB = 100  # videos that a child process writes per job


class ClipParameters(NamedTuple):
    """All parameters of a clip except its motion."""

    texture_HWC: NDArray[np.float32]
    origin: tuple[float, float]
    """Coordinates of the centre of the frame in the texture, in pixels."""
    angle: float
    distance: float
    zoom_time: float
    """Time, from the middle of the clip, whose zoom is the distance of classes that zoom little."""
    speed: float
    zoom: float
    rotation: float
    leak_4: NDArray[np.float64]
    """Strengths of shift in x, shift in y, zoom and rotation where they are not the class."""


def draw_parameters(rng: np.random.Generator) -> ClipParameters:
    """Draw the parameters of a clip, independently of its motion."""
    return ClipParameters(
        texture_HWC=_draw_texture(rng),
        origin=(rng.uniform(0, TEXTURE_SIDE), rng.uniform(0, TEXTURE_SIDE)),
        angle=rng.uniform(0, 2 * np.pi),
        distance=rng.uniform(*DISTANCE),
        zoom_time=float(rng.choice(_frame_times())),
        speed=rng.uniform(*SPEED),
        zoom=rng.uniform(*ZOOM),
        rotation=rng.uniform(*ROTATION),
        leak_4=rng.uniform(-LEAK, LEAK, size=4),
    )


def render_clip(parameters: ClipParameters, motion: int) -> FrameArray:
    """Render a clip with the motion `MOTIONS[motion]`; return frames_THWC."""
    time_T = _frame_times() * (1.0 if motion % 2 == 0 else -1.0)
    strength_4 = parameters.leak_4.copy()
    strength_4[motion // 2] = 1.0
    right, down, nearer, turn = strength_4
    shift_x_T, shift_y_T = (parameters.speed * strength * time_T for strength in (right, down))
    # over the frames of a clip, the distance has the same variance for every strength of the zoom
    zoom_T = np.sqrt(1 - nearer**2) * parameters.zoom_time - nearer * time_T
    angle_T = parameters.angle - parameters.rotation * turn * time_T
    scale_T = np.exp(parameters.distance + parameters.zoom * zoom_T) * VISIBLE_SIDE

    centres = (np.arange(SIDE) + 0.5) / SIDE - 0.5
    x_THW = centres[None, None, :] + shift_x_T[:, None, None]
    y_THW = centres[None, :, None] + shift_y_T[:, None, None]
    cosine, sine = (np.asarray(f(angle_T) * scale_T)[:, None, None] for f in (np.cos, np.sin))
    u_THW = cosine * x_THW - sine * y_THW + parameters.origin[0]
    v_THW = sine * x_THW + cosine * y_THW + parameters.origin[1]
    return _interpolate(parameters.texture_HWC, u_THW, v_THW)


def reorder_frames(
    frames_THWC: FrameArray, order: FrameOrder, rng: np.random.Generator
) -> FrameArray:
    """Keep the frames, repeat a random one of them, or shuffle them."""
    if order == "still":
        return frames_THWC[np.full(len(frames_THWC), rng.integers(len(frames_THWC)))]
    if order == "shuffled":
        return frames_THWC[rng.permutation(len(frames_THWC))]
    return frames_THWC


def motion_index(number: int) -> int:
    """Return the class of a video with this number; consecutive numbers cycle through all eight."""
    return number % len(MOTIONS)


def video_name(number: int) -> str:
    """Return the file name of a video with this number."""
    return f"{number:06d}.npy"


def write_videos(
    folder: Path, numbers: Sequence[int], *, seed: int, order: FrameOrder, workers: int
) -> Iterator[int]:
    """Write `folder/000042.npy` for each number, in child processes; yield counts of new videos.

    A number has the same clip parameters in every order of frames. Different folders need different
    seeds or numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # not forked, because the parent may have threads, for example those of torch
    ignore_interrupts = (signal.signal, (signal.SIGINT, signal.SIG_IGN))
    with ProcessPoolExecutor(workers, get_context("spawn"), *ignore_interrupts) as pool:
        jobs = [
            pool.submit(_write_some, folder, numbers[first : first + VIDEOS_PER_JOB], seed, order)
            for first in range(0, len(numbers), VIDEOS_PER_JOB)
        ]
        try:
            for job in as_completed(jobs):
                yield job.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def frame_mean_loss(videos: Sequence[Path]) -> float:
    """Return the mean squared error, pixels in 0..1, of predicting each frame's mean colour."""
    frames_THWC = (
        np.concatenate([read_frames(path, range(FRAMES), decoder=DECODER) for path in videos]) / 255
    )
    return float(frames_THWC.var(axis=(1, 2)).mean())


def _write_some(folder: Path, numbers: Sequence[int], seed: int, order: FrameOrder) -> int:
    for number in numbers:
        parameters = draw_parameters(stream(seed, "scene", number))
        frames_THWC = render_clip(parameters, motion_index(number))
        frames_THWC = reorder_frames(frames_THWC, order, stream(seed, order, number))
        partial = folder / f"{number:06d}.partial"
        with partial.open("wb") as file:
            np.save(file, frames_THWC)
        partial.replace(folder / video_name(number))
    return len(numbers)


def _frame_times() -> NDArray[np.float64]:
    """Return the times of the frames, symmetric about 0, so that a sign change reverses them."""
    return np.arange(FRAMES, dtype=np.float64) - (FRAMES - 1) / 2


def _draw_texture(rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw periodic isotropic noise in three mixed colours: texture_HWC in 0..255."""
    vertical = np.fft.fftfreq(TEXTURE_SIDE, 1 / TEXTURE_SIDE)[:, None]
    horizontal = np.fft.rfftfreq(TEXTURE_SIDE, 1 / TEXTURE_SIDE)[None, :]
    frequency = np.hypot(vertical, horizontal)
    is_inside = (frequency >= FREQUENCIES[0]) & (frequency <= FREQUENCIES[1])
    amplitude = np.where(is_inside, np.maximum(frequency, 1) ** -AMPLITUDE_EXPONENT, 0)
    noise_CHW = rng.standard_normal((3, TEXTURE_SIDE, TEXTURE_SIDE))
    spectrum_CHW = np.fft.rfft2(noise_CHW) * amplitude
    waves_CHW = np.fft.irfft2(spectrum_CHW, s=(TEXTURE_SIDE, TEXTURE_SIDE))
    waves_CHW /= waves_CHW.std(axis=(1, 2), keepdims=True)
    mixture = np.eye(3) + 0.5 * rng.standard_normal((3, 3))
    mixture *= CONTRAST / np.linalg.norm(mixture, axis=1, keepdims=True)
    colour_C = 127.5 + COLOUR_STD * rng.standard_normal(3)
    texture_HWC: NDArray[np.float64] = np.einsum("kc,chw->hwk", mixture, waves_CHW) + colour_C
    return texture_HWC.clip(0, 255).astype(np.float32)


def _interpolate(
    texture_HWC: NDArray[np.float32], u_THW: NDArray[np.float64], v_THW: NDArray[np.float64]
) -> FrameArray:
    """Sample a periodic texture at coordinates in pixels, by bilinear interpolation."""
    left, top = np.floor(u_THW).astype(np.int64), np.floor(v_THW).astype(np.int64)
    part_u = (u_THW - left)[..., None].astype(np.float32)
    part_v = (v_THW - top)[..., None].astype(np.float32)
    pixels = texture_HWC.reshape(-1, 3)
    columns = left % TEXTURE_SIDE, (left + 1) % TEXTURE_SIDE
    rows = (top % TEXTURE_SIDE) * TEXTURE_SIDE, ((top + 1) % TEXTURE_SIDE) * TEXTURE_SIDE
    upper, lower = (
        pixels[row + columns[0]] * (1 - part_u) + pixels[row + columns[1]] * part_u for row in rows
    )
    return np.asarray(upper * (1 - part_v) + lower * part_v + 0.5).astype(np.uint8)
