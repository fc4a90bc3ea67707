"""Randomness as data: a generator that depends on its keys and on nothing else.

Every choice that decides what a model sees is drawn from `stream(seed, purpose, epoch, ...)`, so it
is the same whatever the number of workers, after any resume, and on any number of devices.
"""

import hashlib

import numpy as np

Key = int | str


def stream_seed(seed: int, *keys: Key) -> int:
    """Hash a seed and its keys into 63 bits, for generators that want a number (as torch's)."""
    return int.from_bytes(_digest(seed, keys)[:8], "little") >> 1


def stream(seed: int, *keys: Key) -> np.random.Generator:
    """Return a fresh NumPy generator (Philox) for these keys."""
    return np.random.Generator(np.random.Philox(int.from_bytes(_digest(seed, keys)[:16], "little")))


def _digest(seed: int, keys: tuple[Key, ...]) -> bytes:
    # repr keeps 1 and "1" apart, and the tuple's commas keep ("a", "bc") and ("ab", "c") apart
    return hashlib.blake2b(repr((int(seed), *keys)).encode(), digest_size=16).digest()
