"""Load the batches of training, and the order of samples.

The order is a pure function of (seed, epoch): step k uses positions (k mod S) * batch onward of
epoch k // S, where S is the number of whole batches in an epoch; the rest is dropped. A run resumes
by starting at a step.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from videomae_cli.data.batches import Allocate, AnyBatch, collate
from videomae_cli.data.dataset import SampleKey
from videomae_cli.data.workers import Clips, LoaderOptions, prefetch
from videomae_cli.errors import DataError, VideoMAEError
from videomae_cli.rng import stream

TIMEOUT_SECONDS = 600.0


class Order:
    """The order of samples: which `batch` samples over all devices belong to which step."""

    def __init__(self, videos: int, batch: int, seed: int) -> None:
        if videos < batch:
            raise DataError(
                f"{videos} videos do not fill one batch of {batch}",
                f"use --set train.batch={videos} or less, or prepare more videos",
            )
        self.videos, self.batch, self.seed = videos, batch, seed
        self.steps_per_epoch = videos // batch
        self._shuffled: tuple[int, np.ndarray[Any, Any]] | None = None

    def step_samples(self, step: int) -> list[SampleKey]:
        """Return the (epoch, index) pairs of step `step`, over all devices."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if self._shuffled is None or self._shuffled[0] != epoch:
            self._shuffled = epoch, stream(self.seed, "order", epoch).permutation(self.videos)
        first = position * self.batch
        return [(epoch, int(i)) for i in self._shuffled[1][first : first + self.batch]]


class Share(NamedTuple):
    """The part of each batch that one device processes, in `accumulation` micro-batches."""

    micro_batch: int
    accumulation: int = 1
    rank: int = 0
    world: int = 1

    @property
    def batch(self) -> int:
        """Samples per step over all devices."""
        return self.micro_batch * self.accumulation * self.world

    def micro_batches(self, keys: Sequence[SampleKey]) -> list[list[SampleKey]]:
        """Return this device's micro-batches of the samples of a step."""
        assert len(keys) == self.batch
        first = self.rank * self.accumulation
        return [
            list(keys[number * self.micro_batch : (number + 1) * self.micro_batch])
            for number in range(first, first + self.accumulation)
        ]


def load_train_batches(
    dataset: Clips,
    order: Order,
    share: Share,
    *,
    start_step: int,
    stop_step: int,
    workers: int,
    timeout_seconds: float = TIMEOUT_SECONDS,
    pin_memory: bool = False,
) -> Generator[Iterator[AnyBatch], None, None]:
    """Yield an iterator over the micro-batches of each step, `start_step` up to `stop_step` - 1.

    Close the generator, or drop all references to it, to end the workers early.

    Raises:
        DataError: A sample cannot be read, or takes longer than the time-out (with workers only).
        TrainingError: A worker died.
    """
    keys = _MicroBatchKeys(order, share, start_step, stop_step)
    options = LoaderOptions(workers, timeout_seconds, pin_memory)
    with closing(prefetch(dataset, keys, _collate_or_error, options)) as batches:
        for _ in range(start_step, stop_step):
            step = islice(batches, share.accumulation)
            yield step
            for _ in step:  # the rest of a step that was not read to its end
                pass


def load_each(
    dataset: Clips,
    keys: Sequence[Any],
    *,
    workers: int,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Generator[Any, None, None]:
    """Yield `dataset[key]` for each key (a number, or a `SampleKey`), in order; see `prefetch`."""
    options = LoaderOptions(workers, timeout_seconds, pin_memory=False)
    with closing(prefetch(dataset, [[key] for key in keys], _only_sample, options)) as items:
        yield from items


class _MicroBatchKeys:
    """The samples of each micro-batch of a run on one device, computed on iteration."""

    def __init__(self, order: Order, share: Share, start: int, stop: int) -> None:
        self.order, self.share, self.steps = order, share, range(start, stop)

    def __iter__(self) -> Iterator[list[SampleKey]]:
        for step in self.steps:
            yield from self.share.micro_batches(self.order.step_samples(step))


def _collate_or_error(samples: list[Any], allocate: Allocate | None = None) -> Any:
    errors = (sample for sample in samples if isinstance(sample, VideoMAEError))
    return next(errors, None) or collate(samples, allocate)


def _only_sample(samples: list[Any], _: Allocate | None = None) -> Any:
    return samples[0]
