"""The frames of each tubelet that are predicted: all of them (VideoMAE), or one (MAE-ST).

Shapes: B batch, N tokens, M target tokens, t slices, P values in a tubelet, u predicted frames of a
tubelet, Q values in those frames, f frames of a tubelet, X values in one frame of a tubelet.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from videomae_cli.config.model import TargetFrames
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.mask import select


class TargetFrameSelector(nn.Module):
    """Selects the predicted frames of tubelets, and puts predictions back into tubelets.

    `frame_tu` is the index inside its tubelet of each predicted frame, for each slice; None: all.
    """

    frame_tu: Tensor
    nearest_tf: Tensor

    def __init__(self, grid: TokenGrid, frame_tu: Tensor | None = None) -> None:
        super().__init__()
        self.grid = grid
        all_1f = torch.arange(grid.tubelet, device="cpu").unsqueeze(0)
        frame_tu = all_1f.expand(grid.t, -1) if frame_tu is None else frame_tu
        nearest_tf = (frame_tu.unsqueeze(1) - all_1f.unsqueeze(2)).abs().argmin(dim=-1)
        self.register_buffer("frame_tu", frame_tu, persistent=False)
        self.register_buffer("nearest_tf", nearest_tf, persistent=False)

    @property
    def count(self) -> int:
        """u, predicted frames of a tubelet."""
        return self.frame_tu.shape[1]

    @property
    def pixels(self) -> int:
        """Q, values in the prediction of one token."""
        return self.count * (self.grid.tubelet_pixels // self.grid.tubelet)

    def forward(self, tubelets_BNP: Tensor, target_BM: Tensor) -> Tensor:
        """Return the predicted frames of the target tokens: pixels_BMQ, of the same dtype."""
        if self.count == self.grid.tubelet:
            return select(tubelets_BNP, target_BM)
        batch, tokens, _ = tubelets_BNP.shape
        frames_BFX = tubelets_BNP.reshape(batch, tokens * self.grid.tubelet, -1)
        frame_BMu = self.frame_tu[target_BM // self.grid.slice_tokens]
        index_BMu = target_BM.unsqueeze(-1) * self.grid.tubelet + frame_BMu
        return select(frames_BFX, index_BMu.flatten(1)).reshape(*target_BM.shape, -1)

    def spread(self, pixels_BMQ: Tensor, target_BM: Tensor) -> Tensor:
        """Fill whole tubelets_BMP; each frame is a copy of the nearest predicted frame."""
        pixels_BMuX = pixels_BMQ.reshape(*target_BM.shape, self.count, -1)
        nearest_BMf = self.nearest_tf[target_BM // self.grid.slice_tokens]
        index_BMfX = nearest_BMf.unsqueeze(-1).expand(-1, -1, -1, pixels_BMuX.shape[-1])
        return pixels_BMuX.gather(2, index_BMfX).flatten(2)


def linspace_frames(grid: TokenGrid, count: int = 1) -> Tensor:
    """Return frame_tu for the frames floor(linspace(0, T - 1, t * u)), as in MAE-ST's code."""
    frames_tu = torch.linspace(0, grid.frames - 1, grid.t * count, device="cpu").long()
    first_t1 = torch.arange(grid.t, device="cpu").unsqueeze(1) * grid.tubelet
    return frames_tu.reshape(grid.t, count) - first_t1


FRAMES: dict[TargetFrames, Callable[[TokenGrid], Tensor | None]] = {
    "all": lambda grid: None,
    "first": lambda grid: torch.zeros(grid.t, 1, dtype=torch.int64, device="cpu"),
    "linspace": linspace_frames,
}
