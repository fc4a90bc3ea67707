import os
import signal
import subprocess
import sys
import time

import pytest

from videomae_cli.engine.distributed.signals import Interrupted, Signals, exit_code

# never asks whether to stop; its child, as a decoding process, ignores what ends others
STUBBORN = """
import multiprocessing, signal, time
from videomae_cli.engine.distributed.signals import NUMBERS, Signals

def decode():
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)
    time.sleep(60)

with Signals():
    child = multiprocessing.get_context("fork").Process(target=decode)
    child.start()
    print(child.pid, flush=True)
    while True:
        time.sleep(60)
"""


def is_there(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return state.stdout.strip()[:1] not in ("", "Z")


def test_a_second_signal_leaves_at_once_and_takes_the_decoding_processes_along() -> None:
    process = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    assert process.stdout is not None
    child = int(process.stdout.readline())

    process.terminate()
    process.terminate()  # passed on by a launcher: the same request
    time.sleep(1.2)
    assert process.poll() is None
    process.terminate()

    assert process.wait(10) == 128 + signal.SIGTERM
    process.stdout.close()
    deadline = time.monotonic() + 10
    while is_there(child) and time.monotonic() < deadline:  # killed, not yet gone
        time.sleep(0.05)
    assert not is_there(child)


def test_a_schedulers_warning_leaves_time_for_what_it_warns_of() -> None:
    process = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()

    process.send_signal(signal.SIGUSR1)
    time.sleep(1.2)
    process.terminate()
    time.sleep(1.5)
    assert process.poll() is None, "a save may be under way"
    process.terminate()

    assert process.wait(10) == 128 + signal.SIGTERM
    process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_wait_is_cut_short_and_work_is_not(number: signal.Signals) -> None:
    with Signals() as signals:
        os.kill(os.getpid(), number)  # while working: only noted
        assert signals.received == number

        with pytest.raises(Interrupted), signals.interruptible():
            time.sleep(10)

    with Signals() as signals, pytest.raises(Interrupted), signals.interruptible():
        os.kill(os.getpid(), number)
        time.sleep(10)


def test_exit_codes_tell_ctrl_c_from_a_scheduler() -> None:
    assert [exit_code(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)] == [130, 75, 75]
