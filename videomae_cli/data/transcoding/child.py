"""The process that decodes and encodes untrusted files; `transcoding/pool.py` starts it.

It sends {"ready": true}, then reads one JSON object per line, {"path", "frames", "fps", "times",
"form", "short_side", "seconds"}. It answers with the file that it makes, in pieces: {"bytes": n},
followed by n bytes; and finally with {"done": [width, height, channels]} or {"reason": text}. It
ends when its input ends.

It has the limits of `ingest/child.py`, and can write no file: its parent writes the pieces.
"""

import json
import os
import sys
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from videomae_cli.data.ingest.child import (
    describe_failure,
    end_time_limit,
    limit_process,
    limit_time,
)
from videomae_cli.data.transcoding.forms import FORMS, Settings, Timing
from videomae_cli.data.transcoding.write_file import Written, write_file

PIECE_BYTES = 1 << 20


class _Pieces:
    """A file to write to that sends what is written."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output = output

    def write(self, data: bytes | memoryview) -> None:
        for start in range(0, len(data), PIECE_BYTES):
            piece = data[start : start + PIECE_BYTES]
            _send(self._output, bytes=len(piece))
            self._output.write(piece)


def main() -> None:
    """Answer requests until the input ends."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # text that a library prints must not be mixed with the answers
    limit_process()
    _send(output, ready=True)
    output.flush()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        limit_time(request["seconds"])
        path = Path(request["path"])
        try:
            _send(output, done=_transcode(path, request, _Pieces(output)))
        except Exception as error:  # noqa: BLE001  (the file is rejected, whatever it causes)
            _send(output, reason=describe_failure(path, error))
        output.flush()
        end_time_limit()


def _transcode(path: Path, request: dict[str, Any], pieces: Any) -> Written:
    settings = Settings(request["form"], request["short_side"])
    timing = Timing(request["fps"], request["times"])
    if not FORMS[settings.form].key_every:
        return write_file(path, request["frames"], timing, settings, pieces)
    file = BytesIO()  # its table of frames is written last, before them
    written = write_file(path, request["frames"], timing, settings, file)
    pieces.write(file.getbuffer())
    return written


def _send(output: IO[bytes], **answer: object) -> None:
    output.write(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
