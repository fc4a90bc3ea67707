"""Resizing equals OpenCV's bit for bit."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from videomae_cli.data.resize import resize_linear


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
