"""Decode one video completely: its properties and its decoder, or the reason to reject it.

Headers can be wrong, so the process that runs this (`ingest/child.py`) is limited in memory and
time. Not covered: flipped bits that decode without an error.
"""

import importlib.metadata
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli.data.decode import (
    FILE_DECODERS,
    TORCHCODEC,
    check_file,
    read_frames,
    reference_decoder,
    refuse_any_failure,
)
from videomae_cli.data.decoding.pyav import open_video
from videomae_cli.data.decoding.video_info import VideoInfo, check_size, probe_video
from videomae_cli.data.health.facts import UNKNOWN, VideoHealth
from videomae_cli.data.ingest.decoder_choice import choose_decoder, torchcodec_is_right
from videomae_cli.errors import DataError

MAX_STREAMS = 64
AUTO, PYAV = "auto", "pyav"
ANY = "any"  # for files that are read once, from the first frame to the last: none is chosen
LATE = "(--timeout)"  # at the end of the reason of a file that ran into the time limit
LATE_NOTE = "not read with decord, which ran into the time limit"
PACKAGE = "av"
DISTRIBUTIONS = (PACKAGE, "decord2", "decord", "eva-decord")


class ReadableVideo(NamedTuple):
    """The properties of a readable file; pixels after rotation."""

    frames: int
    fps: float
    width: int
    height: int
    decoder: str
    notes: tuple[str, ...] = ()
    """What a viewer would notice ("HDR (HLG)"), for the summary; in the words to print."""
    times: tuple[float, ...] = ()
    """Seconds from the first frame to each frame; empty if the frame rate gives them."""
    channels: int = 3
    moments: tuple[float, ...] = ()
    """Mean and mean square of the pixels of some frames, as `PixelMoments` returns them."""
    health: VideoHealth = UNKNOWN
    """For the health report."""
    pyav_reason: str = ""
    """Why decord must not read it; empty if decord may be tried."""

    @property
    def columns(self) -> tuple[int, float, int, int, str]:
        """Return the columns that the manifest stores."""
        return self.frames, self.fps, self.width, self.height, self.decoder

    @classmethod
    def from_json(cls, fields: Sequence[Any]) -> "ReadableVideo":
        """Return the properties that were stored or sent as a JSON list."""
        values: list[Any] = [tuple(part) if isinstance(part, list) else part for part in fields]
        video = cls(*values)
        return video._replace(health=VideoHealth.from_json(video.health))

    @property
    def info(self) -> VideoInfo:
        """Return what was measured before the decoder was chosen."""
        return VideoInfo(*(getattr(self, name) for name in VideoInfo._fields))


class RejectedVideo(NamedTuple):
    """A file that cannot be used."""

    reason: str
    is_lasting: bool = True
    """Whether another attempt would end the same way."""


def count_frames(path: Path) -> VideoInfo:
    """Decode a whole video and count its frames; a DataError gives a reason against it."""
    if reference_decoder(path) not in FILE_DECODERS:
        return probe_video(path)
    check_file(path)
    with refuse_any_failure(path), open_video(path) as (container, stream):
        check_size(path, stream.codec_context.width, stream.codec_context.height)
        if len(container.streams) > MAX_STREAMS:
            raise DataError(f"{path}: {len(container.streams)} streams are too many")
    info = probe_video(path)
    check_size(path, info.width, info.height)
    return info


def select_decoder(path: Path, info: VideoInfo, decoder: str) -> str:
    """Return the decoder of a counted video: the one asked for, except where torchcodec is wrong.

    Raises:
        DataError: decord or PyAV is asked for, and cannot read the file.
    """
    if (reference := reference_decoder(path)) not in FILE_DECODERS or decoder == ANY:
        return reference
    if decoder == AUTO:
        return choose_decoder(path, info)
    if decoder == TORCHCODEC and not torchcodec_is_right(path, info):
        return PYAV
    read_frames(path, [0, info.frames // 2, info.frames - 1], decoder=decoder)
    return decoder


def readable_video(info: VideoInfo, decoder: str) -> ReadableVideo:
    """Return the properties that the manifest stores."""
    return ReadableVideo(decoder=decoder, **info._asdict())


def decoder_versions(decoder: str) -> dict[str, str]:
    """Return the version of each installed package that `prepare` decodes with.

    torchcodec is one only if it is the decoder asked for: without it, results do not depend on it.
    """
    versions = {}
    for name in (*DISTRIBUTIONS, *([TORCHCODEC] if decoder == TORCHCODEC else [])):
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
