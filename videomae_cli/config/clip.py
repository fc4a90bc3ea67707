"""The `clip` section of a recipe: frame sampling, clip size and tokens."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from videomae_cli.config.spec import Positive, Spec
from videomae_cli.errors import RecipeError
from videomae_cli.grid import TokenGrid

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class ClipSpec(Spec):
    """How frames are sampled from a video, and how a clip is cut into tokens."""

    frames: Positive
    """Number of frames in a clip."""
    stride_frames: Positive
    """Distance between consecutive frames of a clip, in frames of the video."""
    size: Positive
    """Height and width of a clip, in pixels."""
    sampling: Literal["dense", "segment"] = "dense"
    """Frame sampling. `dense`: `frames` frames, `stride_frames` apart; `segment`: one frame from
    each of `frames` equal parts of the video."""
    tubelet: Positive = 2
    """Frames per token."""
    patch: Positive = 16
    """Height and width of a token, in pixels."""
    oversample: Annotated[float, Field(ge=1.0)] = 1.0
    """Candidate slices read from the video per slice used; if above 1, slices with more motion are
    more likely to be used (EVEREST)."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Mean of each RGB channel, for pixels in 0..1; subtracted from the pixels."""
    std: tuple[float, float, float] = IMAGENET_STD
    """Standard deviation of each RGB channel, for pixels in 0..1; the pixels are divided by it."""

    @model_validator(mode="after")
    def _check_grid_and_std(self) -> "ClipSpec":
        try:
            self.grid()
        except RecipeError as error:
            raise ValueError(f"{error.message} ({error.hint})") from error
        if min(self.std) <= 0:
            raise ValueError(f"std {self.std} must be positive")
        return self

    def grid(self) -> TokenGrid:
        """Return the token grid of such a clip."""
        return TokenGrid(self.frames, self.size, self.size, self.tubelet, self.patch)

    def candidates(self) -> "ClipSpec":
        """Return the clip that is read from a video: `oversample` times as many frames.

        The number of slices is rounded: with an `oversample` of 1.5, 8 slices have 12 candidates.
        """
        slices = round(self.oversample * self.frames / self.tubelet)
        return self.model_copy(update={"frames": slices * self.tubelet, "oversample": 1.0})
