"""Compare our test views of a video with golden ones: python tests/parity/views.py VIDEO GOLDEN

Prints the largest difference of each quantity. Exits with 1 if one exceeds its tolerance (decoders
differ by a grey level in some pixels, which is about 0.02 in a normalised pixel).
"""

import sys
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from videomae_cli.config.clip import IMAGENET_MEAN, IMAGENET_STD, ClipSpec
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.ingest.decoder_choice import choose_decoder
from videomae_cli.data.manifest import Video

TOLERANCES = {
    "thumbnails": 0.02,
    "first_view_center_patch": 0.06,
    "view_mean": 0.02,
    "view_std": 0.02,
}
BLOCK = 16


def normalized_views(video: Path, facts: dict[str, str]) -> Tensor:
    """Return the normalised views (V, C, T, H, W), clip by clip, crop by crop."""
    info = probe_video(video)
    row = Video(
        video.name, None, "test", info.frames, info.fps, info.width, info.height,
        choose_decoder(video, info),
    )  # fmt: skip
    size = int(facts["crop"])
    clip = ClipSpec(frames=int(facts["clip_len"]), stride_frames=int(facts["stride"]), size=size)
    dataset = EvalViews(
        [row], video.parent, clip, Protocol(int(facts["clips"]), int(facts["crops"]))
    )
    item = dataset[0]
    assert not item.error, item.error
    mean, std = (torch.tensor(v).view(3, 1, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return (item.views.float() / 255 - mean) / std


def measure(views_VCTHW: Tensor) -> dict[str, Tensor]:
    """Return the quantities that a golden file contains."""
    views, channels, frames, height, width = views_VCTHW.shape
    blocks = views_VCTHW.reshape(
        views, channels, frames, height // BLOCK, BLOCK, width // BLOCK, BLOCK
    )
    top, left = (height - 2 * BLOCK) // 2, (width - 2 * BLOCK) // 2
    return {
        "thumbnails": blocks.mean(dim=(4, 6)),
        "first_view_center_patch": views_VCTHW[
            0, :, :, top : top + 2 * BLOCK, left : left + 2 * BLOCK
        ],
        "view_mean": views_VCTHW.mean(dim=(2, 3, 4)),
        "view_std": views_VCTHW.std(dim=(2, 3, 4)),
    }


def largest_differences(video: Path, golden: Path) -> dict[str, float]:
    """Return the largest absolute difference of each quantity."""
    with safe_open(golden, "pt") as file:
        facts: dict[str, str] = file.metadata()
        golden_values = {name: file.get_tensor(name) for name in TOLERANCES}
        order = file.get_tensor("view_order").tolist()
    crops = int(facts["crops"])
    measured = measure(normalized_views(video, facts))
    ours = [[view // crops, view % crops] for view in range(len(measured["view_mean"]))]
    assert order == ours, f"the golden views come in another order: {order}"
    return {name: float((measured[name] - golden_values[name]).abs().max()) for name in TOLERANCES}


def main(video: Path, golden: Path) -> int:
    differences = largest_differences(video, golden)
    for name, difference in differences.items():
        verdict = "ok" if difference <= TOLERANCES[name] else "TOO FAR"
        print(f"{name}: largest difference {difference:.6f}, allowed {TOLERANCES[name]} {verdict}")
    return int(any(differences[name] > TOLERANCES[name] for name in TOLERANCES))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
