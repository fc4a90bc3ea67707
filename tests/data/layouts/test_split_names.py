"""Splits in the names of columns and lists."""

from pathlib import Path

from tests.data.layouts.sources import entries_of, write_text
from videomae_cli.data.layouts.split_names import find_split_in_name, parse_split

FILE_NAMES = {
    "train.csv": "train",
    "hmdb51_val_split_1.txt": "val",
    "labels.csv": None,
    "train_and_val.csv": None,
    "contest.csv": None,
    "trainlist01.txt": "train",
    "testlist03.txt": "test",
    "brush_hair_test_split1.txt": "test",
    "dev.txt": "val",
    "evalSet.csv": "val",
    "hold-out.csv": "test",
    "development_kit.txt": "val",
    "trainer.csv": None,
}


def test_a_list_named_after_a_split_is_that_split(tmp_path: Path) -> None:
    for name in ("train.csv", "k400_train_list_videos.txt", "Training.tsv"):
        source = write_text(tmp_path / name, "path\tlabel\na.mp4\t0\n")

        assert entries_of(source)[1] == [("a.mp4", 0, "train")], name


def test_only_whole_words_in_a_file_name_are_splits() -> None:
    assert {name: find_split_in_name(name) for name in FILE_NAMES} == FILE_NAMES


def test_a_split_is_known_by_its_usual_names() -> None:
    assert parse_split(" Validation ") == "val"
    assert parse_split("dev") == parse_split("eval") == "val"
    assert parse_split("hold-out") == parse_split("holdout") == "test"
    assert parse_split("trainer") is None
