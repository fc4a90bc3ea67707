"""Clips of any height, width and number of channels."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from videomae_cli.data import transforms
from videomae_cli.data.augmentation.randaugment import draw_steps, randaugment_policy
from videomae_cli.data.augmentation.steps import apply_steps
from videomae_cli.data.decoding.channels import compute_luma, convert_channels
from videomae_cli.data.resize import center_crop
from videomae_cli.errors import DataError

RNG = np.random.default_rng


def noise(frames: int, height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    return RNG(0).integers(0, 256, (frames, height, width, channels), dtype=np.uint8)


def ramp(height: int, width: int) -> NDArray[np.uint8]:
    """Return one frame that contains row and column of each pixel."""
    frame = np.zeros((1, height, width, 3), np.uint8)
    frame[..., 0], frame[..., 1] = np.arange(height)[:, None], np.arange(width)
    return frame


def test_a_rectangle_in_the_centre_is_cut_from_the_smallest_frame_that_covers_it() -> None:
    wide, high = ramp(96, 200), ramp(200, 160)

    assert (center_crop(wide, 96, 160) == wide[:, :, 20:180]).all()
    assert (center_crop(high, 96, 160) == high[:, 52:148]).all()


@pytest.mark.parametrize(("height", "width"), [(96, 160), (48, 16), (32, 224)])
@pytest.mark.parametrize("shape", [(120, 200), (240, 90), (64, 64)])
def test_crops_have_the_shape_of_the_clip(height: int, width: int, shape: tuple[int, int]) -> None:
    frames = noise(2, *shape)
    for seed in range(10):
        multiscale = transforms.multiscale_crop(frames, height, width, RNG(seed))
        resized = transforms.random_resized_crop(frames, height, width, RNG(seed), (0.08, 1.0))

        assert multiscale.shape == resized.shape == (2, height, width, 3)
    assert center_crop(frames, height, width).shape == (2, height, width, 3)


def test_multiscale_crops_of_a_rectangle_are_fractions_of_the_largest_box_of_its_shape() -> None:
    frame = ramp(100, 250)  # the largest box of 60 x 120 is 100 x 200
    seen = set()
    for seed in range(300):
        crop = transforms.multiscale_crop(frame, 60, 120, RNG(seed))[0].astype(int)
        seen.add((np.ptp(crop[:, 0, 0]), np.ptp(crop[0, :, 1])))

    # 100, 87, 75 and 66 rows and 200, 175, 150 and 132 columns; interpolation loses up to 2 at ends
    for rows, columns in ((100, 200), (100, 175), (87, 200), (75, 150), (66, 132)):
        assert any(rows - 4 <= a < rows and columns - 4 <= b < columns for a, b in seen)
    assert all(66 - 4 <= a < 100 and 132 - 4 <= b < 200 for a, b in seen)


def test_the_aspect_ratio_of_random_boxes_is_relative_to_that_of_the_clip() -> None:
    boxes = [transforms._draw_box(RNG(seed), 300, 500, (0.1, 0.3), 2.0) for seed in range(200)]
    ratios = [width / height for _, _, height, width in boxes]

    assert 1.45 < min(ratios) < 1.7
    assert 2.3 < max(ratios) < 2.75


@pytest.mark.parametrize("channels", [1, 2, 4, 8])
def test_every_channel_is_cropped_as_if_it_were_one_of_three(channels: int) -> None:
    frames = noise(2, 50, 70, channels)
    crop = transforms.multiscale_crop(frames, 32, 48, RNG(3))
    resized = transforms.random_resized_crop(frames, 32, 48, RNG(3), (0.1, 1))
    for channel in range(channels):
        copies = frames[..., [channel] * 3]
        plain = transforms.random_resized_crop(copies, 32, 48, RNG(3), (0.1, 1))
        same = transforms.multiscale_crop(copies, 32, 48, RNG(3))
        assert (crop[..., channel] == same[..., 0]).all()
        # torch adds in another order for other numbers of channels
        assert np.abs(resized[..., channel].astype(int) - plain[..., 0]).max() <= 1


def test_luma_keeps_grey_values_and_is_that_of_pillow() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    colours = noise(2, 60, 70)

    assert (compute_luma(grey.repeat(3, axis=3)) == grey).all()
    for frame, luma in zip(colours, compute_luma(colours), strict=True):
        assert (luma[..., 0] == np.asarray(Image.fromarray(frame).convert("L"))).all()


def test_only_grey_from_rgb_and_rgb_from_grey_can_be_computed() -> None:
    grey = noise(1, 4, 4, 1)

    assert (convert_channels(Path("v"), grey, 3) == grey).all()
    with pytest.raises(DataError, match=r"v\.mp4 has 3 channels, and clip\.channels is 4"):
        convert_channels(Path("v.mp4"), noise(1, 4, 4), 4)


def test_randaugment_augments_grey_frames_as_their_rgb_copies_without_colouring_them() -> None:
    policy = randaugment_policy("rand-m9-n4-mstd0.5-inc1")
    grey = noise(1, 24, 32, 1)
    changed = 0
    for seed in range(40):
        coloured = apply_steps(grey.repeat(3, axis=3), None, draw_steps(policy, RNG(seed)))
        out = apply_steps(grey, None, draw_steps(policy, RNG(seed)))

        assert (coloured == out).all()  # all three channels
        changed += int((out != grey).any())
    assert changed > 30
