"""The forms that videos can be stored in, and the settings of a run that writes them."""

from collections.abc import Sequence
from typing import NamedTuple

from videomae_cli.data.health.facts import VideoHealth

CONTAINERS = {".mp4": "mov,mp4"}  # the names in FFmpeg; other forms are their own
VERSION = 1  # to be increased when the same file and settings would give other bytes


class Form(NamedTuple):
    """A way to store the frames of a video in one file."""

    name: str
    title: str
    """As shown to people."""
    suffix: str
    """Added to the whole name of the source, so that a.mp4 and a.avi do not collide."""
    decoder: str
    """The key in `DECODERS` that reads it."""
    key_every: int = 0
    """H.264 only: frames from one key frame to the next."""
    channels: tuple[int, ...] = (3,)
    """Numbers of channels that it can store; empty: any."""


H264, INTRA = "h264", "all-intra"
JPEG, UINT8 = "jpeg", "uint8"
FORMS = {
    form.name: form
    for form in (
        Form(H264, "H.264, a key frame every 16", ".mp4", "h264", 16),
        Form(INTRA, "H.264, key frames only", ".mp4", "h264", 1),
        Form(JPEG, "JPEG frames", ".mjpeg", "jpeg", channels=(1, 3)),
        Form(UINT8, "uncompressed frames", ".npy", "uint8", channels=()),
    )
}


def describe_file(form: Form, source: VideoHealth, size: int) -> VideoHealth:
    """Return the facts of a file of `size` bytes in a form; its frames are those of its source."""
    return source._replace(
        container=CONTAINERS.get(form.suffix, form.suffix[1:]),
        codec=form.decoder,
        pixel_format="yuv420p" if form.key_every else "",
        size=size,
        has_audio=False,
        key_distance=form.key_every or 1,
    )


class Settings(NamedTuple):
    """What determines the bytes of a file, beside its source."""

    form: str
    """A key of `FORMS`."""
    short_side: int
    """Pixels; frames with a longer one are scaled down to it."""

    @property
    def stamp(self) -> str:
        """Return text that differs if another file would be written."""
        return f"{VERSION} {self.form} {self.short_side}"


class Timing(NamedTuple):
    """When the frames of a video are shown: as the manifest stores it."""

    fps: float
    """0 if unknown."""
    times: Sequence[float] = ()
    """Seconds from the first frame to each frame; empty if `fps` gives them."""
