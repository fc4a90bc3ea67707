"""Damage to files, drawn from a seed: flipped bits, cuts, moved blocks, edited headers."""

from collections.abc import Callable

import numpy as np

Rng = np.random.Generator
HEADER = 2048  # bytes at the start (and, for indices, the end) in which numbers are edited
NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def flip_bits(data: bytearray, rng: Rng) -> bytearray:
    for place in rng.integers(len(data), size=int(rng.integers(1, 60))):
        data[place] ^= 1 << int(rng.integers(8))
    return data


def cut(data: bytearray, rng: Rng) -> bytearray:
    return data[: int(rng.integers(1, len(data)))]


def cut_start(data: bytearray, rng: Rng) -> bytearray:
    return data[int(rng.integers(1, len(data))) :]


def swap_blocks(data: bytearray, rng: Rng) -> bytearray:
    size = int(rng.integers(16, max(len(data) // 4, 17)))
    one, other = (int(start) for start in rng.integers(max(len(data) - size, 1), size=2))
    data[one : one + size], data[other : other + size] = (
        data[other : other + size],
        data[one : one + size],
    )
    return data


def repeat_block(data: bytearray, rng: Rng) -> bytearray:
    start, size = int(rng.integers(len(data))), int(rng.integers(1, 4000))
    return data[: start + size] + data[start:]


def clear_block(data: bytearray, rng: Rng) -> bytearray:
    start = int(rng.integers(len(data)))
    size = min(int(rng.integers(1, 4000)), len(data) - start)
    data[start : start + size] = bytes(size)
    return data


def edit_header(data: bytearray, rng: Rng) -> bytearray:
    at_end = rng.random() < 0.3
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(min(HEADER, len(data) - 4)))
        place = len(data) - 4 - place if at_end else place
        order = "big" if rng.random() < 0.5 else "little"
        number = NUMBERS[int(rng.integers(len(NUMBERS)))]
        size = 4 if number > 0xFFFF or rng.random() < 0.5 else 2
        data[place : place + size] = number.to_bytes(size, order)  # type: ignore[arg-type]
    return data


def make_noise(data: bytearray, rng: Rng) -> bytearray:
    """Keep the start, by which the format is recognised."""
    keep = int(rng.integers(8, 64))
    return data[:keep] + rng.bytes(len(data) - keep)


MUTATIONS: tuple[Callable[[bytearray, Rng], bytearray], ...] = (
    flip_bits,
    cut,
    cut_start,
    swap_blocks,
    repeat_block,
    clear_block,
    edit_header,
    make_noise,
)
