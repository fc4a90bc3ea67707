"""What one file is, found by decoding all of it; or why it is refused.

Caps on what is decoded at all: `MAX_PIXELS` pixels per frame (8K passes, a 199 kB file of
8192 x 8192 does not) and `MAX_STREAMS` streams. Headers can lie, so the child process that runs
this is also limited in memory and time (`probe_child`, `probe_pool`).

Not covered: flipped bits that decode to garbage without an error; symbolic links are followed.
"""

import importlib.metadata
import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.decode import check_file, read_frames
from videomae_cli.data.ingest.decoder_choice import choose_decoder
from videomae_cli.data.pyav import open_video
from videomae_cli.data.video_info import VideoInfo, probe_video
from videomae_cli.errors import DataError

MAX_PIXELS = 7680 * 4320
MAX_STREAMS = 64
TOO_LARGE = f"frames of {{}} x {{}} pixels; more than {MAX_PIXELS:,} are not decoded"
MISSING = "no such file"
AUTO = "auto"
DISTRIBUTIONS = ("av", "decord2", "decord", "eva-decord")
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/?/?.")


class Probe(NamedTuple):
    """A readable file: real frames, frames per second, upright size in pixels, who reads it."""

    frames: int
    fps: float
    width: int
    height: int
    decoder: str


def check_listed(path: str, root: Path, fence: Path | None = None) -> str:
    """Return why a listed path is refused before any file is opened, or "".

    Args:
        path: As written in the list.
        root: What a relative path is relative to; it may not climb out of it.
        fence: Where absolute paths have to lie; None: anywhere, as in VideoMAE's own lists.
    """
    if any(ord(letter) < 32 for letter in path):
        return "a control character in the path"
    if path.startswith("~"):
        return "~ is not expanded: write the whole path"
    if not Path(path).is_absolute() and _climbs(path):
        return "the path leaves its root by ..: write it relative to a --root that holds it"
    full = Path(os.path.abspath(root / path))  # noqa: PTH100  (resolve() would follow links)
    if fence is not None and not full.is_relative_to(fence.absolute()):
        return "the path lies outside --root"
    try:
        mode = (root / path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "a URL: download it first" if URL.match(path) else MISSING
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if stat.S_ISDIR(mode):
        return "a folder, of frames perhaps: not supported yet; encode it as a video"
    return "" if stat.S_ISREG(mode) else "not a regular file"


def count(path: Path) -> VideoInfo:
    """Decode a whole file with PyAV and count its frames.

    Raises:
        DataError: The file cannot be used; the message says why.
    """
    check_size(path)
    info = probe_video(path)
    if info.width * info.height > MAX_PIXELS:
        raise DataError(f"{path}: {TOO_LARGE.format(info.width, info.height)}")
    return info


def settle(path: Path, info: VideoInfo, decoder: str) -> str:
    """Return the decoder for a file that PyAV has read.

    Args:
        path: The file.
        info: What `count` returned.
        decoder: "auto" takes decord where it finds PyAV's frames, else PyAV; otherwise a key of
            `DECODERS`, which then has to manage by itself.

    Raises:
        DataError: The decoder asked for cannot read the file.
    """
    if decoder == AUTO:
        return choose_decoder(path, info)
    read_frames(path, [0, info.frames // 2, info.frames - 1], decoder=decoder)
    return decoder


def as_probe(info: VideoInfo, decoder: str) -> Probe:
    """Keep of a `VideoInfo` what the manifest holds."""
    return Probe(info.frames, info.fps, info.width, info.height, decoder)


def check_size(path: Path) -> None:
    """Refuse by its header a file that is too large to decode.

    Raises:
        DataError: Too many pixels or streams, or no video at all.
    """
    check_file(path)
    with open_video(path) as (container, stream):
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > MAX_PIXELS:
            raise DataError(f"{path}: {TOO_LARGE.format(width, height)}")
        if len(container.streams) > MAX_STREAMS:
            raise DataError(f"{path}: {len(container.streams)} streams are too many")


def decoder_versions() -> dict[str, str]:
    """Return the version of each decoding package that is installed."""
    versions = {}
    for name in DISTRIBUTIONS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _climbs(path: str) -> bool:
    depth = 0
    for part in Path(path).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False
