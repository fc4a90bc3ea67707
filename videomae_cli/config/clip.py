"""The `clip` section of a recipe: frame sampling, clip size and tokens."""

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from videomae_cli.config.spec import Positive, Spec
from videomae_cli.errors import RecipeError
from videomae_cli.grid import TokenGrid

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# what to do with a video that is shorter than a clip; `ClipSpec.short` says what each means
Short = Literal["spread", "repeat-last", "loop", "refuse", "videomae-v1"]
V1_RULES: Short = "videomae-v1"
PositiveNumber = Annotated[float, Field(gt=0.0)]


def compute_step(frames: int, fps: float | None, seconds: float | None) -> float | None:
    """Return the seconds between consecutive frames of a clip; None if neither rate is given."""
    if seconds is not None:
        return seconds / frames
    return None if fps is None else 1 / fps


class ClipSpec(Spec):
    """How frames are sampled from a video, and how a clip is cut into tokens."""

    frames: Positive
    """Number of frames in a clip."""
    stride_frames: Positive | None = None
    """Distance between consecutive frames of a clip, in frames of the video. Exactly one of
    `stride_frames`, `fps` and `seconds` is given."""
    fps: PositiveNumber | None = None
    """Frames of a clip per second, whatever the frame rate of the video: each frame of the clip is
    the one that the video shows at that time."""
    seconds: PositiveNumber | None = None
    """Duration of a clip in seconds: `frames` frames, `seconds / frames` apart."""
    size: Positive
    """Height and width of a clip, in pixels."""
    sampling: Literal["dense", "segment"] = "dense"
    """Frame sampling. `dense`: `frames` frames, `stride_frames` apart; `segment`: one frame from
    each of `frames` equal parts of the video."""
    short: Short = "spread"
    """Clips of videos that are shorter than a clip, or have fewer frames than `segment` has parts.
    `spread`: frames evenly spread over the whole video; `repeat-last`: the last frame repeated;
    `loop`: the video from its start again; `refuse`: an error before training starts.
    `videomae-v1`: all rules of VideoMAE V1, to reproduce its results; they differ between training
    and tests, and a training clip of `segment` is then the first frame, repeated."""
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

    @model_validator(mode="after")
    def _check_time(self) -> "ClipSpec":
        steps = {name: getattr(self, name) for name in ("stride_frames", "fps", "seconds")}
        given = [f"{name} {value:g}" for name, value in steps.items() if value is not None]
        if len(given) != 1:
            raise ValueError(
                "exactly one of stride_frames, fps and seconds is needed, got "
                + (f"{' and '.join(given)}; write null for the others" if given else "none")
            )
        if self.stride_frames is None and self.sampling == "segment":
            raise ValueError(
                f"{given[0]} has no meaning with sampling segment, which spreads the frames over"
                " the whole video: use sampling dense"
            )
        if self.stride_frames is None and self.short == V1_RULES:
            raise ValueError(
                f"the rules of short {V1_RULES} need stride_frames, got {given[0]}: use short"
                " spread, repeat-last, loop or refuse"
            )
        return self

    @property
    def step_seconds(self) -> float | None:
        """Seconds between consecutive frames of a clip; None if they are counted in frames."""
        return compute_step(self.frames, self.fps, self.seconds)

    def count_span(self, fps: float) -> int:
        """Return how many frames of a video with this frame rate a clip spans, rounded up."""
        if self.step_seconds is not None:
            return math.ceil(self.frames * self.step_seconds * fps)
        return self.frames * (self.stride_frames or 1)

    def describe(self) -> str:
        """Return the frames of a clip and their distance as text."""
        if self.sampling == "segment":
            return f"{self.frames} frames, one from each equal part of the video"
        if self.stride_frames is not None:
            span = self.frames * self.stride_frames
            return f"{self.frames} frames, {self.stride_frames} apart: {span} frames of the video"
        if self.fps is not None:
            return f"{self.frames} frames at {self.fps:g} per second: {self.frames / self.fps:g} s"
        return f"{self.frames} frames over {self.seconds:g} s"

    def grid(self) -> TokenGrid:
        """Return the token grid of such a clip."""
        return TokenGrid(self.frames, self.size, self.size, self.tubelet, self.patch)

    def candidates(self) -> "ClipSpec":
        """Return the clip that is read from a video: `oversample` times as many frames.

        The number of slices is rounded: with an `oversample` of 1.5, 8 slices have 12 candidates.
        """
        frames = round(self.oversample * self.frames / self.tubelet) * self.tubelet
        update = {"frames": frames, "oversample": 1.0}
        if self.seconds is not None and frames != self.frames:
            update["seconds"] = self.seconds * frames / self.frames
        return self.model_copy(update=update)
