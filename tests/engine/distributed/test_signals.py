import os
import signal
import subprocess
import sys
import time

import pytest

from videomae_cli.engine.distributed.signals import Interrupted, SignalHandler, exit_code

# never checks for a stop request; its child, like a decoding process, ignores the signals
STUBBORN = """
import multiprocessing, signal, time
from videomae_cli.engine.distributed.signals import STOP_SIGNALS, SignalHandler

def decode():
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    time.sleep(60)

with SignalHandler():
    child = multiprocessing.get_context("fork").Process(target=decode)
    child.start()
    print(child.pid, flush=True)
    while True:
        time.sleep(60)
"""


def is_there(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return state.stdout.strip()[:1] not in ("", "Z")


def test_a_second_signal_ends_the_process_and_its_decoding_processes_at_once() -> None:
    process = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    assert process.stdout is not None
    child = int(process.stdout.readline())

    process.terminate()
    process.terminate()  # forwarded by a launcher: the same request
    time.sleep(1.2)
    assert process.poll() is None
    process.terminate()

    assert process.wait(10) == 128 + signal.SIGTERM
    process.stdout.close()
    deadline = time.monotonic() + 10
    while is_there(child) and time.monotonic() < deadline:  # killed, but not yet gone
        time.sleep(0.05)
    assert not is_there(child)


def test_the_request_after_a_schedulers_warning_does_not_end_the_process_at_once() -> None:
    process = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()

    process.send_signal(signal.SIGUSR1)
    time.sleep(1.2)
    process.terminate()
    time.sleep(1.5)
    assert process.poll() is None, "a checkpoint may be half written"
    process.terminate()

    assert process.wait(10) == 128 + signal.SIGTERM
    process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_interrupts_waiting_but_not_work(number: signal.Signals) -> None:
    with SignalHandler() as signals:
        os.kill(os.getpid(), number)  # during work: only recorded
        assert signals.received == number

        with pytest.raises(Interrupted), signals.interruptible():
            time.sleep(10)

    with SignalHandler() as signals, pytest.raises(Interrupted), signals.interruptible():
        os.kill(os.getpid(), number)
        time.sleep(10)


def test_exit_codes_distinguish_ctrl_c_from_a_scheduler() -> None:
    assert [exit_code(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)] == [130, 75, 75]
