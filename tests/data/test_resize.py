"""Resizing equals OpenCV's bit for bit."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from tests.data.short_side import resize_short_side
from videomae_cli.data.resize import resize_linear, resize_to_cover


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)


def one_pixel(frame: NDArray[np.uint8], height: int, width: int, y: int, x: int) -> list[int]:
    """The fixed-point scheme of OpenCV, one output pixel at a time, in Python integers."""
    taps = []
    for out, out_size, size in ((y, height, frame.shape[0]), (x, width, frame.shape[1])):
        place = float(np.float32((out + 0.5) * size / out_size - 0.5))
        low = math.floor(place)
        part = 0.0 if low < 0 or low >= size - 1 else place - low
        low = min(max(low, 0), size - 1)
        high = min(low + 1, size - 1)
        taps.append((low, high, round((1 - part) * 2048), round(part * 2048)))
    (top, bottom, w_top, w_bottom), (left, right, w_left, w_right) = taps
    pixel = []
    for channel in range(3):
        upper, lower = (
            int(frame[row, left, channel]) * w_left + int(frame[row, right, channel]) * w_right
            for row in (top, bottom)
        )
        total = (((upper >> 4) * w_top) >> 16) + (((lower >> 4) * w_bottom) >> 16)
        pixel.append((total + 2) >> 2)
    return pixel


@pytest.mark.parametrize(
    ("height", "width", "new_height", "new_width"),
    [(24, 32, 22, 29), (25, 34, 9, 13), (7, 5, 15, 11), (40, 10, 40, 8), (3, 3, 1, 1)],
)
def test_resizing_follows_the_fixed_point_scheme(
    height: int, width: int, new_height: int, new_width: int
) -> None:
    frames = noise(2, height, width)

    resized = resize_linear(frames, new_height, new_width)

    assert resized.shape == (2, new_height, new_width, 3)
    for t in range(2):
        expected = [
            [one_pixel(frames[t], new_height, new_width, y, x) for x in range(new_width)]
            for y in range(new_height)
        ]
        assert (resized[t] == np.array(expected)).all()


def test_resizing_is_within_one_level_of_plain_bilinear() -> None:
    frames = noise(1, 60, 80)

    resized = resize_linear(frames, 45, 60)

    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    plain = functional.interpolate(pixels, (45, 60), mode="bilinear").permute(0, 2, 3, 1)
    assert np.abs(resized - plain.numpy()).max() <= 1.0


def test_frames_of_the_right_size_are_returned_unchanged() -> None:
    frames = noise(2, 16, 24)

    assert resize_linear(frames, 16, 24) is frames


@pytest.mark.parametrize("shape", [(24, 32), (32, 24), (20, 20), (7, 31), (241, 13)])
@pytest.mark.parametrize("size", [5, 16, 33])
def test_covering_a_square_is_resizing_the_short_side(shape: tuple[int, int], size: int) -> None:
    frames = noise(1, *shape)

    assert (resize_to_cover(frames, size, size) == resize_short_side(frames, size)).all()


@pytest.mark.parametrize(
    ("shape", "target", "resized"),
    [
        ((24, 32), (12, 40), (30, 40)),
        ((24, 32), (30, 10), (30, 40)),
        ((100, 30), (6, 10), (33, 10)),
        ((240, 320), (96, 160), (120, 160)),
        ((320, 240), (96, 160), (213, 160)),
        ((96, 160), (96, 160), (96, 160)),
    ],
)
def test_a_frame_covers_a_rectangle_with_one_side_exact_and_the_other_rounded_down(
    shape: tuple[int, int], target: tuple[int, int], resized: tuple[int, int]
) -> None:
    assert resize_to_cover(noise(1, *shape), *target).shape[1:3] == resized


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_channels_are_resized_one_by_one(channels: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 9, 14, channels), dtype=np.uint8)

    resized = resize_linear(frames, 7, 6)

    for channel in range(channels):
        copies = frames[..., [channel] * 3]
        assert (resized[..., channel] == resize_linear(copies, 7, 6)[..., 0]).all()
