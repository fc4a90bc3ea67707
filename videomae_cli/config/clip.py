"""The `clip` section of a recipe: frame sampling, clip size and tokens."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from videomae_cli.config.spec import Positive, Spec
from videomae_cli.errors import RecipeError
from videomae_cli.grid import TokenGrid

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# what to do with a video that is shorter than a clip; `ClipSpec.short` says what each means
Short = Literal["spread", "repeat-last", "loop", "refuse", "videomae-v1"]
V1_RULES: Short = "videomae-v1"
MEASURED: Literal["measured"] = "measured"
# of red, green and blue in a grey value: ITU-R BT.601
LUMA_WEIGHTS = (0.299, 0.587, 0.114)
PositiveNumber = Annotated[float, Field(gt=0.0)]


def reduce_to_luma(values: Sequence[float]) -> float:
    """Return the mean or standard deviation of grey from those of red, green and blue.

    Both are weighted as luma is. For the mean this is exact. For the standard deviation it is exact
    where the channels are perfectly correlated; those of videos nearly are.
    """
    return round(sum(w * value for w, value in zip(LUMA_WEIGHTS, values, strict=True)), 9)


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
    size: Positive | tuple[Positive, Positive]
    """Height and width of a clip, in pixels: one number for squares, or `[height, width]`."""
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
    channels: Annotated[int, Field(ge=1, le=8)] = 3
    """Channels of a pixel. 3: RGB; 1: grey, computed from RGB as 0.299 R + 0.587 G + 0.114 B;
    other numbers need folders of `.npy` frames with as many channels."""
    mean: tuple[float, ...] | Literal["measured"] = IMAGENET_MEAN
    """Mean of each channel, for pixels in 0..1; subtracted from the pixels. `measured`: of the
    training videos, measured by `videomae prepare`. Of three values (RGB) with `channels: 1`, the
    mean weighted by 0.299, 0.587 and 0.114 is used."""
    std: tuple[float, ...] | Literal["measured"] = IMAGENET_STD
    """Standard deviation of each channel, for pixels in 0..1; the pixels are divided by it.
    `measured` and three values with `channels: 1`: as for `mean`."""

    @model_serializer(mode="wrap")
    def _omit_rgb(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `channels: 3`, so that recipes of RGB clips are written as they always were."""
        content: dict[str, Any] = write(self)
        if self.channels == len(LUMA_WEIGHTS):
            content.pop("channels", None)
        return content

    @model_validator(mode="after")
    def _check_grid(self) -> "ClipSpec":
        try:
            self.grid()
        except RecipeError as error:
            raise ValueError(f"{error.message} ({error.hint})") from error
        return self

    @model_validator(mode="after")
    def _check_mean_and_std(self) -> "ClipSpec":
        for name in ("mean", "std"):
            values = getattr(self, name)
            is_reduced = self.channels == 1 and len(values) == len(LUMA_WEIGHTS)
            if values != MEASURED and len(values) != self.channels and not is_reduced:
                raise ValueError(
                    f"{name} has {len(values)} values, and channels is {self.channels}: give one"
                    f" value per channel, or {MEASURED}"
                )
        if self.std != MEASURED and min(self.std) <= 0:
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
    def height(self) -> int:
        """Height of a clip, in pixels."""
        return self.size if isinstance(self.size, int) else self.size[0]

    @property
    def width(self) -> int:
        """Width of a clip, in pixels."""
        return self.size if isinstance(self.size, int) else self.size[1]

    @property
    def channel_mean(self) -> tuple[float, ...]:
        """Mean of each channel, as many as `channels`; a RecipeError while it is `measured`."""
        return self._reduce("mean", self.mean)

    @property
    def channel_std(self) -> tuple[float, ...]:
        """Standard deviation of each channel; a RecipeError while it is `measured`."""
        return self._reduce("std", self.std)

    def without_measured(self) -> "ClipSpec":
        """Return the clip with 0.5 for what is `measured`: enough for a model that sees no data."""
        plain = (0.5,) * self.channels
        changes = {name: plain for name in ("mean", "std") if getattr(self, name) == MEASURED}
        return self.model_copy(update=changes)

    def _reduce(self, name: str, values: tuple[float, ...] | str) -> tuple[float, ...]:
        """Return one value per channel; a single one for grey from those of RGB."""
        if isinstance(values, str):
            raise RecipeError(
                f"clip.{name}: {values} is not known here: a run reads it from its prepared data",
                f"give numbers: --set clip.{name}=[...]",
            )
        if len(values) == self.channels:
            return values
        return (reduce_to_luma(values),)

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
        return TokenGrid(
            self.frames, self.height, self.width, self.tubelet, self.patch, self.channels
        )

    def candidates(self) -> "ClipSpec":
        """Return the clip that is read from a video: `oversample` times as many frames.

        The number of slices is rounded: with an `oversample` of 1.5, 8 slices have 12 candidates.
        """
        frames = round(self.oversample * self.frames / self.tubelet) * self.tubelet
        update = {"frames": frames, "oversample": 1.0}
        if self.seconds is not None and frames != self.frames:
            update["seconds"] = self.seconds * frames / self.frames
        return self.model_copy(update=update)
