"""Parts of a file in several splits are found, and are worse if they share frames."""

from tests.tasks.prepare.health.items import data_set, found, item
from videomae_cli.tasks.prepare.health.finding import Item


def part(start: int | None, split: str, path: str = "a", frames: int = 100) -> Item:
    one = item(path, frames=frames)
    return one._replace(video=one.video._replace(start=start, split=split))


def test_frames_in_two_splits_are_an_error() -> None:
    names = found(data_set(part(0, "train"), part(99, "val"), part(300, "val")))

    assert names["frames-in-several-splits"].severity == "error"
    assert names["frames-in-several-splits"].number == 1
    (example,) = names["frames-in-several-splits"].examples
    assert example == ("a#0-100", "train; a#99-199, val")
    assert "files-in-several-splits" not in names


def test_a_whole_file_beside_its_part_shares_frames() -> None:
    names = found(data_set(part(None, "train", frames=500), part(300, "test")))

    assert names["frames-in-several-splits"].number == 1


def test_separate_parts_in_two_splits_are_a_warning() -> None:
    names = found(data_set(part(0, "train"), part(100, "val"), part(0, "val", "b")))

    assert names["files-in-several-splits"].severity == "warning"
    assert names["files-in-several-splits"].examples == (("a", "train, val"),)
    assert "frames-in-several-splits" not in names


def test_parts_in_one_split_are_no_finding() -> None:
    assert not {"files-in-several-splits", "frames-in-several-splits"} & set(
        found(data_set(part(0, "train"), part(50, "train"), part(0, "val", "b")))
    )
