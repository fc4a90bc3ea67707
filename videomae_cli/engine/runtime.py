"""Device, precision, processes and signals, through one Accelerate object.

Accelerate prepares model and optimizer. The data loader and the learning rate schedule are ours, so
that a run can be resumed exactly. The random state that a model uses (dropout, drop path) is set at
every step from seed, step and rank, so no generator state has to be saved.
"""

import ctypes
import os
import platform
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Literal, TypeVar

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list, gather_object
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from videomae_cli.engine.distributed.fsdp import set_gradient_sync
from videomae_cli.engine.distributed.signals import SignalHandler
from videomae_cli.errors import RecipeError, TrainingError, VideoMAEError
from videomae_cli.rng import stream_seed

Value = TypeVar("Value")
Row = TypeVar("Row")
Batch = TypeVar("Batch", bound=tuple[Tensor, ...])
Precision = Literal["fp32", "bf16", "fp16"]
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # glibc's malloc.h
_ACCELERATE_NAME = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


def resolve_precision(precision: Precision | Literal["auto"], device_type: str) -> Precision:
    """Resolve `auto` to the fastest safe precision of a device: bf16 where it is native.

    On a CPU, native means AVX-512 bf16, AMX or ARM bf16 instructions, as the kernel lists them, and
    fp16 is a `RecipeError`.
    """
    if precision == "fp16" and device_type == "cpu":
        raise RecipeError(
            "train.precision: fp16 needs a GPU; a CPU would compute in fp32 instead",
            "--set train.precision=bf16 (or fp32, or auto)",
        )
    if precision != "auto":
        return precision
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
    """Make glibc keep large freed blocks instead of returning them to the kernel at every step.

    Activations are allocated and freed at every step; getting them from the kernel each time costs
    page faults. Does nothing except on Linux with glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL("libc.so.6")
    for parameter, value in (
        (M_MMAP_MAX, 0),  # allocate large blocks on the heap too
        (M_TRIM_THRESHOLD, 2**31 - 1),  # never shrink the heap
        (M_TOP_PAD, 2**26),  # grow it by 64 MiB at a time
    ):
        libc.mallopt(parameter, value)


class Runtime:
    """Device and processes of a run; as a context manager it handles signals inside the block."""

    def __init__(
        self, precision: Precision | Literal["auto"] = "auto", *, cpu: bool = False
    ) -> None:
        cpu = cpu or _requires_cpu()
        kind = "cpu" if cpu else detect_device_type()
        self.precision: Precision = resolve_precision(precision, kind)
        if kind == "cpu":
            keep_freed_memory()
        # one process may run several tasks with different precisions: discard the last one's
        AcceleratorState._reset_state()
        self.accelerator = Accelerator(mixed_precision=_ACCELERATE_NAME[self.precision], cpu=cpu)
        self.device: torch.device = self.accelerator.device
        self.rank: int = self.accelerator.process_index
        self.world: int = self.accelerator.num_processes
        self.local_world: int = int(os.environ.get("LOCAL_WORLD_SIZE") or self.world)
        self.is_main: bool = self.accelerator.is_main_process
        self.signals = SignalHandler()

    def __enter__(self) -> "Runtime":
        self.signals.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.signals.__exit__(*exc)
        self.accelerator.free_memory()

    def summary(self) -> str:
        """Return processes, device and precision in one line."""
        threads = torch.get_num_threads()
        name = (
            torch.cuda.get_device_name(self.device)
            if self.device.type == "cuda"
            else f"{self.device.type}, {threads} thread{'s' if threads > 1 else ''}"
        )
        return f"{self.world} process{'es' if self.world > 1 else ''} on {name}, {self.precision}"

    def reseed(self, seed: int, step: int) -> None:
        """Seed the global generator that the model uses during a step."""
        torch.manual_seed(stream_seed(seed, "model", step, self.rank))

    def sum(self, values: list[float]) -> list[float]:
        """Sum values over all processes, in double precision."""
        if self.world == 1:
            return values
        wide = torch.float32 if self.device.type == "mps" else torch.float64
        total: Tensor = self.accelerator.reduce(
            torch.tensor(values, dtype=wide, device=self.device), reduction="sum"
        )
        return [float(value) for value in total.tolist()]

    def prepare(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, *, is_sharded: bool = False
    ) -> tuple[nn.Module, AcceleratedOptimizer]:
        """Wrap a model on its device for mixed precision and, unless sharded, data parallelism."""
        # before Accelerate places a model, it imports torch's sharding to ask whether it is sharded
        wrapped: nn.Module = self.accelerator.prepare_model(
            model, device_placement=False, evaluation_mode=is_sharded
        )
        return wrapped, self.accelerator.prepare_optimizer(optimizer)

    def unwrap(self, model: nn.Module) -> nn.Module:
        """Return the wrapped module; it keeps its mixed-precision casts."""
        # Accelerate's `unwrap_model` imports torch's compiler to ask whether it has wrapped it
        return model.module if isinstance(model, DistributedDataParallel) else model

    def autocast(self) -> AbstractContextManager[None]:
        """Return a context in which a model computes in the precision of the run."""
        context: AbstractContextManager[None] = self.accelerator.autocast()
        return context

    def interruptible(self) -> AbstractContextManager[None]:
        """Let a signal raise `Interrupted` in this block, also one that was recorded before."""
        return self.signals.interruptible()

    def stop_signal(self) -> int:
        """Return the signal that any process received, SIGINT before others; 0 for none."""
        received = self.signals.received
        interrupted, other = self.sum(
            [float(received == signal.SIGINT), float(received not in (None, signal.SIGINT))]
        )
        if interrupted:
            return int(signal.SIGINT)
        return int(signal.SIGTERM) if other else 0

    @contextmanager
    def accumulate_gradients(self, model: nn.Module, *, is_last: bool) -> Iterator[None]:
        """Exchange gradients between processes only for the last micro-batch of a step."""
        set_gradient_sync(model, enabled=is_last)
        with nullcontext() if is_last else self.accelerator.no_sync(model):
            yield

    def to_device(self, batch: Batch) -> Batch:
        """Move all tensors of a NamedTuple; pinned ones, which no worker uses again, later."""
        return type(batch)(*(x.to(self.device, non_blocking=x.is_pinned()) for x in batch))

    def worker_count(self, requested: int | Literal["auto"]) -> int:
        """Return the number of decoding processes per training process.

        `auto` divides the cores of this machine among its training processes: on a GPU machine all
        but one core each (16 at most), on a CPU half of them.
        """
        if requested != "auto":
            return requested
        cores = max(1, (os.cpu_count() or 1) // self.local_world)
        return max(1, cores // 2 if self.device.type == "cpu" else min(cores - 1, 16))

    def broadcast(self, value: Value) -> Value:
        """Return the value that rank 0 has, on every process."""
        values = [value]
        broadcast_object_list(values)
        return values[0]

    def gather(self, rows: list[Row]) -> list[Row]:
        """Return the rows of all processes, concatenated in order of rank, on every process."""
        gathered: list[Row] = gather_object(rows)
        return gathered

    def scaler_state(self) -> dict[str, float]:
        """Return the state of the fp16 loss scaler; empty in other precisions."""
        scaler = self.accelerator.scaler
        return {} if scaler is None else {name: float(v) for name, v in scaler.state_dict().items()}

    def skip_scaler_update(self) -> None:
        """Lower the fp16 loss scale after non-finite gradients, without an optimizer step."""
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.update()

    def load_scaler(self, state: dict[str, float]) -> None:
        """Restore the fp16 loss scaler."""
        if state and self.accelerator.scaler is not None:
            integers = {"growth_interval", "_growth_tracker"}
            self.accelerator.scaler.load_state_dict(
                {name: int(v) if name in integers else v for name, v in state.items()}
            )

    def run_on_rank0(self, work: Callable[[], Value]) -> Value:
        """Run a function on rank 0 while the others wait; return its result on every process.

        Every process raises the `VideoMAEError` of the function, so none is left waiting.
        """
        outcome: Value | VideoMAEError = TrainingError("the process of rank 0 failed", "see above")
        try:
            if self.is_main:
                outcome = work()
        except VideoMAEError as error:
            outcome = error
        finally:
            outcome = self.broadcast(outcome)
        if isinstance(outcome, VideoMAEError):
            outcome.is_shared = True
            raise outcome
        return outcome


def _requires_cpu() -> bool:
    return os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true")


def detect_device_type() -> str:
    """Return the type of the device that is used by default: a GPU if there is one."""
    if _requires_cpu():
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
