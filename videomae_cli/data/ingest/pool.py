"""Probe many files in a few child processes; a file that hangs or kills its process is rejected."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from videomae_cli.data.ingest.child_process import ENVIRONMENT, ChildProcess, run_in_children
from videomae_cli.data.ingest.probe import LATE_NOTE, ReadableVideo, RejectedVideo

__all__ = ["COMMAND", "ENVIRONMENT", "ProbeProcess", "probe_videos"]

COMMAND = (sys.executable, "-B", "-m", "videomae_cli.data.ingest.child")


class ProbeProcess(ChildProcess):
    """A child process that probes files."""

    def probe(
        self, path: Path, known: ReadableVideo | None = None
    ) -> ReadableVideo | RejectedVideo:
        """Probe one file. If only the comparison with decord fails, the decoder is PyAV.

        Of a file that is `known`, only the decoder is chosen.
        """
        timer = self.ask({"path": str(path), "seconds": self.seconds, "counted": known})
        answer = self.receive()
        counted = answer.get("counted")
        if counted:
            answer = self.receive()
        is_late = timer.stop()
        if answer and not is_late:
            if "probe" in answer:
                return ReadableVideo.from_json(answer["probe"])
            return RejectedVideo(answer["reason"])
        end = self.explain_end(timer)
        if counted:
            video = ReadableVideo.from_json(counted)
            return video._replace(notes=(*video.notes, LATE_NOTE)) if is_late else video
        return end


def probe_videos(
    paths: Sequence[Path],
    *,
    decoder: str,
    seconds: float,
    workers: int,
    command: Sequence[str] = COMMAND,
    known: Mapping[Path, ReadableVideo] | None = None,
) -> Iterator[tuple[Path, ReadableVideo | RejectedVideo]]:
    """Probe files in child processes; yield each result when it is ready, in no fixed order.

    `seconds` limits the time for one file; the decoder is added as the last argument of `command`.
    Of files that are `known`, only the decoder is chosen.
    """
    counted = known or {}
    children = [ProbeProcess((*command, decoder), seconds) for _ in range(min(workers, len(paths)))]
    return run_in_children(
        children, paths, lambda child, path: (path, child.probe(path, counted.get(path)))
    )
