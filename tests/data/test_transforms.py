"""Crops and mirroring treat all frames of a clip alike; erasing fills a box of each clip."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms.v2 import functional as oracle

from videomae_cli.data import transforms
from videomae_cli.data.erasing import draw_erase_box, erase_
from videomae_cli.data.resize import center_crop

RNG = np.random.default_rng


def coded(frames: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return a clip whose pixels say where they are: row, column, frame."""
    clip = np.empty((frames, height, width, 3), np.uint8)
    clip[..., 0] = np.arange(height)[:, None]
    clip[..., 1] = np.arange(width)
    clip[..., 2] = np.arange(frames)[:, None, None]
    return clip


def noise(frames: int, height: int, width: int) -> NDArray[np.uint8]:
    return RNG(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def test_multiscale_crops_cut_the_sides_and_places_of_the_rule() -> None:
    class Script:
        """Returns the given draws in order."""

        def __init__(self, *draws: int) -> None:
            self.draws = list(draws)

        def integers(self, high: int) -> int:
            assert self.draws[0] < high
            return self.draws.pop(0)

    clip = noise(2, 128, 170)  # sides 128, 112, 96, 84
    pairs = [
        *((128, 128), (128, 112), (112, 128), (112, 112), (112, 96)),
        *((96, 112), (96, 96), (96, 84), (84, 96), (84, 84)),
    ]
    places = [
        *((0, 0), (4, 0), (0, 4), (4, 4), (2, 2), (0, 2), (4, 2), (2, 0), (2, 4)),
        *((1, 1), (3, 1), (1, 3), (3, 3)),
    ]
    for shape, (height, width) in enumerate(pairs):
        for place, (across, down) in enumerate(places):
            rng = Script(shape, place)

            out = transforms.multiscale_crop(clip, 40, 40, rng)  # type: ignore[arg-type]

            top, left = (128 - height) // 4 * down, (170 - width) // 4 * across
            cut = clip[1, top : top + height, left : left + width]
            picture = Image.fromarray(cut).resize((40, 40), Image.Resampling.BILINEAR)
            assert (out[1] == np.asarray(picture)).all()


def test_multiscale_takes_a_side_close_to_the_output_size_without_resizing() -> None:
    clip = noise(3, 66, 90)  # 66 is within 2 pixels of 64
    known = {clip[0, y : y + 64, x : x + 64].tobytes() for y in range(3) for x in range(27)}

    crops = [transforms.multiscale_crop(clip, 64, 64, RNG(seed)) for seed in range(60)]

    assert sum(crop[0].tobytes() in known for crop in crops) >= 3
    assert all(crop.shape == (3, 64, 64, 3) for crop in crops)


def test_multiscale_does_not_cut_beyond_a_frame_two_pixels_too_small() -> None:
    clip = np.full((1, 62, 62, 3), 200, np.uint8)

    crops = [transforms.multiscale_crop(clip, 64, 64, RNG(seed)) for seed in range(30)]

    assert all((crop == 200).all() for crop in crops)


def test_random_resized_crop_is_plain_bilinear_of_a_box_within_the_area() -> None:
    clip = noise(2, 60, 80)
    for seed in range(20):
        out = transforms.random_resized_crop(clip, 32, 32, RNG(seed), (0.08, 1.0))

        top, left, height, width = transforms._draw_box(RNG(seed), 60, 80, (0.08, 1.0), 1.0)
        pixels = torch.from_numpy(clip[:, top : top + height, left : left + width].copy())
        plain = oracle.resize(
            pixels.permute(0, 3, 1, 2).float(), [32, 32], antialias=False
        ).permute(0, 2, 3, 1)
        assert np.abs(out - plain.numpy()).max() <= 0.5
        assert 0.07 < height * width / 4800 <= 1.0
        assert 0.7 < width / height < 1.4


def test_random_resized_crop_falls_back_to_the_centre_of_a_strip() -> None:
    clip = coded(1, 12, 200)

    out = transforms.random_resized_crop(clip, 8, 8, RNG(0), (0.9, 1.0))  # no such box fits

    assert out.shape == (1, 8, 8, 3)
    columns = out[0, 0, :, 1].astype(int)
    assert abs(columns.mean() - 99.5) <= 1
    assert columns[-1] - columns[0] < 16


def test_center_crop_takes_the_middle_and_enlarges_a_small_video() -> None:
    clip = coded(2, 40, 61)

    out = center_crop(clip, 40, 40)

    assert (out == clip[:, :, 10:50]).all()  # 10.5 to even
    assert center_crop(coded(2, 12, 9), 32, 32).shape == (2, 32, 32, 3)


def test_flip_mirrors_columns_only() -> None:
    clip = coded(2, 6, 9)

    mirrored = transforms.flip(clip)

    assert (mirrored[..., 1] == 8 - clip[..., 1]).all()
    assert (mirrored[..., ::2] == clip[..., ::2]).all()


def test_erase_boxes_fit_and_have_the_area_and_aspect_of_the_rule() -> None:
    rng = RNG(0)

    boxes = np.array([draw_erase_box(rng, 100, 120) for _ in range(500)])

    top, left, height, width = boxes.T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= 100).all()
    assert (left + width <= 120).all()
    share = height * width / 12000
    assert 0.015 < share.min() < 0.04
    assert 0.27 < share.max() < 0.34
    aspect = height / width
    assert 0.25 < aspect.min() < 0.4
    assert 2.5 < aspect.max() < 4


def test_no_erase_box_fits_into_one_pixel() -> None:
    assert draw_erase_box(RNG(0), 1, 1) == (0, 0, 0, 0)


def test_erasing_fills_only_the_box_with_noise_that_differs_everywhere() -> None:
    clip = torch.zeros(1, 3, 8, 40, 40)

    erase_(clip, torch.tensor([[5, 10, 20, 15]]), torch.tensor([7]))

    box = clip[0, :, :, 5:25, 10:25]
    assert clip.count_nonzero() == box.count_nonzero() == box.numel()
    assert len(box.unique()) > 0.99 * box.numel()
    assert abs(float(box.mean())) < 0.05
    assert abs(float(box.std()) - 1) < 0.05


def test_erasing_a_clip_does_not_depend_on_its_batch() -> None:
    boxes = torch.tensor([[0, 0, 4, 4], [0, 0, 0, 0], [2, 3, 5, 4]])
    seeds = torch.tensor([1, 2, 3])

    together = erase_(torch.zeros(3, 3, 2, 8, 8), boxes, seeds)
    alone = erase_(torch.zeros(1, 3, 2, 8, 8), boxes[2:], seeds[2:])
    half = erase_(torch.zeros(1, 3, 2, 8, 8, dtype=torch.bfloat16), boxes[2:], seeds[2:])

    assert torch.equal(together[2:], alone)
    assert not together[1].any()
    assert torch.equal(half, alone.bfloat16())
