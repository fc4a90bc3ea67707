"""Near-duplicates are found across splits and labels, also among many videos."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from tests.tasks.prepare.health.items import HASHES, HEALTH, change_bits, data_set, found, item
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.tasks.prepare.health import duplicates
from videomae_cli.tasks.prepare.health.duplicates import MAX_BITS, find_pairs
from videomae_cli.tasks.prepare.health.finding import Item

LEAK, CONFLICT = "near-duplicates-across-splits", "near-duplicates-with-different-labels"


def copy(path: str, *places: int, **changes: object) -> Item:
    return item(path, health=HEALTH._replace(hashes=change_bits(HASHES, *places)), **changes)


def test_a_copy_in_another_split_is_an_error_with_both_paths() -> None:
    findings = found(data_set(copy("a"), copy("b", 0, 70, 140, split="val"), item("c")))

    assert list(findings) == [LEAK]
    assert findings[LEAK].severity == "error" and findings[LEAK].number == 1
    assert findings[LEAK].examples == (("a", "train; b, val; 3 of 192 bits differ"),)


def test_copies_in_one_split_with_one_label_are_no_finding() -> None:
    assert found(data_set(copy("a"), copy("b"), copy("c", 5))) == {}


def test_different_labels_are_a_finding_of_their_own() -> None:
    one, other = copy("a", label=0), copy("b", label=1)

    findings = found(data_set(one, other, classes=("run", "sit")))

    assert list(findings) == [CONFLICT] and findings[CONFLICT].number == 2
    assert findings[CONFLICT].examples == (("a", "run; b, sit; equal hashes"),)


def test_parts_of_one_file_other_lengths_and_plain_frames_are_no_copies() -> None:
    plain = HEALTH._replace(hashes=("", *HASHES[1:]))

    assert find_pairs([copy("a"), copy("a", split="val")]) == []
    assert find_pairs([copy("a"), copy("b", frames=111, split="val")]) == []
    assert len(find_pairs([copy("a"), copy("b", frames=110, split="val")])) == 1
    assert len(find_pairs([copy("a"), copy("b", frames=200, fps=50.0, split="val")])) == 1
    assert find_pairs([item("a", health=plain), item("b", health=plain, split="val")]) == []


def test_every_pair_within_the_limit_is_found_and_none_beyond() -> None:
    rng = np.random.default_rng(0)
    items = [copy("first")]
    for number in range(300):
        bits = int(rng.integers(1, 2 * MAX_BITS))
        places = rng.choice(192, bits, replace=False).tolist()
        items.append(copy(f"{number}", *places, split="val"))
    expected = {
        (one.path, other.path)
        for one, other in itertools.combinations(items, 2)
        if one.video.split != other.video.split and count_bits(one, other) <= MAX_BITS
    }

    pairs = find_pairs(items)

    assert {(pair.one.path, pair.other.path) for pair in pairs} == expected
    assert 100 < len(expected) < 200
    assert all(pair.bits == count_bits(pair.one, pair.other) for pair in pairs)


def count_bits(one: Item, other: Item) -> int:
    texts = ("".join(each.health.hashes) for each in (one, other))
    a, b = (int(text, 16) for text in texts)
    return (a ^ b).bit_count()


def test_many_copies_are_all_counted_without_comparing_all_pairs() -> None:
    train = [copy(f"train {number}") for number in range(3000)]
    val = [copy(f"val {number}", split="val") for number in range(3000)]

    pairs = find_pairs([*train, *val])

    assert len(pairs) < 20_000
    assert found(data_set(*train, *val))[LEAK].number == 3000


def test_a_crowd_in_one_band_is_compared_with_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "CROWD", 3)
    monkeypatch.setattr(duplicates, "NEIGHBOURS", 1)
    rng = np.random.default_rng(1)
    items = [copy(f"{n}", *range(60, 60 + int(rng.integers(20)))) for n in range(50)]

    pairs = find_pairs([*items, copy("x", 0, split="val")])

    assert [pair.bits for pair in pairs][:1] == [1]


def test_real_copies_are_found_among_real_videos(shared: Path) -> None:
    paths = sorted((shared / "videos" / "signs").iterdir())[:6]
    rows = [(path, "train") for path in paths] + [(paths[0], "val")]
    items = []
    for number, (path, split) in enumerate(rows):
        info = probe_video(path)
        items.append(item(f"{number}", health=info.health, frames=info.frames, split=split))

    assert [(pair.one.path, pair.other.path) for pair in find_pairs(items)] == [("0", "6")]
