"""What the health report needs to know of a video, noted while it is decoded once."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class VideoHealth(NamedTuple):
    """Facts about one video; the defaults mean that nothing is known."""

    container: str = ""
    """Name of the format in FFmpeg, such as `matroska,webm`; "" for a folder of frames."""
    codec: str = ""
    pixel_format: str = ""
    size: int = 0
    """Bytes of the file, or of all images of a folder."""
    has_audio: bool = False
    key_distance: int = 0
    """Most frames from a key frame to the next one, or to the end: what a read may decode."""
    damaged: int = 0
    """Frames that the decoder marks as damaged; at least 1 if error detection finds any error."""
    black: float = 0.0
    """Share of black frames among some frames of the video."""
    frozen: float = 0.0
    """Share of frames equal to the frame before, among some frames of the video."""
    hashes: tuple[str, ...] = ()
    """Perceptual hashes at 1/4, 1/2 and 3/4 of the length, 16 hexadecimal digits each; "" for a
    frame of one colour."""

    @classmethod
    def from_json(cls, fields: Sequence[Any]) -> "VideoHealth":
        """Return the facts that were stored or sent as a JSON list."""
        *others, hashes = fields
        return cls._make([*others, tuple(hashes)])


UNKNOWN = VideoHealth()


class KeyFrames:
    """The largest distance between the key frames of a video, in the order of its frames."""

    def __init__(self) -> None:
        self._last, self._distance = 0, 0

    def add(self, number: int, *, is_key: bool) -> None:
        """Note a frame by its number."""
        if is_key:
            self._distance = max(self._distance, number - self._last)
            self._last = number

    def find_distance(self, frames: int) -> int:
        """Return most frames from one key frame to the next, or to the end."""
        return max(self._distance, frames - self._last)
