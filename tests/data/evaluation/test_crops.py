"""Test crops are at the published positions, in the published order."""

import numpy as np
from numpy.typing import NDArray

from tests.data.short_side import resize_short_side
from videomae_cli.data.evaluation.crops import crop_offsets, cut_eval_crops


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)


# height, width of a video -> long side after resizing the short one to 224, and crop offsets
PUBLISHED = {
    (240, 320): (298, [0, 37, 74]),
    (240, 427): (398, [0, 87, 174]),
    (256, 340): (297, [0, 36, 73]),
    (320, 426): (298, [0, 37, 74]),
    (320, 427): (298, [0, 37, 74]),
    (320, 568): (397, [0, 86, 173]),
    (720, 1280): (398, [0, 87, 174]),
    (144, 176): (273, [0, 24, 49]),
}


def test_crops_are_at_the_published_positions() -> None:
    wide, tall = {}, {}
    for height, width in PUBLISHED:
        frames = np.zeros((1, height, width, 3), np.uint8)
        across = resize_short_side(frames, 224).shape
        down = resize_short_side(frames.transpose(0, 2, 1, 3), 224).shape
        assert (across[1], down[2]) == (224, 224)
        wide[height, width] = across[2], crop_offsets(across[2], 224, 3)
        tall[height, width] = down[1], crop_offsets(down[1], 224, 3)

    assert wide == PUBLISHED
    assert tall == PUBLISHED


def test_one_crop_is_centred_with_halves_rounded_to_even() -> None:
    assert crop_offsets(298, 224, 1) == [37]
    assert crop_offsets(297, 224, 1) == [36]  # 36.5
    assert crop_offsets(299, 224, 1) == [38]  # 37.5


def test_three_crops_go_left_to_right_or_top_to_bottom() -> None:
    wide, tall = noise(1, 8, 14), noise(1, 14, 8)

    across, down = cut_eval_crops(wide, 8, 8, 3), cut_eval_crops(tall, 8, 8, 3)

    for number, offset in enumerate((0, 3, 6)):
        assert (across[number] == wide[:, :, offset : offset + 8]).all()
        assert (down[number] == tall[:, offset : offset + 8]).all()


def test_a_square_video_gives_three_equal_crops_and_a_small_one_is_enlarged() -> None:
    crops = cut_eval_crops(noise(2, 6, 6), 16, 16, 3)

    assert [crop.shape for crop in crops] == [(2, 16, 16, 3)] * 3
    assert (crops[0] == crops[1]).all()
    assert (crops[1] == crops[2]).all()
