"""Frame count, frame rate and size of a video, measured by decoding all of it."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

from videomae_cli.data.decode import (
    FILE_DECODERS,
    FRAMES,
    check_file,
    reference_decoder,
    refuse_any_failure,
)
from videomae_cli.data.decoding import pixels, pyav, timing
from videomae_cli.data.decoding.grey import GreyRange
from videomae_cli.data.decoding.limits import MAX_PIXELS, check_length, check_size
from videomae_cli.data.decoding.pixel_moments import PixelMoments
from videomae_cli.data.health.facts import UNKNOWN, VideoHealth
from videomae_cli.data.health.recorder import HealthRecorder
from videomae_cli.errors import DataError

__all__ = ["MAX_PIXELS", "VideoInfo", "check_size", "probe_video"]

# codes of the transfer function in ITU-T H.273
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
DETECTION = {"err_detect": "crccheck+explode"}  # of damage that decoders conceal
# formats with timestamps that decord reads as PyAV does. It leaves out the first group of pictures
# of transport streams with B-frames, and can stop answering (decord2 3.4.0)
DECORD_FORMATS = ("mov", "matroska", "avi", "flv", "asf", "gif", "ogg", "ivf", "mxf")


class VideoInfo(NamedTuple):
    """Properties of a video, measured by decoding all of it; pixels as shown, upright."""

    frames: int
    fps: float
    width: int
    height: int
    pyav_reason: str = ""
    """Why decord must not read it; empty if decord may be tried."""
    notes: tuple[str, ...] = ()
    """What a viewer would notice, for the summary of `prepare`."""
    times: tuple[float, ...] = ()
    """Seconds from the first frame to each frame; empty if the frame rate gives them."""
    channels: int = 3
    moments: tuple[float, ...] = ()
    """Of the pixels, as `PixelMoments` returns them."""
    health: VideoHealth = UNKNOWN
    """For the health report of `prepare`."""


def probe_video(path: Path) -> VideoInfo:
    """Decode a whole video, count its frames and describe it.

    Raises:
        DataError: It cannot be read to the end that its header promises, its frame size changes, or
            its values are scaled to almost black pixels.
    """
    if (decoder := reference_decoder(path)) == FRAMES:
        from videomae_cli.data.decoding import frame_folder

        return frame_folder.probe(path)
    if decoder not in FILE_DECODERS:
        from videomae_cli.data.transcoding import given_file

        return given_file.probe(path)
    check_file(path)
    try:
        return _decode(path, detects_damage=True)
    except DataError as error:
        cause = error.__cause__
        if not isinstance(cause, av.FFmpegError) or isinstance(cause, MemoryError):
            raise
    info = _decode(path, detects_damage=False)
    damaged = max(info.health.damaged, 1)
    return info._replace(health=info.health._replace(damaged=damaged))


def _decode(path: Path, *, detects_damage: bool) -> VideoInfo:
    """Decode a whole video; with `detects_damage`, what decoders may conceal is an error too."""
    with refuse_any_failure(path), pyav.open_video(path) as (container, stream):
        if detects_damage:
            stream.codec_context.options = {**stream.codec_context.options, **DETECTION}
        facts = _FrameFacts(path, stream.frames)
        for frame in _decode_all(container, stream, facts.ends):
            facts.add(frame)
        return facts.conclude(container, stream)


class _FrameFacts:
    """What is noted of each frame of a video."""

    def __init__(self, path: Path, expected: int) -> None:
        self.path = path
        self.moments, self.reformatter = PixelMoments(expected), VideoReformatter()
        self.health = HealthRecorder(expected)
        self.frames = 0
        self.size = 0, 0
        self.timestamps: list[int] = []
        self.ends: dict[int, float] = {}
        """Last second of each stream that has timestamps, by its number."""
        self.orientations: set[pixels.Orientation] = set()
        self.is_interlaced, self.is_transparent = False, False
        self.grey: GreyRange | None = None

    def add(self, frame: Any) -> None:
        """Note a frame; a DataError if its size is not that of the first one."""
        orientation = pixels.read_orientation(frame)
        size = frame.height, frame.width
        size = size[::-1] if orientation.transposes else size
        if self.frames == 0:
            check_size(self.path, frame.width, frame.height)
            self.size = size
            self.grey = GreyRange(frame) if pixels.is_deep_grey(frame) else None
        if size != self.size:
            raise pyav.size_change_error(self.path, self.frames, self.size, size)
        self.moments.add(self.frames, lambda: pixels.convert_to_rgb(frame, self.reformatter))
        self.health.add(frame)
        self.frames += 1
        check_length(self.path, self.frames, frame.width, frame.height)
        self.orientations.add(orientation)
        if frame.pts is not None:
            self.timestamps.append(frame.pts)
        self.is_interlaced = self.is_interlaced or frame.interlaced_frame
        self.is_transparent = self.is_transparent or pixels.is_transparent(frame)
        if self.grey and pixels.is_deep_grey(frame):
            self.grey.add(frame)

    def conclude(self, container: Any, stream: Any) -> VideoInfo:
        """Return the properties, after the last frame."""
        if self.frames == 0:
            raise DataError(
                f"{self.path}: no frame can be decoded", "replace the file or leave it out"
            )
        is_ordered = all(now < later for now, later in pairwise(self.timestamps))
        seconds = [float(timestamp * stream.time_base) for timestamp in self.timestamps]
        longest = max((later - now for now, later in pairwise(seconds)), default=0.0)
        problem = timing.find_missing_end(container, stream, self.ends, longest)
        problem = problem or (self.grey.find_problem() if self.grey else "")
        if problem:
            raise DataError(f"{self.path}: {problem}")
        is_raw = not timing.has_timestamps(container)
        is_complete = is_ordered and len(seconds) == self.frames and not is_raw
        rate = timing.find_raw_rate(stream) if is_raw else 0
        rate = rate or timing.find_rate(stream, seconds)
        is_variable = is_complete and timing.is_variable(seconds)
        return VideoInfo(
            self.frames,
            rate,
            width=self.size[1],
            height=self.size[0],
            pyav_reason=self._find_pyav_reason(container, is_ordered=is_ordered),
            notes=tuple(self._notes(container, stream, is_variable=is_variable)),
            times=timing.find_times(seconds, rate) if is_complete else (),
            moments=self.moments.conclude(),
            health=self.health.conclude(self.path, container, stream),
        )

    def _find_pyav_reason(self, container: Any, *, is_ordered: bool) -> str:
        if not container.format.name.startswith(DECORD_FORMATS):
            return f"its format is {container.format.name}"
        if not is_ordered:
            return "its timestamps do not ascend"
        if len(self.orientations) > 1 or any(each.is_mirrored for each in self.orientations):
            return "it is shown mirrored, or its orientation changes"
        return ""

    def _notes(self, container: Any, stream: Any, *, is_variable: bool) -> Iterator[str]:
        transposes = any(orientation.transposes for orientation in self.orientations)
        yield from _describe_stream(container, stream, transposes=transposes)
        if is_variable:
            yield "variable frame rate"
        if not (timing.has_timestamps(container) or timing.find_raw_rate(stream)):
            yield timing.ASSUMED_RATE
        if self.is_interlaced:
            yield "interlaced"
        if self.is_transparent:
            yield "transparent pixels shown over white"
        if self.grey:
            yield self.grey.note


def _decode_all(container: Any, stream: Any, ends: dict[int, float]) -> Iterator[Any]:
    """Yield all frames of a stream; store the end of every stream of the file in `ends`."""
    start = min(container.start_time or 0, 0) / 1e6
    for packet in container.demux():
        time = packet.dts if packet.pts is None else packet.pts
        if time is not None:
            end = float((time + (packet.duration or 0)) * packet.time_base) - start
            ends[packet.stream.index] = max(ends.get(packet.stream.index, end), end)
        if packet.stream.index == stream.index:
            yield from packet.decode()


def _describe_stream(container: Any, stream: Any, *, transposes: bool) -> list[str]:
    """Return what a viewer would notice, of a stream whose first frame has been decoded."""
    notes = []
    transfer = HDR_TRANSFERS.get(int(stream.codec_context.color_trc or 0))
    if transfer:
        notes.append(f"HDR ({transfer})")
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    if aspect > 0 and aspect != 1:
        aspect = 1 / aspect if transposes else aspect
        notes.append(f"non-square pixels ({aspect.numerator}:{aspect.denominator})")
    videos = [
        other
        for other in container.streams.video
        if Disposition.attached_pic not in other.disposition
    ]
    if len(videos) > 1:
        notes.append(f"{len(videos)} video streams, stream {stream.index} used")
    return notes
