"""Note the facts about a video that the health report needs, frame by frame, during its decode."""

from functools import partial
from pathlib import Path
from typing import Any

from videomae_cli.data.health.content import FrameContent
from videomae_cli.data.health.facts import KeyFrames, VideoHealth
from videomae_cli.data.health.points import read_points


class HealthRecorder:
    """The facts of one video; `expected` is its number of frames by its header, or 0."""

    def __init__(self, expected: int) -> None:
        self._content, self._keys = FrameContent(expected), KeyFrames()
        self._frames, self._damaged = 0, 0
        self._pixel_format = ""

    def add(self, frame: Any) -> None:
        """Note the next frame."""
        self._keys.add(self._frames, is_key=bool(frame.key_frame))
        self._damaged += bool(frame.is_corrupt)
        self._content.add(self._frames, partial(read_points, frame))
        if not self._frames:
            self._pixel_format = frame.format.name
        self._frames += 1

    def conclude(self, path: Path, container: Any, stream: Any) -> VideoHealth:
        """Return the facts, after the last frame."""
        return VideoHealth(
            container.format.name,
            stream.codec_context.codec.canonical_name,
            self._pixel_format,
            path.stat().st_size,
            bool(container.streams.audio),
            self._keys.find_distance(self._frames),
            self._damaged,
            *self._content.conclude(self._frames),
        )
