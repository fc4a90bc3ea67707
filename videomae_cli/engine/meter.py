"""A meter for memory: what pieces of work take at most, one after the other, and out of how much.

On a GPU torch counts what it allocates. On a CPU the process's resident memory is read, after what
was freed has been handed back, so that every piece of work starts from the same level.
"""

import ctypes
import gc
import platform
from collections.abc import Callable

import torch
from accelerate.utils.memory import should_reduce_batch_size

from videomae_cli.engine.memory import forget_peak, free_bytes, held_bytes, peak_bytes


class Meter:
    """Counts memory on top of what the process holds when the meter is made.

    Use as a context manager: afterwards memory and the process's peak are as before.

    Args:
        device: Whose memory.
        free: Bytes at hand; None asks the system.
    """

    def __init__(self, device: torch.device, free: int | None = None) -> None:
        self.device = device
        gc.collect()
        hand_back(device)
        self.free = free_bytes(device) if free is None else free
        self._held = held_bytes(device) if forget_peak(device) else None

    @property
    def works(self) -> bool:
        """Whether the system says what a meter needs to know."""
        return self.free is not None and self._held is not None

    def __enter__(self) -> "Meter":
        return self

    def __exit__(self, *exc: object) -> None:
        gc.collect()
        hand_back(self.device)
        forget_peak(self.device)

    def most(self, work: Callable[[], None]) -> int | None:
        """Do the work; return the most bytes that were in use, None if memory ran out."""
        assert self._held is not None
        hand_back(self.device)
        forget_peak(self.device)
        try:
            work()
        except (RuntimeError, MemoryError) as error:
            if not (isinstance(error, MemoryError) or should_reduce_batch_size(error)):
                raise
            return None  # the error, and with it all that the work held, is let go
        peak = peak_bytes(self.device)
        assert peak is not None
        return max(0, peak - self._held)


def hand_back(device: torch.device) -> None:
    """Give memory that is no longer used back to the device or the system."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif platform.libc_ver()[0] == "glibc":
        ctypes.CDLL("libc.so.6").malloc_trim(0)
