"""The random split is stratified and stable when videos are added."""

import pytest

from videomae_cli.data.ingest.random_split import random_split

PATHS = [f"{label}/{place}.mp4" for label in "ab" for place in range(20)]
LABELS = [0] * 20 + [1] * 20


def test_a_random_split_takes_the_same_share_of_every_class() -> None:
    splits = random_split(PATHS, LABELS, fraction=0.25, seed=0)

    assert [splits[:20].count("val"), splits[20:].count("val")] == [5, 5]
    assert splits != random_split(PATHS, LABELS, fraction=0.25, seed=1)


def test_a_random_split_does_not_follow_the_order_of_the_list() -> None:
    backwards = random_split(PATHS[::-1], LABELS[::-1], fraction=0.25, seed=0)

    assert backwards[::-1] == random_split(PATHS, LABELS, fraction=0.25, seed=0)


def test_a_new_video_moves_at_most_one_other() -> None:
    before = random_split(PATHS, LABELS, fraction=0.25, seed=0)

    for place in range(30):
        after = random_split([*PATHS, f"new{place}"], [*LABELS, 0], fraction=0.25, seed=0)
        assert sum(one != other for one, other in zip(before, after, strict=False)) <= 1


@pytest.mark.parametrize(
    ("videos", "fraction", "val"), [(1, 0.2, 0), (2, 0.2, 1), (3, 0.9, 2), (5, 0.0, 0)]
)
def test_small_classes_keep_a_video_on_both_sides(videos: int, fraction: float, val: int) -> None:
    splits = random_split(PATHS[:videos], [0] * videos, fraction=fraction, seed=0)

    assert splits.count("val") == val
