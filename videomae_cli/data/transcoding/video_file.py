"""H.264 in MP4: written so that any decoder reads the same pixels, and read without searching.

Key frames at fixed distances, no B-frames, limited range, BT.601, one thread: the same frames give
the same bytes. The position of a frame in the index of the file is its number, and pictures that no
frame to read depends on are not decoded. A tag marks the file as written here.

Shapes: T frames, H height, W width, uint8.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from videomae_cli.data.decoding.pixels import convert_to_rgb
from videomae_cli.data.decoding.pyav import open_video
from videomae_cli.data.transcoding.damage import damage_error, past_end_error
from videomae_cli.data.transcoding.forms import FORMS, Timing
from videomae_cli.data.transcoding.source_frames import AccurateReformatter

MARK = "videomae H.264, a key frame every {}"
QUALITY = 20  # constant rate factor of x264
UNKNOWN_RATE = Fraction(25)  # of folders of frames; the manifest keeps 0
MICROSECOND = Fraction(1, 1_000_000)
SMPTE170M = 6  # primaries, transfer and matrix of BT.601 in ITU-T H.273
LIMITED = 1  # AVCOL_RANGE_MPEG
# bytes kept free at the start for the table of frames, which is written last: up to 900 were used,
# and 13 for each frame of a variable rate; 24 if each frame has its own place in the file
INDEX_BYTES, INDEX_BYTES_PER_FRAME = 2048, 24


def write(
    frames: Iterable[NDArray[np.uint8]],
    count: int,
    timing: Timing,
    key_every: int,
    file: IO[bytes],
) -> None:
    """Write `count` RGB frames (H, W, 3) with even sides; `file` can seek."""
    moov_size = str(INDEX_BYTES + INDEX_BYTES_PER_FRAME * count)
    options = {"moov_size": moov_size, "fflags": "+bitexact"}
    unit = MICROSECOND if timing.times else 1 / _find_rate(timing.fps)
    reformatter, stream, last = AccurateReformatter(), None, -1
    with av.open(file, "w", format="mp4", options=options) as container:
        container.metadata["comment"] = MARK.format(key_every)
        for number, frame_HWC in enumerate(frames):
            if stream is None:
                stream = _add_stream(container, frame_HWC.shape, unit, key_every)
            frame = reformatter.reformat(
                av.VideoFrame.from_ndarray(frame_HWC, format="rgb24"),
                format="yuv420p",
                dst_colorspace=Colorspace.ITU601,
                dst_color_range=ColorRange.MPEG,
            )
            frame.time_base = unit
            shown = round(timing.times[number] / unit) if timing.times else number
            frame.pts = last = max(shown, last + 1)
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))


def read(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """Read frames (T, H, W, 3; indices ascending, without duplicates).

    Raises:
        DataError: The file is damaged, too short, or was not written here.
    """
    frames: list[NDArray[np.uint8]] = []
    reformatter, wanted = VideoReformatter(), set(indices)
    with open_video(path) as (container, stream):
        key_every = _read_mark(path, container)
        for number, frame in _decode_needed(path, container, stream, indices, key_every):
            if number in wanted:
                frames.append(convert_to_rgb(frame, reformatter))
                if len(frames) == len(indices):
                    break
    if len(frames) < len(indices):
        raise damage_error(path, f"frame {indices[len(frames)]} cannot be decoded")
    return np.stack(frames)


def _find_rate(fps: float) -> Fraction:
    """Return a frame rate as a fraction: 29.97002997 is 30000/1001."""
    rate = Fraction(fps).limit_denominator(100_000)
    return rate if rate > 0 else UNKNOWN_RATE


def _add_stream(container: Any, shape: tuple[int, ...], unit: Fraction, key_every: int) -> Any:
    stream = container.add_stream("libx264", rate=1 / unit)
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = "yuv420p"
    keys = f"keyint={key_every}:min-keyint={key_every}:scenecut=0:open-gop=0"
    stream.options = {
        "preset": "veryfast",
        "tune": "fastdecode",
        "crf": str(QUALITY),
        "bf": "0",
        "x264-params": keys + _limit_instructions(),
    }
    context = stream.codec_context
    context.thread_count = 1
    stream.time_base = context.time_base = unit
    context.colorspace = context.color_primaries = context.color_trc = SMPTE170M
    context.color_range = LIMITED
    return stream


@lru_cache
def _limit_instructions() -> str:
    """Return the parameter with which x264 gives the same bytes each time; the speed is the same.

    With AVX-512, the code of its macroblock tree depends on what was in memory before: about 1 of
    100 files had other bytes than the same file in another run (x264 in PyAV 18.1.0). Without the
    tree, or with the instructions of AVX2, none of 1,000 had.
    """
    configuration: Any = np.show_config(mode="dicts")  # numpy types its values as objects
    extensions = configuration.get("SIMD Extensions", {})
    names = [name for group in ("baseline", "found") for name in extensions.get(group, ())]
    has_avx512 = any(name.startswith(("AVX512", "X86_V4")) for name in names)
    return ":asm=avx2" if has_avx512 else ""


def _read_mark(path: Path, container: Any) -> int:
    """Return the number of frames from one key frame to the next."""
    for form in FORMS.values():
        if form.key_every and container.metadata.get("comment") == MARK.format(form.key_every):
            return form.key_every
    raise damage_error(path, "was not written by videomae prepare --transcode")


def _decode_needed(
    path: Path, container: Any, stream: Any, indices: Sequence[int], key_every: int
) -> Iterator[tuple[int, Any]]:
    """Yield decoded frames with their numbers, without the pictures that are not needed."""
    entries, last = stream.index_entries, indices[-1]
    if last >= len(entries):
        raise past_end_error(path, last, len(entries))
    first = indices[0] // key_every * key_every
    needed = {n for index in indices for n in range(index // key_every * key_every, index + 1)}
    numbers = {entries[number].timestamp: number for number in range(first, last + 1)}
    if first:
        container.seek(entries[first].timestamp, stream=stream)
    for packet in container.demux(stream):
        number = numbers.get(packet.pts)
        if packet.size and number not in needed:
            continue
        # after the last one, the frames that the decoder still keeps
        for each in (packet, None) if number == last else (packet,):
            for frame in stream.codec_context.decode(each):
                yield numbers.get(frame.pts, -1), frame
        if number == last:
            return
