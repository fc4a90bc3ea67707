"""Facts about a checkpoint that its tensors do not give: from the user, and from its format."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Hints(NamedTuple):
    """Facts about a file that the user knows and the file does not state."""

    heads: int | None = None
    """Of the encoder."""
    decoder_heads: int | None = None
    frames: int | None = None
    size: int | tuple[int, int] | None = None
    """Height and width of a clip, pixels: one number for squares."""
    is_guess: bool = False
    """Whether these are used only if the files beside the weights do not state them."""


NO_HINTS = Hints()


class SideInfo(NamedTuple):
    """Facts that a format gives besides the native shapes: in JSON files, tables, conventions."""

    hints: Hints = NO_HINTS
    fields: Mapping[str, Any] = {}
    """Fields of the model configuration."""
    assumed: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()
    """Known defects of such files that this one shows, one sentence each; as in `LoadReport`."""


NO_SIDE_INFO = SideInfo()
