"""Give out work of a cluster, and find out which part of it kills the workers."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Generic, Protocol, TypeVar

Self = TypeVar("Self", bound="Divisible")


class Divisible(Protocol):
    """Work for one worker."""

    @property
    def is_alone(self) -> bool:
        """Whether it is one file that runs while nothing else does."""

    def divide(self: Self) -> Sequence[Self]:
        """Return the same work, each file alone."""


Work = TypeVar("Work", bound=Divisible)


class Queue(Generic[Work]):
    """Work, and then the files of what workers died of, each while nothing else runs.

    Work that waits on a worker while that one dies of other work is blamed too.
    """

    def __init__(self, work: Iterator[Work]) -> None:
        self._work = work
        self._suspects: deque[Work] = deque()
        self.running = 0

    def next(self) -> Work | None:
        """Return the next work; None if there is none, or others must end before it."""
        work = next(self._work, None)
        if work is None and self._suspects and not self.running:
            work = self._suspects.popleft()
        self.running += work is not None
        return work

    def blame(self, work: Work) -> bool:
        """Return whether workers die of this work; if that is not sure, its files run again."""
        if not work.is_alone:
            self._suspects.extend(work.divide())
        return work.is_alone
