"""The process that opens strangers' files: limited, mute, replaceable. Started by `probe_pool`.

Its argument is the decoder choice. It says it is ready, then takes one JSON object per line,
{"path", "seconds"}, and answers in lines: {"counted": probe} as soon as PyAV has read the whole
file, if only the choice of the decoder is left, and in the end {"probe": probe} or {"reason":
text}. It ends when its input ends. Limits: address space, no files written, no core dumps, and an
alarm per file that ends the process even when its parent is gone. They are those of POSIX systems;
elsewhere only the parent's clock holds.
"""

import importlib
import json
import os
import signal
import sys
from pathlib import Path

from videomae_cli.data.ingest.probe import AUTO, as_probe, count, settle
from videomae_cli.errors import DataError

# Address space on top of what the loaded decoders take: 0.2 GB, but 3.6 GB where CUDA's packages
# are installed, for decord2 loads them all.
MEMORY_BYTES = 4 << 30
GRACE_SECONDS = 5.0  # the parent's clock comes first


def main() -> None:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer

    def say(**answer: object) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    decoder = sys.argv[1]
    if decoder != "pyav":
        importlib.import_module("decord")  # before the limit, which counts from here
    limit()
    say(ready=True)
    for line in sys.stdin:
        request = json.loads(line)
        _alarm(request["seconds"] + GRACE_SECONDS)
        path = Path(request["path"])
        try:
            info = count(path)
            if decoder == AUTO:
                say(counted=as_probe(info, "pyav"))
            say(probe=as_probe(info, settle(path, info, decoder)))
        except DataError as error:
            say(reason=error.message.removeprefix(str(path)).lstrip(": "))
        except MemoryError:
            say(reason=f"needs more than {MEMORY_BYTES >> 30} GB of memory")
        _alarm(0)


def limit() -> None:
    """Limit this process for good, and leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "win32":
        return
    import resource

    for kind, value in (
        (resource.RLIMIT_AS, _address_space() + MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, hard))


def _address_space() -> int:
    """Return the bytes of address space in use, as far as the system tells."""
    pages = Path("/proc/self/statm")
    if not pages.exists():
        return 4 << 30
    return int(pages.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _alarm(seconds: float) -> None:
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)  # unhandled, SIGALRM ends the process


if __name__ == "__main__":
    main()
