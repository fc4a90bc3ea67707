"""Write one source in one of the forms."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.transcoding import jpeg_file, pixel_file, video_file
from videomae_cli.data.transcoding.forms import FORMS, JPEG, UINT8, Form, Settings, Timing
from videomae_cli.data.transcoding.source_frames import read_source
from videomae_cli.errors import DataError


class Written(NamedTuple):
    """The frames of a file that was written."""

    width: int
    height: int
    channels: int


def write_file(
    source: Path, count: int, timing: Timing, settings: Settings, file: IO[bytes]
) -> Written:
    """Write all frames of a video, or of a folder of frames; `file` must be able to seek for H.264.

    Args:
        source: The video or folder.
        count: Its number of frames, as probed.
        timing: When its frames are shown.
        settings: The form and the size.
        file: Written from its start.

    Raises:
        DataError: It cannot be decoded, does not have `count` frames, or the form cannot store
            frames with so many channels.
    """
    form = FORMS[settings.form]
    is_accurate = form.key_every > 0
    frames = _Counted(read_source(source, settings.short_side, is_accurate=is_accurate), form)
    if form.name == JPEG:
        jpeg_file.write(frames, file)
    elif form.name == UINT8:
        pixel_file.write(frames, count, file)
    else:
        video_file.write(frames, count, timing, form.key_every, file)
    if frames.count != count:
        raise DataError(
            f"{source}: {frames.count} frames now, {count} when it was probed: it was changed"
        )
    height, width, channels = frames.shape
    return Written(width, height, channels)


class _Counted:
    """Frames, counted and checked as they are written."""

    def __init__(self, frames: Iterator[NDArray[np.uint8]], form: Form) -> None:
        self._frames, self._form = frames, form
        self.count, self.shape = 0, (0, 0, 0)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for frame_HWC in self._frames:
            height, width, channels = frame_HWC.shape
            if self._form.channels and channels not in self._form.channels:
                raise DataError(
                    f"a frame has {channels} channel{'s' * (channels > 1)}, which "
                    f"{self._form.title} cannot store: use --uint8"
                )
            self.count, self.shape = self.count + 1, (height, width, channels)
            yield frame_HWC
