"""Find videos that show nearly the same, in different splits or with different labels.

Two videos are near-duplicates if their hashes (3 frames of 64 bits) differ in at most 11 bits and
their lengths in seconds by at most 10 %. Hashes that differ in so few bits are equal in at least
one of 12 bands of 16 bits, so only videos that share a band are compared. In a band that more than
2,000 different hashes share, each is compared with the next ones in sorted order only.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from videomae_cli.data.manifest import SPLITS
from videomae_cli.tasks.prepare.health.finding import DataSet, Example, Finding, Item, first
from videomae_cli.units import plural

FRAMES, BITS, BAND_BITS, MAX_BITS = 3, 64, 16, 11
LENGTH_SHARE = 0.1
CROWD, NEIGHBOURS = 2000, 50
COPIES, MAX_COPIES = 2, 40  # of one split and label, and of all with one hash


class Pair(NamedTuple):
    """Two near-duplicates."""

    one: Item
    other: Item
    bits: int
    """In how many of 192 bits their hashes differ."""


def find_leaks(data: DataSet, pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Report near-duplicates of training videos in val and test, and those across val and test."""
    across = [pair for pair in pairs if pair.one.video.split != pair.other.video.split]
    if across:
        held_out = {
            item.path for pair in across for item in pair[:2] if item.video.split != "train"
        }
        yield Finding(
            "near-duplicates-across-splits",
            "error",
            len(held_out),
            f"{plural(len(held_out))} of val or test nearly the same as one of another split:"
            " results on them are too good",
            "put all copies and all clips of one recording into one split, or leave them out",
            first(_examples(across, lambda item: item.video.split)),
        )


def find_label_conflicts(data: DataSet, pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Report near-duplicates with different labels."""
    conflicts = [
        pair
        for pair in pairs
        if pair.one.video.is_labelled
        and pair.other.video.is_labelled
        and _label(pair.one) != _label(pair.other)
    ]
    if conflicts:
        paths = {item.path for pair in conflicts for item in pair[:2]}
        yield Finding(
            "near-duplicates-with-different-labels",
            "warning",
            len(paths),
            f"{plural(len(paths))} nearly the same as another with a different label",
            "compare them: one label may be wrong, or the clips need more than one label "
            "(--task multi-label)",
            first(_examples(conflicts, lambda item: _label_name(item, data.classes))),
        )


def find_pairs(items: Sequence[Item]) -> list[Pair]:
    """Return near-duplicates in different splits or with different labels, the nearest first."""
    groups: dict[int, list[Item]] = defaultdict(list)
    for item in items:
        code = read_code(item.health.hashes)
        if code is not None:
            groups[code].append(item)
    near = [(code, code) for code in groups if len(groups[code]) > 1]
    near += _near_codes(sorted(groups))
    pairs: dict[tuple[str, str], Pair] = {}
    for one_code, other_code in near:
        for left, right in {(one_code, other_code), (other_code, one_code)}:
            bits = (left ^ right).bit_count()
            for one, other in product(groups[left], _choose_some(groups[right])):
                if _matters(one, other):
                    former, later = sorted((one, other), key=_place)
                    pairs[former.path, later.path] = Pair(former, later, bits)
    return sorted(pairs.values(), key=lambda pair: (pair.bits, pair.one.path, pair.other.path))


def read_code(hashes: Sequence[str]) -> int | None:
    """Return all bits of a video's hashes; None if a frame has none (it is of one colour)."""
    if len(hashes) != FRAMES or not all(hashes):
        return None
    return int("".join(hashes), 16)


def _near_codes(codes: Sequence[int]) -> set[tuple[int, int]]:
    """Return all pairs of different codes that differ in few bits; `codes` ascend."""
    near: set[tuple[int, int]] = set()
    for shift in range(0, FRAMES * BITS, BAND_BITS):
        bands: dict[int, list[int]] = defaultdict(list)
        for code in codes:
            bands[code >> shift & ((1 << BAND_BITS) - 1)].append(code)
        for group in bands.values():
            reach = len(group) if len(group) <= CROWD else NEIGHBOURS
            near.update(
                (code, other)
                for place, code in enumerate(group)
                for other in group[place + 1 : place + 1 + reach]
                if (code ^ other).bit_count() <= MAX_BITS
            )
    return near


def _choose_some(group: Sequence[Item]) -> list[Item]:
    """Return two videos of each split and label, at most 40: one hash may have many copies."""
    kept: dict[object, list[Item]] = defaultdict(list)
    for item in group:
        same = kept[item.video.split, _label(item)]
        if len(same) < COPIES:
            same.append(item)
    return [item for same in kept.values() for item in same][:MAX_COPIES]


def _matters(one: Item, other: Item) -> bool:
    """Return whether two videos are in different files and splits, or files and labels."""
    differs = one.video.split != other.video.split or _label(one) != _label(other)
    return differs and one.path != other.path and _have_equal_length(one, other)


def _place(item: Item) -> tuple[int, str]:
    """Return by what the videos of a pair are sorted: training videos come first."""
    return SPLITS.index(item.video.split), item.path


def _have_equal_length(one: Item, other: Item) -> bool:
    a, b = one.video, other.video
    known = a.fps > 0 and b.fps > 0
    lengths = (a.frames / a.fps, b.frames / b.fps) if known else (a.frames, b.frames)
    return max(lengths) <= (1 + LENGTH_SHARE) * min(lengths)


def _label(item: Item) -> object:
    return item.video.label if item.video.target is None else item.video.target


def _label_name(item: Item, classes: Sequence[str] | None) -> str:
    label = item.video.label
    return str(_label(item)) if label is None or classes is None else classes[label]


def _examples(pairs: Sequence[Pair], describe: Callable[[Item], str]) -> Iterator[Example]:
    for one, other, bits in pairs:
        yield Example(
            one.path,
            f"{describe(one)}; {other.path}, {describe(other)}; "
            + (f"{bits} of {FRAMES * BITS} bits differ" if bits else "equal hashes"),
        )
