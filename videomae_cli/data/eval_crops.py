"""Cut the square test crops from the frames of a clip.

Shapes: T frames, H height, W width, C = 3 channels, all uint8.
Source: the test protocol of VideoMAE V1.
"""

from videomae_cli.data.resize import Frames, resize_short_side


def crop_offsets(long: int, size: int, crops: int) -> list[int]:
    """Return the start of each crop along the long side, in pixels; a single crop is centred."""
    if crops == 1:
        return [round((long - size) / 2)]  # half to even, as in the original's validation crop
    return [j * (long - size) // (crops - 1) for j in range(crops)]


def cut_eval_crops(frames_THWC: Frames, size: int, crops: int) -> list[Frames]:
    """Return `crops` squares of `size` pixels, left to right, or top to bottom if H >= W."""
    scaled = resize_short_side(frames_THWC, size)
    height, width = scaled.shape[1:3]
    if height >= width:
        return [scaled[:, top : top + size] for top in crop_offsets(height, size, crops)]
    return [scaled[:, :, left : left + size] for left in crop_offsets(width, size, crops)]
