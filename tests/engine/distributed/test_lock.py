import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from videomae_cli.engine.distributed.lock import lock_directory
from videomae_cli.errors import TrainingError

LOCK = """
import sys, time
from pathlib import Path
from videomae_cli.engine.distributed.lock import lock_directory
with lock_directory(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_refused_and_a_crash_releases_the_lock(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", LOCK, tmp_path], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"locked\n"

    with (
        pytest.raises(TrainingError, match=rf"in use by another run \(process {holder.pid} on "),
        lock_directory(tmp_path),
    ):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.communicate()

    with lock_directory(tmp_path):
        assert f"process {os.getpid()} on" in (tmp_path / ".lock").read_text()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_does_not_keep_the_lock_of_a_killed_run(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    holder = os.fork()
    if holder == 0:
        with lock_directory(tmp_path):
            if os.fork() == 0:  # like a decoding process: it outlives the process with the lock
                signal.alarm(30)
                os.write(writing, str(os.getpid()).encode())
                signal.pause()
            signal.pause()
    orphan = int(os.read(reading, 20))
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)

    with lock_directory(tmp_path):
        pass
    os.kill(orphan, signal.SIGKILL)
