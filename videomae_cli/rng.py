"""Random generators that depend on their keys only.

Every random choice about the input of a model is drawn from `stream(seed, purpose, epoch, ...)`, so
it does not depend on the number of workers, on resuming or on the number of devices.
"""

import hashlib

import numpy as np

Key = int | str


def stream_seed(seed: int, *keys: Key) -> int:
    """Hash a seed and its keys to a number of 63 bits, for generators such as torch's."""
    return int.from_bytes(_digest(seed, keys)[:8], "little") >> 1


def stream(seed: int, *keys: Key) -> np.random.Generator:
    """Return a new NumPy generator (Philox) for these keys."""
    return np.random.Generator(np.random.Philox(int.from_bytes(_digest(seed, keys)[:16], "little")))


def _digest(seed: int, keys: tuple[Key, ...]) -> bytes:
    # repr distinguishes 1 from "1", and the commas of the tuple ("a", "bc") from ("ab", "c")
    return hashlib.blake2b(repr((int(seed), *keys)).encode(), digest_size=16).digest()
