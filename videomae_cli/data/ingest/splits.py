"""A seeded random split, stratified by class, that hardly moves when videos are added.

Each video has a fixed place in a line that depends on the seed and its path alone; the first
`fraction` of each class's line goes to val. A new video shifts at most one other across the border.
"""

from collections import defaultdict
from collections.abc import Sequence

from videomae_cli.rng import stream_seed


def random_split(
    paths: Sequence[str], labels: Sequence[int | None], *, fraction: float, seed: int
) -> list[str]:
    """Return "train" or "val" for each video.

    Of n videos of a class round(n * fraction) go to val, at least one when n is 2 or more, and
    never all; a fraction of 0 keeps everything in train.
    """
    lines: dict[int | None, list[int]] = defaultdict(list)
    for place in sorted(range(len(paths)), key=lambda place: _key(paths[place], seed)):
        lines[labels[place]].append(place)
    splits = ["train"] * len(paths)
    for line in lines.values():
        count = min(max(round(len(line) * fraction), 1), len(line) - 1) if fraction > 0 else 0
        for place in line[:count]:
            splits[place] = "val"
    return splits


def _key(path: str, seed: int) -> tuple[int, str]:
    return stream_seed(seed, "split", path), path
