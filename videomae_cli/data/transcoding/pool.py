"""Write videos anew in a few child processes; a file that hangs or kills its process is rejected.

The children only decode and encode. The files are written here, each under a hidden name until it
is complete, with the modification time of its source.
"""

import hashlib
import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from videomae_cli import atomic
from videomae_cli.data.ingest.child_process import ChildProcess, KillTimer, run_in_children
from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo
from videomae_cli.data.transcoding.forms import Settings
from videomae_cli.data.transcoding.geometry import MAX_ASPECT

COMMAND = (sys.executable, "-B", "-m", "videomae_cli.data.transcoding.child")
SECONDS_PER_FRAME = 0.1  # added to the time limit of a file: the slowest speed
EXTRA_BYTES = 1 << 20  # for headers and indices of small files


class Task(NamedTuple):
    """A video to be written."""

    source: Path
    output: Path
    video: ReadableVideo
    """The source, as probed."""
    settings: Settings


class StoredVideo(NamedTuple):
    """A video that was written."""

    width: int
    height: int
    channels: int
    bytes: int
    sha256: str
    seconds: float = 0.0
    """Time that it took."""


class _RejectedError(Exception):
    """Ends the writing of a file."""

    def __init__(self, result: RejectedVideo) -> None:
        super().__init__(result.reason)
        self.result = result


class TranscodeProcess(ChildProcess):
    """A child process that decodes videos and encodes them anew."""

    def transcode(self, task: Task) -> StoredVideo | RejectedVideo:
        """Write one video, complete or not at all; an OSError if the disk refuses."""
        video = task.video
        seconds = self.seconds + SECONDS_PER_FRAME * video.frames
        request = {
            "path": str(task.source),
            "frames": video.frames,
            "fps": video.fps,
            "times": video.times,
            **task.settings._asdict(),
            "seconds": seconds,
        }
        timer = self.ask(request, seconds)
        try:
            with atomic.replacing(task.output, secrets.randbits(60)) as partial:
                with partial.open("wb") as file:
                    stored = self._receive_file(file, _most_bytes(video), timer)
                copy_time(task.source, partial)
        except _RejectedError as error:
            return error.result
        except BaseException:
            self.close()  # it may still be sending
            raise
        finally:
            timer.stop()
        return stored

    def _receive_file(self, file: IO[bytes], limit: int, timer: KillTimer) -> StoredVideo:
        """Write what the child sends; raise `_RejectedError` if that is no complete file."""
        size, digest, began = 0, hashlib.sha256(), time.monotonic()
        while "bytes" in (answer := self.receive()):
            piece = self.read(answer["bytes"])
            size += len(piece)
            if size > limit:
                self.close()
                raise _RejectedError(RejectedVideo(f"becomes larger than {limit:,} bytes"))
            file.write(piece)
            digest.update(piece)
        if not answer or timer.stop():
            raise _RejectedError(self.explain_end(timer))
        if "reason" in answer:
            raise _RejectedError(RejectedVideo(answer["reason"]))
        width, height, channels = answer["done"]
        duration = time.monotonic() - began
        return StoredVideo(width, height, channels, size, digest.hexdigest(), duration)


def transcode_videos(
    tasks: Sequence[Task], *, seconds: float, workers: int, command: Sequence[str] = COMMAND
) -> Iterator[tuple[Task, StoredVideo | RejectedVideo]]:
    """Write videos with child processes; yield each result when it is ready, in no fixed order.

    `seconds` limits the time for one file, in addition to `SECONDS_PER_FRAME`.
    """
    children = [TranscodeProcess(command, seconds) for _ in range(min(workers, len(tasks)))]
    return run_in_children(children, tasks, lambda child, task: (task, child.transcode(task)))


def copy_time(source: Path, output: Path) -> None:
    """Give a file the modification time of its source, so that a change of either is seen."""
    changed = source.stat().st_mtime_ns
    os.utime(output, ns=(changed, changed))


def _most_bytes(video: ReadableVideo) -> int:
    """Return more bytes than any form of a video has."""
    frame_bytes = video.width * video.height * video.channels * MAX_ASPECT
    return EXTRA_BYTES + video.frames * frame_bytes
