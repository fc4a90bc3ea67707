"""The `clip` part of a recipe: which frames and pixels, and how they become tokens."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from videomae_cli.config.spec import Positive, Spec
from videomae_cli.errors import RecipeError
from videomae_cli.grid import TokenGrid

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class ClipSpec(Spec):
    """Which frames and pixels make a clip, and how it is cut into tokens."""

    frames: Positive
    """Frames in a clip."""
    stride_frames: Positive
    """Distance between chosen frames, in frames of the video."""
    size: Positive
    """Height and width of a clip in pixels."""
    sampling: Literal["dense", "segment"] = "dense"
    """`dense`: frames `stride_frames` apart; `segment`: one from each of `frames` equal parts."""
    tubelet: Positive = 2
    """Frames per token."""
    patch: Positive = 16
    """Pixels per token along height and along width."""
    oversample: Annotated[float, Field(ge=1.0)] = 1.0
    """Candidate slices per slice used; above 1 those that move more are likelier (EVEREST)."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Per-channel mean (RGB, 0..1) subtracted from the pixels."""
    std: tuple[float, float, float] = IMAGENET_STD
    """Per-channel deviation (RGB, 0..1) the pixels are divided by."""

    @model_validator(mode="after")
    def _divides(self) -> "ClipSpec":
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
        """Return the clip that is read from a video: as many more frames as `oversample` says.

        The number of slices is rounded: 1.5 candidates for each of 8 slices are 12.
        """
        slices = round(self.oversample * self.frames / self.tubelet)
        return self.model_copy(update={"frames": slices * self.tubelet, "oversample": 1.0})
