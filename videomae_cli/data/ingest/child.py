"""The process that decodes untrusted files, with limited rights; `ingest/pool.py` starts it.

Its argument is the decoder of files (a name, "auto" or "any"). It sends {"ready": true}, then reads
one JSON object per line, {"path", "seconds"}, and "counted" if the properties are known except for
the decoder. It answers each with {"counted": properties} when the whole video has been read and
only the choice of the decoder remains, and finally with {"probe": properties} or {"reason": text}.
It ends when its input ends.

Limits, on a POSIX system: address space, no files written, few files open, no core dumps, and for
each file its processor time, and an alarm that ends the process even if its parent is gone.
"""

import json
import math
import os
import signal
import sys
import time
from pathlib import Path

from videomae_cli.data.decode import TORCHCODEC, reference_decoder
from videomae_cli.data.decoding.readers.decord_reader import import_decord
from videomae_cli.data.ingest.probe import (
    ANY,
    AUTO,
    PYAV,
    ReadableVideo,
    count_frames,
    readable_video,
    select_decoder,
)
from videomae_cli.errors import DataError

# Address space in addition to the loaded decoders, which take 0.2 GB, or 3.6 GB if they are builds
# with CUDA; torchcodec and torch take 3.9 GB.
MEMORY_BYTES = 4 << 30
GRACE_SECONDS = 5.0  # the parent's time limit ends first
CPU_SHARE = 2  # processor time per second of the limit: a decoder may have a thread of its own
MAX_OPEN_FILES = 64


def main() -> None:
    """Answer requests until the input ends."""
    output = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # text that a library prints must not be mixed with the answers

    def send(**answer: object) -> None:
        output.write(json.dumps(answer) + "\n")
        output.flush()

    decoder = sys.argv[1]
    load_decoder(decoder)  # before the limit is set, which is relative to now
    limit_process()
    send(ready=True)
    for line in sys.stdin:
        request = json.loads(line)
        limit_time(request["seconds"])
        path = Path(request["path"])
        try:
            known = request.get("counted")
            info = ReadableVideo.from_json(known).info if known else count_frames(path)
            if decoder == AUTO:
                send(counted=readable_video(info, reference_decoder(path)))
            send(probe=readable_video(info, select_decoder(path, info, decoder)))
        except Exception as error:  # noqa: BLE001  (the file is rejected, whatever it causes)
            send(reason=describe_failure(path, error))
        end_time_limit()


def load_decoder(decoder: str) -> None:
    """Load the library of a decoder; PyAV is loaded already."""
    if decoder == TORCHCODEC:
        from videomae_cli.data.decoding.readers.torchcodec_reader import import_torchcodec

        import_torchcodec()  # which imports torch
    elif decoder not in (PYAV, ANY):
        import_decord()


def describe_failure(path: Path, error: Exception) -> str:
    """Return why a file is rejected."""
    if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
        return f"needs more than {MEMORY_BYTES >> 30} GB of memory"
    if isinstance(error, DataError):
        return error.message.removeprefix(str(path)).lstrip(":/\\ ")
    return f"cannot be decoded: {type(error).__name__}: {error}".splitlines()[0]


def limit_process() -> None:
    """Limit this process permanently, and leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "win32":
        return
    import resource

    for kind, value in (
        (resource.RLIMIT_AS, _address_space_in_use() + MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
    ):
        _set_limit(kind, value)


def _set_limit(kind: int, value: int) -> None:
    """Set a limit, or keep that of the user if it is lower."""
    import resource

    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, hard))


def _address_space_in_use() -> int:
    """Return the bytes of address space in use; an estimate where the system does not report it."""
    pages = Path("/proc/self/statm")
    if not pages.exists():
        return 4 << 30
    return int(pages.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def limit_time(seconds: float) -> None:
    """End this process if the work that starts now takes longer; the parent's limit ends first."""
    if sys.platform == "win32":
        return
    import resource

    allowed = math.ceil(time.process_time() + CPU_SHARE * seconds + GRACE_SECONDS)
    _set_limit(resource.RLIMIT_CPU, allowed)
    signal.setitimer(signal.ITIMER_REAL, seconds + GRACE_SECONDS)  # SIGALRM ends the process


def end_time_limit() -> None:
    """Stop the alarm of `limit_time`."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    main()
