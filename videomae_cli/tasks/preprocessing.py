"""What must happen to a video before a model sees it, in words and numbers for other programs."""

from typing import Any

from videomae_cli.config.card import Card

DENSE = (
    "of every {stride}th frame, {frames} in a row, the last one repeated where the video is short;"
    " one clip starts at max(n - {frames}, 0) // 2 of these n frames"
)
SEGMENT = "frame (video frames * i) // {frames} for i = 0 .. {frames} - 1"
RESIZE = (
    "bilinear without antialias, half-pixel centres (OpenCV INTER_LINEAR on 8 bits), until the"
    " shorter side has {size} pixels; the longer side keeps the proportion, rounded down"
)
CROP = "{size} x {size} pixels from round((longer side - {size}) / 2) on, halves to even"


def preprocessing(card: Card, frames: int) -> dict[str, Any]:
    """Describe how clips of `frames` frames are cut for a card's model in tests.

    Mean and deviation are for the record: exported programs normalise inside.
    """
    sampling = DENSE if card.sampling == "dense" else SEGMENT
    size = card.grid.height
    views = card.protocol or {"clips": 5, "crops": 3}
    return {
        "frames": frames,
        "stride_frames": card.stride_frames if card.sampling == "dense" else None,
        "sampling": card.sampling,
        "sampling_rule": sampling.format(stride=card.stride_frames, frames=frames),
        "height": card.grid.height,
        "width": card.grid.width,
        "resize_rule": RESIZE.format(size=size),
        "crop_rule": CROP.format(size=size),
        "views": {"clips": views["clips"], "crops": views["crops"], "combine": "mean of softmax"},
        "normalise": {
            "inside": True,
            "rule": "(pixel / 255 - mean) / std, per colour",
            "mean": card.mean,
            "std": card.std,
        },
    }
