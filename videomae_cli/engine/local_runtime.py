"""One device in this process, for models that are used as a library.

Unlike a `Runtime` it changes nothing outside itself: no signal handler, no state of Accelerate, no
group of processes (each process of a distributed program has its own), no setting of the allocator.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, TypeVar, get_args

import torch

from videomae_cli.engine.runtime import Precision, detect_device_type, resolve_precision
from videomae_cli.errors import RecipeError, UsageError

Value = TypeVar("Value")
Row = TypeVar("Row")
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class LocalRuntime:
    """A device, a precision, and the number of worker processes that decode videos.

    Args:
        device: Such as "cpu", "cuda" or "cuda:1"; None: a GPU if there is one.
        precision: As in recipes; `auto`: the fastest safe one of the device.
        workers: Number of worker processes; 0: this process decodes.

    Raises:
        UsageError: There is no such device, it does not support the precision, or the number is
            negative.
    """

    rank = 0
    world = 1

    def __init__(
        self,
        device: str | torch.device | None = None,
        precision: Precision | Literal["auto"] = "auto",
        *,
        workers: int = 0,
    ) -> None:
        if workers < 0:
            raise UsageError(f"workers={workers}: must be 0 or more", "use workers=0 or workers=2")
        self.device: torch.device = _find_device(device)
        self.precision: Precision = _resolve(precision, self.device.type)
        self.workers = workers

    def worker_count(self, requested: int | Literal["auto"]) -> int:
        """Return the number of decoding processes."""
        return self.workers if requested == "auto" else requested

    def autocast(self) -> AbstractContextManager[None]:
        """Return a context in which a model computes in the precision."""
        if self.precision == "fp32":
            return nullcontext()
        context: AbstractContextManager[None] = torch.autocast(
            self.device.type, dtype=_TYPES[self.precision]
        )
        return context

    def interruptible(self) -> AbstractContextManager[None]:
        """Return a context without effect: Ctrl-C raises `KeyboardInterrupt` everywhere."""
        return nullcontext()

    def stop_signal(self) -> int:
        """Return 0: signals are not handled here."""
        return 0

    def run_on_rank0(self, work: Callable[[], Value]) -> Value:
        """Run a function."""
        return work()

    def gather(self, rows: list[Row]) -> list[Row]:
        """Return the rows."""
        return rows


def _resolve(precision: Precision | Literal["auto"], device_type: str) -> Precision:
    names = ("auto", *get_args(Precision))
    if precision not in names:
        raise UsageError(f"precision {precision!r} is unknown", f"one of {', '.join(names)}")
    try:
        return resolve_precision(precision, device_type)
    except RecipeError as error:
        message = error.message.removeprefix("train.precision: ")
        raise UsageError(message, "use bf16, fp32 or auto") from error


def _find_device(name: str | torch.device | None) -> torch.device:
    try:
        device = torch.device(detect_device_type() if name is None else name)
        torch.empty(0, device=device)  # fails if there is no such device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"device {str(name)!r} cannot be used: {reason}",
            f"leave it out: the default on this machine is {detect_device_type()!r}",
        ) from error
    return device
