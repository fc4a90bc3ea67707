"""Test protocols: which views of a video are evaluated, and the published ones by name.

Sources: the test scripts and model zoos of VideoMAE V1 and V2, EVEREST (VideoMS), MMAction2 and
MAE-ST (PySlowFast). All of them average the class probabilities of the views.
"""

import difflib
from typing import Any, Literal, NamedTuple

from videomae_cli.config.clip import V1_RULES, ClipSpec, Short
from videomae_cli.errors import CheckpointError, UsageError

Rules = Literal["checkpoint", "videomae", "mmaction2", "pyslowfast"]
_SHORT: dict[str, Short] = {"videomae": V1_RULES, "mmaction2": "loop", "pyslowfast": "repeat-last"}


class Protocol(NamedTuple):
    """The views of each video: `clips` along time by `crops` along the longer side."""

    clips: int
    crops: int
    name: str = ""
    """Of a published protocol; empty for views that the user or the recipe chose."""
    rules: Rules = "checkpoint"
    """How frames are chosen, resized and cropped. `checkpoint`: frames as in training, the rest as
    in VideoMAE V1; `videomae`, `mmaction2`, `pyslowfast`: exactly as in that software."""
    frames: int | None = None
    """Frames of a clip; None: those of the model. So are the next two."""
    stride_frames: int | None = None
    """Distance of the frames of a clip; None with `segment`: one frame of each equal part."""
    size: int | None = None
    """Height and width of a view in pixels."""

    @property
    def views(self) -> int:
        """Views per video."""
        return self.clips * self.crops

    @property
    def sampling(self) -> Literal["dense", "segment"]:
        """Frame sampling of a published protocol."""
        return "segment" if self.stride_frames is None else "dense"

    def __str__(self) -> str:
        views = f"{self.clips} x {self.crops} view{'s' if self.views > 1 else ''}"
        return f"{self.name}: {views}" if self.name else views

    def as_json(self) -> dict[str, Any]:
        """Return what decides the views, as plain data."""
        return {key: value for key, value in self._asdict().items() if value is not None}

    def apply(self, clip: ClipSpec) -> ClipSpec:
        """Return how clips are sampled under this protocol, for a model trained with `clip`.

        Raises a `CheckpointError` if the model takes clips of another shape.
        """
        if self.rules == "checkpoint":
            return clip
        ours, theirs = (clip.frames, clip.grid().size), (self.frames, self.size)
        if ours != theirs:
            raise CheckpointError(
                f"protocol {self.name} is for clips of {self.frames} frames of {self.size} x"
                f" {self.size} pixels; the model takes {clip.frames} of {clip.height} x"
                f" {clip.width}",
                "use --clips and --crops instead, or a protocol of this shape: "
                + (", ".join(find_protocols(*ours)) or "none is published"),
            )
        changes = {
            "sampling": self.sampling,
            "stride_frames": self.stride_frames or 1,
            "fps": None,
            "seconds": None,
            "short": _SHORT[self.rules],
        }
        return clip.model_copy(update=changes)


def _published(
    name: str,
    clips: int,
    crops: int,
    stride_frames: int | None,
    *,
    frames: int = 16,
    size: int = 224,
    rules: Rules = "videomae",
) -> Protocol:
    return Protocol(clips, crops, name, rules, frames, stride_frames, size)


_ALL = (
    _published("v1-k400", 5, 3, 4),
    _published("v1-k400-32f320", 4, 3, 4, frames=32, size=320),
    _published("v1-ssv2", 2, 3, None),
    _published("v1-ssv2-32", 1, 3, None, frames=32),
    _published("v1-ucf101", 5, 3, 4),
    # the paper has 10 x 3 views; no script says the stride: 2 in VideoMS, which derives from V1
    _published("v1-hmdb51", 10, 3, 2),
    _published("v2-k400", 5, 3, 4),
    _published("v2-k400-7", 7, 3, 4),
    _published("v2-k600", 5, 3, 4),
    _published("v2-k710", 5, 3, 4),
    _published("v2-ssv2", 2, 3, None),
    _published("v2-ucf101", 5, 3, 4),
    _published("v2-hmdb51", 5, 3, 2),
    _published("everest-ucf101", 5, 3, 4),
    _published("everest-hmdb51", 10, 3, 2),
    _published("mm-k400", 5, 3, 4, rules="mmaction2"),
    _published("maest-k400", 7, 3, 4, rules="pyslowfast"),
    _published("maest-k400-10", 10, 3, 4, rules="pyslowfast"),
)
PROTOCOLS = {protocol.name: protocol for protocol in _ALL}


def get_protocol(name: str) -> Protocol:
    """Return a published protocol; a `UsageError` if there is none of that name."""
    if name not in PROTOCOLS:
        close = difflib.get_close_matches(name, PROTOCOLS, n=1, cutoff=0.5)
        guess = f" (did you mean {close[0]!r}?)" if close else ""
        raise UsageError(
            f"unknown protocol {name!r}{guess}",
            f"one of {', '.join(PROTOCOLS)}; or --clips N --crops N",
        )
    return PROTOCOLS[name]


def find_protocols(frames: int, size: int | tuple[int, int]) -> list[str]:
    """Return the names of the published protocols for clips of this shape."""
    return [name for name, one in PROTOCOLS.items() if (one.frames, one.size) == (frames, size)]
