"""Which frames of its tubelet a token is asked for: all of them (VideoMAE), or one (MAE-ST).

Shapes: B batch, N tokens, M target tokens, t slices, P numbers in a tubelet, u predicted frames of
a tubelet, Q numbers in those, f frames of a tubelet, X numbers in one frame of a tubelet.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from videomae_cli.config.model import TargetFrames
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.mask import select


class PredictedFrames(nn.Module):
    """Takes the predicted frames out of tubelets, and puts them back.

    Args:
        grid: Token grid.
        place_tu: Places of the predicted frames inside the tubelets of each slice; None for all.
    """

    place_tu: Tensor
    nearest_tf: Tensor

    def __init__(self, grid: TokenGrid, place_tu: Tensor | None = None) -> None:
        super().__init__()
        self.grid = grid
        every_1f = torch.arange(grid.tubelet, device="cpu").unsqueeze(0)
        places_tu = every_1f.expand(grid.t, -1) if place_tu is None else place_tu
        nearest_tf = (places_tu.unsqueeze(1) - every_1f.unsqueeze(2)).abs().argmin(dim=-1)
        self.register_buffer("place_tu", places_tu, persistent=False)
        self.register_buffer("nearest_tf", nearest_tf, persistent=False)

    @property
    def count(self) -> int:
        """u, predicted frames of a tubelet."""
        return self.place_tu.shape[1]

    @property
    def pixels(self) -> int:
        """Q, numbers in a prediction."""
        return self.count * (self.grid.tubelet_pixels // self.grid.tubelet)

    def forward(self, tubelets_BNP: Tensor, target_BM: Tensor) -> Tensor:
        """Take what the targets are asked for: pixels_BMQ, whatever the dtype."""
        if self.count == self.grid.tubelet:
            return select(tubelets_BNP, target_BM)
        batch, tokens, _ = tubelets_BNP.shape
        frames_BFX = tubelets_BNP.reshape(batch, tokens * self.grid.tubelet, -1)
        place_BMu = self.place_tu[target_BM // self.grid.slice_tokens]
        index_BMu = target_BM.unsqueeze(-1) * self.grid.tubelet + place_BMu
        return select(frames_BFX, index_BMu.flatten(1)).reshape(*target_BM.shape, -1)

    def spread(self, pixels_BMQ: Tensor, target_BM: Tensor) -> Tensor:
        """Fill whole tubelets_BMP; frames that are not predicted repeat the nearest that is."""
        pixels_BMuX = pixels_BMQ.reshape(*target_BM.shape, self.count, -1)
        nearest_BMf = self.nearest_tf[target_BM // self.grid.slice_tokens]
        index_BMfX = nearest_BMf.unsqueeze(-1).expand(-1, -1, -1, pixels_BMuX.shape[-1])
        return pixels_BMuX.gather(2, index_BMfX).flatten(2)


def _first(grid: TokenGrid) -> Tensor:
    return torch.zeros(grid.t, 1, dtype=torch.int64, device="cpu")


def linspace_places(grid: TokenGrid, count: int = 1) -> Tensor:
    """Return the places of frames floor(linspace(0, T - 1, t * u)), as MAE-ST's program takes them.

    Args:
        grid: Token grid.
        count: u, predicted frames of a tubelet.
    """
    frames_tu = torch.linspace(0, grid.frames - 1, grid.t * count, device="cpu").long()
    first_t1 = torch.arange(grid.t, device="cpu").unsqueeze(1) * grid.tubelet
    return frames_tu.reshape(grid.t, count) - first_t1


FRAMES: dict[TargetFrames, Callable[[TokenGrid], Tensor | None]] = {
    "all": lambda grid: None,
    "first": _first,
    "linspace": linspace_places,
}
