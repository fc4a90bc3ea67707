"""Hand batches from worker processes to the main process in shared memory that is used again.

New memory costs more than the copy into it: the kernel clears each page when it is first touched,
and each process maps it anew. So a worker keeps its buffers, puts the tensors of a batch into one
that is free, and sends the rest, pickled, with the places of the tensors. The main process reads
them in place. The first byte of a buffer is 1 from then until all tensors of the batch, and all
views of them, are gone. If all buffers of a worker are in use, a batch gets one of its own.
"""

import itertools
import os
import pickle
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import get_worker_info
from torch.utils.data._utils.pin_memory import pin_memory

from videomae_cli.data.batches import Allocate
from videomae_cli.data.workers import MORE_SHARED_MEMORY
from videomae_cli.errors import TrainingError

HEADER = ALIGNMENT = 64  # bytes
_loaders = itertools.count()
_received: dict[tuple[int, int, int], Tensor] = {}
"""Buffers that workers have sent: loader, worker and number of the buffer -> its bytes."""


class Collate(Protocol):
    """Makes one batch of a list of samples, in the memory that `allocate` gives, if it is given."""

    def __call__(self, samples: list[Any], allocate: Allocate | None = None, /) -> Any:
        """Return the batch."""


class Place(NamedTuple):
    """Where a tensor is in a buffer."""

    first: int
    """Position of its first byte."""
    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def of(self, buffer: Tensor) -> Tensor:
        """Return the tensor; it shares the memory of the buffer."""
        # torch views bytes as another type if their number is a multiple of its size: 64 is
        return buffer[self.first :].view(self.dtype).as_strided(self.shape, self.stride)


@contextmanager
def share_batches(collate: Collate, buffers: int) -> Iterator[Callable[[list[Any]], Any]]:
    """Give a function for workers that collates samples into so many buffers for each of them.

    Without buffers it is `collate`. In the end the main process unmaps the buffers, as soon as no
    tensor refers to them.
    """
    if not buffers:
        yield collate
        return
    sender = Sender(collate, buffers)
    try:
        yield sender
    finally:
        for key in list(_received):  # after an error a thread of torch may still add one
            if key[0] == sender.loader:
                del _received[key]


def open_parcel(batch: Any) -> Any:
    """Return the batch of a parcel, and all else as it is: it was not sent, or has been opened."""
    return batch.open() if isinstance(batch, Parcel) else batch


class Parcel:
    """A batch on its way: its pickle, in which tensors are numbers, and the buffer they are in."""

    def __init__(
        self,
        key: tuple[int, int, int] | None,
        buffer: Tensor | None,
        places: list[Place],
        content: bytes,
    ) -> None:
        """Describe a batch; a buffer with a key is kept, and is sent only when it is new."""
        self.key, self.buffer, self.places, self.content = key, buffer, places, content

    def open(self) -> Any:
        """Return the batch. Called once, in the main process, in the order of sending."""
        if not self.places:
            return pickle.loads(self.content)
        buffer = _received[self.key] if self.buffer is None and self.key else self.buffer
        assert buffer is not None
        if self.key is not None:
            _received[self.key] = buffer
        leased = buffer.numpy()  # a new array, which the tensors of the batch keep alive
        weakref.finalize(leased, _release, buffer.numpy(), os.getpid()).atexit = False
        memory = torch.from_numpy(leased)
        return _Reader(self.content, [place.of(memory) for place in self.places]).load()

    def pin_memory(self) -> Any:
        """Return the batch in pinned memory; torch calls this in a thread of the main process."""
        return pin_memory(self.open())  # type: ignore[no-untyped-call]


class Sender:
    """Collates samples in a worker process, into one of its buffers, and returns a `Parcel`."""

    def __init__(self, collate: Collate, buffers: int) -> None:
        """Send what `collate` returns, in so many buffers for each worker."""
        self.collate, self.limit = collate, buffers
        self.loader = next(_loaders)
        self._buffers: list[Tensor] = []

    def __call__(self, samples: list[Any]) -> Parcel:
        """Return the collated samples, ready to be sent, or the reason why they cannot be sent."""
        try:
            return self._send(samples)
        except TrainingError as error:  # raised, torch would reduce it to text
            return Parcel(None, None, [], pickle.dumps(error))

    def _send(self, samples: list[Any]) -> Parcel:
        number = self._free_number()
        is_new = number is None or number == len(self._buffers)
        space = _Space(None if is_new else self._buffers[number or 0])
        writer = _Writer(self.collate(samples, space.allocate))
        size = HEADER + sum(_round_up(tensor.nbytes) for tensor in writer.tensors)
        sent = None
        if writer.tensors and not space.fits(writer.tensors):
            sent = _new_buffer(size)
            space = _Space(sent)
        places = [space.place(tensor) for tensor in writer.tensors]
        key = None
        if places and number is not None and (worker := get_worker_info()) is not None:
            key = self.loader, worker.id, number
            if sent is not None:
                self._buffers[number : number + 1] = [sent]
            self._buffers[number][0] = 1
        return Parcel(key, sent, places, writer.content)

    def _free_number(self) -> int | None:
        """Return the number of a buffer that is free or can be made; None if there is none."""
        for number, buffer in enumerate(self._buffers):
            if not buffer[0]:
                return number
        return len(self._buffers) if len(self._buffers) < self.limit else None


def _new_buffer(size: int) -> Tensor:
    """Return shared memory; if there is none, older versions of torch let the process die."""
    buffer = torch.zeros(size, dtype=torch.uint8)
    try:
        buffer.share_memory_()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        text = f"no shared memory for a batch of {size / 1e6:,.1f} MB: {error}"
        raise TrainingError(text, MORE_SHARED_MEMORY) from error
    return buffer


class _Space:
    """The bytes of a buffer behind its header; tensors are put there one behind the other."""

    def __init__(self, buffer: Tensor | None) -> None:
        self.buffer = torch.empty(0, dtype=torch.uint8) if buffer is None else buffer
        self.used = HEADER

    def allocate(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Return a contiguous tensor in the buffer, or elsewhere if it does not fit."""
        on_meta = torch.empty(tuple(shape), dtype=dtype, device="meta")
        if self.used + on_meta.nbytes > self.buffer.numel():
            return torch.empty(tuple(shape), dtype=dtype)
        return self._next(on_meta).of(self.buffer)

    def fits(self, tensors: Sequence[Tensor]) -> bool:
        """Return whether the buffer has space for the tensors that are not in it."""
        outside = sum(_round_up(x.nbytes) for x in tensors if not self._contains(x))
        return self.used + outside <= self.buffer.numel()

    def place(self, tensor: Tensor) -> Place:
        """Return where a tensor is, after copying it here if it is not here."""
        if self._contains(tensor):
            first = tensor.data_ptr() - self.buffer.data_ptr()
            return Place(first, tensor.dtype, tuple(tensor.shape), tensor.stride())
        place = self._next(torch.empty_like(tensor, device="meta"))
        place.of(self.buffer).copy_(tensor)
        return place

    def _next(self, on_meta: Tensor) -> Place:
        place = Place(self.used, on_meta.dtype, tuple(on_meta.shape), on_meta.stride())
        self.used += _round_up(on_meta.nbytes)
        return place

    def _contains(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage().data_ptr() == self.buffer.untyped_storage().data_ptr()


class _Writer(pickle.Pickler):
    """Pickles a batch; its tensors are replaced by numbers and kept."""

    def __init__(self, batch: Any) -> None:
        file = BytesIO()
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.tensors: list[Tensor] = []
        self.dump(batch)
        self.content = file.getvalue()

    def persistent_id(self, value: Any) -> int | None:
        if type(value) is not Tensor:
            return None
        self.tensors.append(value)
        return len(self.tensors) - 1


class _Reader(pickle.Unpickler):
    """Reads what `_Writer` has written."""

    def __init__(self, content: bytes, tensors: list[Tensor]) -> None:
        super().__init__(BytesIO(content))
        self.tensors = tensors

    def persistent_load(self, number: Any) -> Any:
        return self.tensors[number]


def _release(buffer: NDArray[np.uint8], process: int) -> None:
    """Give a buffer back to its worker, unless this is a copy of the process that leased it."""
    if os.getpid() == process:
        buffer[0] = 0


def _round_up(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
