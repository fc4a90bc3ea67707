"""Which samples make step k.

The order is a pure function of (seed, epoch): step k takes positions (k mod S) * batch onward of
epoch k // S, where S is the number of whole batches in an epoch; the tail is dropped. Nothing is
stored, so resuming is starting at a step, and world size and workers change nothing.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from videomae_cli.data.batches import AnyBatch, collate
from videomae_cli.data.dataset import Sample
from videomae_cli.data.workers import Clips, LoaderOptions, prefetch
from videomae_cli.errors import DataError, VideoMAEError
from videomae_cli.rng import stream

TIMEOUT_SECONDS = 600.0


class Order:
    """Which samples make which step.

    Args:
        videos: Videos in the split.
        batch: Samples per step over all devices.
        seed: The run's seed.

    Raises:
        DataError: There are fewer videos than one batch takes.
    """

    def __init__(self, videos: int, batch: int, seed: int) -> None:
        if videos < batch:
            raise DataError(
                f"{videos} videos do not fill one batch of {batch}",
                f"take --set train.batch={videos} or less, or prepare more videos",
            )
        self.videos, self.batch, self.seed = videos, batch, seed
        self.steps_per_epoch = videos // batch
        self._shuffled: tuple[int, np.ndarray[Any, Any]] | None = None

    def step_samples(self, step: int) -> list[Sample]:
        """Return the (epoch, index) pairs of step `step`, over all devices."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if self._shuffled is None or self._shuffled[0] != epoch:
            self._shuffled = epoch, stream(self.seed, "order", epoch).permutation(self.videos)
        first = place * self.batch
        return [(epoch, int(i)) for i in self._shuffled[1][first : first + self.batch]]


class Share(NamedTuple):
    """The part of each batch that one device takes, in `accumulation` micro-batches."""

    micro_batch: int
    accumulation: int = 1
    rank: int = 0
    world: int = 1

    @property
    def batch(self) -> int:
        """Samples per step over all devices."""
        return self.micro_batch * self.accumulation * self.world

    def of(self, samples: Sequence[Sample]) -> list[list[Sample]]:
        """Return this device's micro-batches of a step's samples."""
        assert len(samples) == self.batch
        first = self.rank * self.accumulation
        return [
            list(samples[number * self.micro_batch : (number + 1) * self.micro_batch])
            for number in range(first, first + self.accumulation)
        ]


def train_batches(
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

    Close the generator (or let go of it) to end the workers early.

    Raises:
        DataError: A sample cannot be read, or takes longer than the time-out (with workers only).
        TrainingError: A worker died.
    """
    plan = _Plan(order, share, start_step, stop_step)
    carry = LoaderOptions(workers, timeout_seconds, pin_memory)
    with closing(prefetch(dataset, plan, _join, carry)) as batches:
        for _ in range(start_step, stop_step):
            step = islice(batches, share.accumulation)
            yield step
            for _ in step:  # a step left half-way must not shift the next one
                pass


def each_video(
    dataset: Clips,
    keys: Sequence[Any],
    *,
    workers: int,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Iterator[Any]:
    """Yield `dataset[key]` for each key (a number, or a `Sample`), in order, read ahead by workers.

    Raises:
        DataError: A video takes longer than the time-out (with workers only).
        TrainingError: A worker died.
    """
    carry = LoaderOptions(workers, timeout_seconds, pin_memory=False)
    with closing(prefetch(dataset, [[key] for key in keys], _only, carry)) as items:
        yield from items


class _Plan:
    """The micro-batches of a run on one device, made as they are asked for."""

    def __init__(self, order: Order, share: Share, start: int, stop: int) -> None:
        self.order, self.share, self.steps = order, share, range(start, stop)

    def __len__(self) -> int:
        return len(self.steps) * self.share.accumulation

    def __iter__(self) -> Iterator[list[Sample]]:
        for step in self.steps:
            yield from self.share.of(self.order.step_samples(step))


def _join(samples: list[Any]) -> Any:
    return next((item for item in samples if isinstance(item, VideoMAEError)), None) or collate(
        samples
    )


def _only(samples: list[Any]) -> Any:
    return samples[0]
