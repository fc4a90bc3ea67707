"""Commands in processes of their own, forked from one that has imported everything already.

They differ from commands typed into a shell only in the seconds saved: a process group of their
own, one thread, rank variables where several make up one run, and what they print in a file.
"""

import contextlib
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.e2e.moments import Moment, Witness

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        "videomae_cli.cli.app",
        "videomae_cli.tasks.train.pretrain",
        "videomae_cli.tasks.train.finetune",
        "tests.e2e.frozen",
    ]
)
TIMEOUT_SECONDS = 300.0
Hook = Moment | Witness


class Warm:
    """Starts commands; ends what is left of them.

    Args:
        output: A file for what they print.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self._started: list[BaseProcess] = []

    def __enter__(self) -> "Warm":
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self._started:
            if process.pid is not None and process.is_alive():
                os.killpg(process.pid, signal.SIGKILL)

    def start(
        self, words: Sequence[str | Path], *, world: int = 1, hooks: Sequence[Hook] = ()
    ) -> list[BaseProcess]:
        """Start `videomae WORDS`, as one process or as the ranks of one run, with hooks in them."""
        port = _free_port() if world > 1 else 0
        command = list(map(str, words))
        ranks = [
            _SERVER.Process(target=_command, args=(command, rank, world, port, self.output, hooks))
            for rank in range(world)
        ]
        for rank in ranks:
            rank.start()
        self._started += ranks
        return ranks

    def run(
        self, words: Sequence[str | Path], *, world: int = 1, hooks: Sequence[Hook] = ()
    ) -> list[int | None]:
        """Run a command to its end; return the exit code of each rank."""
        return [wait(rank) for rank in self.start(words, world=world, hooks=hooks)]

    def text(self) -> str:
        """Return all that was printed."""
        return self.output.read_text() if self.output.is_file() else ""


def wait(process: BaseProcess) -> int | None:
    """Wait for a process; return its exit code, negative for a signal."""
    process.join(TIMEOUT_SECONDS)
    assert not process.is_alive(), f"process {process.pid} never ended"
    return process.exitcode


def left_of(process: BaseProcess) -> list[str]:
    """Return the processes that are still there of the group that a command started."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,stat=,args=", "--pgroup", str(process.pid)],
        capture_output=True,
        text=True,
    ).stdout
    return [line for line in listed.splitlines() if line.split()[1][0] != "Z"]


def _command(
    words: list[str], rank: int, world: int, port: int, output: Path, hooks: Sequence[Hook]
) -> None:
    os.setsid()
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ["ACCELERATE_USE_CPU"] = "true"
    if world > 1:
        ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
        os.environ.update({name: str(value) for name, value in ranks.items()})
        os.environ.update({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)})
    import torch

    from videomae_cli.cli.app import run

    torch.set_num_threads(1)
    for hook in hooks:
        hook.arrange(rank)
    with contextlib.suppress(BrokenPipeError):
        sys.exit(run(words))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
