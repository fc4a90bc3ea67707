"""Device, precision, processes and signals, all through one Accelerate object.

Model and optimizer are prepared by Accelerate; the loader and the schedule stay ours (exact resume,
see the loop). The random state a model uses (dropout, drop path) is reset at every step from the
seed, the step and the rank, so no generator state has to be saved.
"""

import ctypes
import os
import platform
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeVar

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list, gather_object
from torch import Tensor, nn

from videomae_cli.engine.sharding import exchange_gradients
from videomae_cli.engine.signals import Signals
from videomae_cli.errors import RecipeError, TrainingError, VideoMAEError
from videomae_cli.rng import stream_seed

Agreed = TypeVar("Agreed")
Row = TypeVar("Row")
Precision = Literal["fp32", "bf16", "fp16"]
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # glibc's malloc.h
_ACCELERATE_NAME = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


def resolve_precision(wanted: Precision | Literal["auto"], device_type: str) -> Precision:
    """Turn `auto` into the fastest safe precision of a device: bf16 where it is native.

    On a CPU that means AVX-512 bf16, AMX or ARM's bf16 instructions, as the kernel lists them.

    Raises:
        RecipeError: fp16 on a CPU.
    """
    if wanted == "fp16" and device_type == "cpu":
        raise RecipeError(
            "train.precision: fp16 needs a GPU; a CPU would compute in fp32 and not say so",
            "--set train.precision=bf16 (or fp32, or auto)",
        )
    if wanted != "auto":
        return wanted
    if device_type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if device_type == "cpu" and _cpu_has_bf16() else "fp32"


def _cpu_has_bf16() -> bool:
    flags = Path("/proc/cpuinfo")
    if not flags.is_file():
        return False
    words = set(flags.read_text(errors="replace").split())
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})


def keep_freed_memory() -> None:
    """Tell glibc to keep large freed blocks instead of returning them to the kernel at every step.

    Activations are allocated and freed once a step; asking the kernel for them anew costs page
    faults. Does nothing elsewhere than on Linux with glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL("libc.so.6")
    for parameter, value in (
        (M_MMAP_MAX, 0),  # take large blocks from the heap too
        (M_TRIM_THRESHOLD, 2**31 - 1),  # and leave the heap as large as it has been
        (M_TOP_PAD, 2**26),  # growing it 64 MiB at a time
    ):
        libc.mallopt(parameter, value)


class Runtime:
    """The machine as a run sees it. Use as a context manager: signals are ours only inside.

    Args:
        precision: `auto`, `fp32`, `bf16` or `fp16`.
        cpu: Stay on the CPU even where there is an accelerator.
    """

    def __init__(
        self, precision: Precision | Literal["auto"] = "auto", *, cpu: bool = False
    ) -> None:
        cpu = cpu or os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true")
        kind = "cpu" if cpu else _device_type()
        self.precision: Precision = resolve_precision(precision, kind)
        if kind == "cpu":
            keep_freed_memory()
        # one process may run several tasks, each with its own precision: forget the last one's
        AcceleratorState._reset_state()
        self.accelerator = Accelerator(mixed_precision=_ACCELERATE_NAME[self.precision], cpu=cpu)
        self.device: torch.device = self.accelerator.device
        self.rank: int = self.accelerator.process_index
        self.world: int = self.accelerator.num_processes
        self.local_world: int = int(os.environ.get("LOCAL_WORLD_SIZE") or self.world)
        self.is_main: bool = self.accelerator.is_main_process
        self.signals = Signals()

    def __enter__(self) -> "Runtime":
        self.signals.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.signals.__exit__(*exc)
        self.accelerator.free_memory()

    def summary(self) -> str:
        """Say in one line what we run on."""
        name = (
            torch.cuda.get_device_name(self.device)
            if self.device.type == "cuda"
            else f"{self.device.type}, {torch.get_num_threads()} threads"
        )
        return f"{self.world} process{'es' if self.world > 1 else ''} on {name}, {self.precision}"

    def reseed(self, seed: int, step: int) -> None:
        """Set the random state that the model draws from during a step."""
        torch.manual_seed(stream_seed(seed, "model", step, self.rank))

    def sum(self, values: list[float]) -> list[float]:
        """Add numbers up over all processes, in double precision."""
        if self.world == 1:
            return values
        wide = torch.float32 if self.device.type == "mps" else torch.float64
        total: Tensor = self.accelerator.reduce(
            torch.tensor(values, dtype=wide, device=self.device), reduction="sum"
        )
        return [float(value) for value in total.tolist()]

    def wait(self) -> None:
        """Wait for all processes."""
        self.accelerator.wait_for_everyone()

    def prepare(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, *, is_sharded: bool = False
    ) -> tuple[nn.Module, AcceleratedOptimizer]:
        """Make a model cast as the precision asks and, unless sharded, exchange gradients."""
        prepared: tuple[nn.Module, AcceleratedOptimizer] = (
            (
                self.accelerator.prepare_model(model, evaluation_mode=True),
                self.accelerator.prepare_optimizer(optimizer),
            )
            if is_sharded
            else self.accelerator.prepare(model, optimizer)
        )
        return prepared

    def unwrap(self, model: nn.Module) -> nn.Module:
        """Return the module inside, still casting as it was prepared to."""
        inside: nn.Module = self.accelerator.unwrap_model(model)
        return inside

    def asked_to_stop(self) -> int:
        """Return the signal that any process was sent, SIGINT before others; 0 for none."""
        received = self.signals.received
        interrupted, other = self.sum(
            [float(received == signal.SIGINT), float(received not in (None, signal.SIGINT))]
        )
        if interrupted:
            return int(signal.SIGINT)
        return int(signal.SIGTERM) if other else 0

    @contextmanager
    def accumulating(self, model: nn.Module, *, last: bool) -> Iterator[None]:
        """Hold back gradient exchange until the last micro-batch of a step."""
        exchange_gradients(model, now=last)
        if last:
            yield
            return
        with self.accelerator.no_sync(model):
            yield

    def to_device(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Move a micro-batch, without waiting where memory is pinned."""
        return {key: value.to(self.device, non_blocking=True) for key, value in batch.items()}

    def agree(self, value: Agreed) -> Agreed:
        """Return the main process's value on all of them."""
        agreed = [value]
        broadcast_object_list(agreed)
        return agreed[0]

    def gather(self, rows: list[Row]) -> list[Row]:
        """Return the rows of all processes together, rank by rank."""
        together: list[Row] = gather_object(rows)
        return together

    def scaler_state(self) -> dict[str, float]:
        """Return the loss scaler's numbers; empty unless training in fp16."""
        scaler = self.accelerator.scaler
        return {} if scaler is None else {name: float(v) for name, v in scaler.state_dict().items()}

    def forget_scaled(self) -> None:
        """Lower the scale after gradients that were not finite, and take no step with them."""
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.update()

    def load_scaler(self, numbers: dict[str, float]) -> None:
        """Bring the loss scaler back."""
        if numbers and self.accelerator.scaler is not None:
            whole = {"growth_interval", "_growth_tracker"}
            self.accelerator.scaler.load_state_dict(
                {name: int(v) if name in whole else v for name, v in numbers.items()}
            )

    def on_main(self, work: Callable[[], Agreed]) -> Agreed:
        """Do something on the main process while the others wait; return its result on all.

        Raises:
            VideoMAEError: The work failed; all processes raise it, so none is left waiting.
        """
        outcome: Agreed | VideoMAEError = TrainingError("the main process failed", "see above")
        try:
            if self.is_main:
                outcome = work()
        except VideoMAEError as error:
            outcome = error
        finally:
            outcome = self.agree(outcome)
        if isinstance(outcome, VideoMAEError):
            outcome.is_shared = True
            raise outcome
        return outcome


def _device_type() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
