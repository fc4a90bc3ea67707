"""The key lists of `tests/data/keys`: name and shape of every tensor of the public checkpoints.

`{0-11}` in a name stands for twelve tensors. The first line names format and table.
"""

import re
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

FOLDER = Path(__file__).resolve().parent.parent / "data" / "keys"
NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))


class KeyList(NamedTuple):
    """One checkpoint without its values."""

    format: str
    table: str
    count: int
    weights: dict[str, Tensor]


def read(name: str) -> KeyList:
    """Read a list as `meta` tensors."""
    first, *lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    header = re.fullmatch(r"# ([\w-]+), ([\w ]+): .*; (\d+) tensors", first)
    assert header is not None, first
    weights = {}
    for line in lines:
        pattern, size = line.split()
        shape = [int(length) for length in size.split("x")]
        numbers = re.search(r"\{0-(\d+)\}", pattern)
        for number in range(int(numbers[1]) + 1 if numbers else 1):
            key = re.sub(r"\{.*\}", str(number), pattern)
            weights[key] = torch.empty(shape, device="meta")
    return KeyList(header[1], header[2], int(header[3]), weights)
