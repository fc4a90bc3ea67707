"""The random split is stratified and stable when videos are added."""

import hashlib

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


def test_a_class_in_segments_of_other_files_has_training_videos() -> None:
    """The class of a file is that of its first segment: class 1 is only second."""
    paths = [f"{number}.mp4" for number in range(6) for _ in "ab"]
    for seed in range(20):
        drawn = random_split(paths, [0] * 12, fraction=0.5, seed=seed)
        labels = [0] * 12
        in_val = [place for place in range(1, 12, 2) if drawn[place] == "val"]
        for place in in_val[:2]:
            labels[place] = 1

        splits = random_split(paths, labels, fraction=0.5, seed=seed)

        assert splits[::2] == splits[1::2]  # segments of a file are not separated
        assert {label for label, split in zip(labels, splits, strict=True) if split == "train"} == {
            0, 1
        }  # fmt: skip
        moved = sum(one != other for one, other in zip(drawn, splits, strict=True))
        assert moved == 2 and splits.count("val") == 4  # the two segments of one file


def test_classes_of_several_per_video_have_training_videos() -> None:
    paths = PATHS[:20]
    for seed in range(20):
        drawn = random_split(paths, [None] * 20, fraction=0.2, seed=seed)
        rare = [place for place, split in enumerate(drawn) if split == "val"]
        classes = [[0, 1] if place in rare[:2] else [0] for place in range(20)]
        classes[rare[2]] = [0, 2]

        splits = random_split(paths, [None] * 20, fraction=0.2, seed=seed, classes=classes)

        trained = {
            one for some, split in zip(classes, splits, strict=True) if split == "train"
            for one in some
        }  # fmt: skip
        assert trained == {0, 1, 2} and splits.count("val") == 2
        assert splits == random_split(paths, [None] * 20, fraction=0.2, seed=seed, classes=classes)


def test_a_split_in_which_no_class_is_left_out_is_as_before() -> None:
    text = "".join(
        split[0]
        for seed in range(50)
        for split in random_split(PATHS, [n % 7 for n in range(40)], fraction=0.2, seed=seed)
    )

    # of the version that knew only the first class of a file
    assert (
        hashlib.sha256(text.encode()).hexdigest()
        == "0e41734dce809a095ea195f21a9d54bf76ce7b68d5d4f3e5a505dde1f4dacc1b"
    )


def test_val_is_never_emptied() -> None:
    for seed in range(10):
        splits = random_split(["a", "b"], [None, None], fraction=0.5, seed=seed, classes=[[0], [1]])
        assert sorted(splits) == ["train", "val"]
