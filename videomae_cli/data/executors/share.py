"""The share of one job, when several jobs divide a list of files among them: `--shard I/N`."""

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from videomae_cli.errors import UsageError

Item = TypeVar("Item")
_SHARE = re.compile(r"(\d{1,9})/(\d{1,9})", re.ASCII)


class Share(NamedTuple):
    """Which part of the work one job does; `number` counts from 0."""

    number: int = 0
    jobs: int = 1

    def __str__(self) -> str:
        """Return it as the flag has it: 0/4."""
        return f"{self.number}/{self.jobs}"

    @property
    def name(self) -> str:
        """Return it as part of a file name: `0-of-4`, `03-of-12`; names sort by number."""
        return f"{self.number:0{len(str(self.jobs - 1))}d}-of-{self.jobs}"

    def select(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return items `number`, `number + jobs`, `number + 2 jobs`, ... of a list."""
        return items[self.number :: self.jobs]

    def block(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return consecutive items of a list; the blocks of all jobs in turn are the list."""
        first, end = (len(items) * k // self.jobs for k in (self.number, self.number + 1))
        return items[first:end]


def parse_share(text: str | None) -> Share:
    """Read `--shard I/N`; without the flag, one job does everything.

    Raises:
        UsageError: It is not of this form, or I is not below N.
    """
    if text is None:
        return Share()
    match = _SHARE.fullmatch(text.strip())
    share = Share(*map(int, match.groups())) if match else Share(0, 0)
    if share.number >= share.jobs:
        raise UsageError(
            f"--shard {text}: expected I/N, with I from 0 to N - 1",
            "four jobs are --shard 0/4, 1/4, 2/4 and 3/4; in a Slurm array (--array=0-3):"
            " --shard $SLURM_ARRAY_TASK_ID/4",
        )
    return share
