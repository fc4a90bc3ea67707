"""Data sets of segments, as they are released."""

import json
from pathlib import Path

import pytest

from tests.data.layouts.segments.examples import ACTIVITYNET, CHARADES, EPIC, HACS_CLIPS
from tests.data.layouts.segments.read import Part, read_source, write_source
from tests.data.layouts.sources import write_files, write_text
from videomae_cli.data.layouts import scan_layout
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError, UsageError

EPIC_HEADER = EPIC.splitlines()[0]


def test_epic_kitchens_has_segments_of_its_videos(tmp_path: Path) -> None:
    videos = write_files(tmp_path / "videos", "P01/videos/P01_01.MP4", "P01/videos/P01_101.MP4")
    write_text(tmp_path / "lists/EPIC_100_train.csv", EPIC)
    row = "P01_101_0,P01,P01_101,00:00:02.851,00:00:02.86,00:00:03.87,143,193,x,x,0,x,2,[x],[2]"
    write_text(tmp_path / "lists/EPIC_100_validation.csv", f"{EPIC_HEADER}\n{row}\n")
    test_columns = EPIC_HEADER.split(",narration,")[0]
    write_text(
        tmp_path / "lists/EPIC_100_test_timestamps.csv",
        f"{test_columns}\nP01_101_1,P01,P01_101,00:00:02.851,00:00:04.00,00:01:00.50,200,3025\n",
    )
    write_text(
        tmp_path / "lists/EPIC_100_verb_classes.csv", "id,key,instances,category\n0,take,x,y\n"
    )

    layout, parts, _ = read_source(tmp_path / "lists", "noun_class", root=videos)

    assert layout == "epic-kitchens"
    assert sorted(parts, key=lambda part: part.segment or ()) == [
        Part("P01/videos/P01_01.MP4", 3, (0.14, 3.37, "seconds"), "train"),
        Part("P01/videos/P01_101.MP4", 2, (2.86, 3.87, "seconds"), "val"),
        Part("P01/videos/P01_101.MP4", None, (4.0, 60.5, "seconds"), "test"),
        Part("P01/videos/P01_01.MP4", 114, (4.37, 6.17, "seconds"), "train"),
    ]


def test_epic_kitchens_asks_for_verb_or_noun(tmp_path: Path) -> None:
    source = write_source(tmp_path, "EPIC_100_train.csv", EPIC, "P01/P01_01.MP4")

    with pytest.raises(DataError, match="verb_class and noun_class") as caught:
        read_source(source)
    assert "--label-column verb_class or --label-column noun_class" in caught.value.hint
    assert [part.label for part in read_source(source, "verb_class").parts] == [3, 6]
    with pytest.raises(UsageError, match="no column 'adverb'"):
        read_source(source, "adverb")


def test_epic_kitchens_has_all_classes_of_its_label(tmp_path: Path) -> None:
    source = write_source(tmp_path, "EPIC_100_train.csv", EPIC, "P01_01.MP4")
    reading = Reading(label_column="verb_class", root=tmp_path)

    assert scan_layout(source, "epic-kitchens", reading).classes == [str(n) for n in range(97)]
    write_text(tmp_path / "EPIC_100_verb_classes.csv", "id,key,instances\n0,take,x\n1,put,x\n")
    assert scan_layout(source, "epic-kitchens", reading).classes == ["take", "put"]
    write_text(tmp_path / "EPIC_100_verb_classes.csv", "id,key,instances\n1,put,x\n")
    with pytest.raises(DataError, match=r"verb_classes\.csv: the column id does not count from 0"):
        scan_layout(source, "epic-kitchens", reading)


def test_epic_kitchens_uses_frame_numbers_of_folders(tmp_path: Path) -> None:
    """start_frame 8 is frame_0000000008.jpg, which is frame 7 from 0; stop_frame is included."""
    write_files(tmp_path, *(f"P01/rgb/P01_01/frame_{n:010}.jpg" for n in range(1, 5)))
    source = write_text(tmp_path / "EPIC_100_train.csv", EPIC)

    assert read_source(source, "verb_class").parts == [
        Part("P01/rgb/P01_01", 3, (7, 202, "frames"), "train"),
        Part("P01/rgb/P01_01", 6, (261, 370, "frames"), "train"),
    ]


def test_charades_has_a_segment_for_each_action(tmp_path: Path) -> None:
    source = write_source(tmp_path, "Charades_v1_train.csv", CHARADES, "v/46GP8.mp4", "v/N11GT.mp4")

    layout, parts, remarks = read_source(source)
    assert layout == "charades"
    assert parts == [
        Part("v/46GP8.mp4", "c092", (11.9, 21.2, "seconds"), "train"),
        Part("v/46GP8.mp4", "c147", (0, 12.6, "seconds"), "train"),
    ]
    assert "videos without actions are not used (1)" in remarks
    assert any("--task multi-label" in remark for remark in remarks)

    assert [*scan_layout(source, "charades").classes][::156] == ["c000", "c156"]
    write_text(tmp_path / "Charades_v1_classes.txt", "c092 Watching a book\nc147 Eating, slowly\n")
    assert [part.label for part in read_source(source).parts] == [
        "c092 Watching a book",
        "c147 Eating, slowly",
    ]
    assert scan_layout(source, "charades").classes == [
        "c092 Watching a book",
        "c147 Eating, slowly",
    ]


def test_charades_has_whole_videos_with_several_labels(tmp_path: Path) -> None:
    source = write_source(tmp_path, "Charades_v1_test.csv", CHARADES, "46GP8.mp4", "N11GT.mp4")

    parts, remarks = read_source(source, task="multi-label")[1:]

    assert parts == [
        Part("46GP8.mp4", ("['c092', 'c147']",), None, "test"),
        Part("N11GT.mp4", ("[]",), None, "test"),
    ]
    assert any("times are not used" in remark for remark in remarks)


def test_charades_frames_are_24_per_second(tmp_path: Path) -> None:
    source = write_source(tmp_path, "Charades_v1_train.csv", CHARADES, "46GP8/46GP8-000001.jpg")

    assert [part.segment for part in read_source(source).parts] == [
        (285, 509, "frames"),
        (0, 303, "frames"),
    ]


def test_a_wrong_action_is_named(tmp_path: Path) -> None:
    source = write_source(tmp_path, "Charades_v1_train.csv", CHARADES.replace("c147 0", "c147-0"))

    with pytest.raises(
        DataError, match=r"train\.csv:2: 'c147-0\.00 12\.60' is not an action of one of"
    ):
        read_source(source)


def test_activitynet_has_segments_in_the_splits_of_the_file(tmp_path: Path) -> None:
    source = write_source(
        tmp_path, "anet.json", ACTIVITYNET, "v_--1DO2V4K74.mp4", "val/abc.mkv", "val/other.mp4"
    )

    layout, parts, remarks = read_source(source)

    assert layout == "activitynet"
    assert parts == [
        Part("v_--1DO2V4K74.mp4", "Powerbocking", (30.02, 211.5, "seconds"), "train"),
        Part("v_--1DO2V4K74.mp4", "Long jump", (1.5, 20, "seconds"), "train"),
        Part("val/abc.mkv", "Long jump", (0.5, 8.25, "seconds"), "val"),
    ]
    assert "videos without annotations are not used (1)" in remarks
    assert any("not annotated are not used (1 of 3): val/other.mp4" in remark for remark in remarks)


def test_hacs_clips_have_only_the_clips_that_show_their_class(tmp_path: Path) -> None:
    files = ("Archery/v_a2X2hz1G6i8.mp4", "NUdji_CqvcY.mp4")
    source = write_source(tmp_path, "HACS_clips_v1.1.csv", HACS_CLIPS, *files)

    layout, parts, remarks = read_source(source)

    assert layout == "hacs-clips"
    assert parts == [
        Part(files[0], "Archery", (15.5, 17.5, "seconds"), "train"),
        Part(files[0], "Surfing", (20, 22, "seconds"), "train"),
        Part(files[1], "Surfing", (3, 5, "seconds"), "val"),
    ]
    assert any("do not show their class" in remark and "(1)" in remark for remark in remarks)


def test_activitynet_without_a_database_is_read(tmp_path: Path) -> None:
    """As in lists derived from it, such as MMAction2's `anet_anno_train.json`."""
    video = {
        "duration_second": 14.07,
        "duration_frame": 337,
        "annotations": [{"segment": [0.0, 14.07], "label": "Drinking beer"}],
    }
    source = write_source(
        tmp_path, "anet_anno_train.json", json.dumps({"v_---9CpRcKoU": video}), "---9CpRcKoU.mp4"
    )

    assert read_source(source).parts == [
        Part("---9CpRcKoU.mp4", "Drinking beer", (0, 14.07, "seconds"), "train")
    ]


def test_wrong_times_of_a_published_set_are_left_out_and_named(tmp_path: Path) -> None:
    content = ACTIVITYNET.replace("[1.5, 20]", "[20, 1.5]")
    source = write_source(tmp_path, "anet.json", content, "--1DO2V4K74.mp4", "abc.mp4")

    parts, remarks = read_source(source)[1:]

    assert [part.label for part in parts] == ["Powerbocking", "Long jump"]
    assert any(
        "segments with wrong times are not used (1 of 3)" in remark
        and "--1DO2V4K74, annotation 1: the part starts at 20 and ends before, at 1.5" in remark
        for remark in remarks
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"subset": "validation"', '"subset": "trainval"', "abc: the subset 'trainval' is not one"),
        ("[1.5, 20]", "[1.5]", r"annotation 1: \[1.5\] is not a start and an end"),
        ("[1.5, 20]", '[1.5, "x"]', "annotation 1: 'x' is not a time"),
        ('"label": "Powerbocking"', '"label": ""', "annotation 0: no text 'label'"),
        ('"database"', '"videos"', "no list 'annotations'|not an object"),
    ],
)
def test_a_wrong_place_in_json_is_named(old: str, new: str, problem: str, tmp_path: Path) -> None:
    source = write_source(tmp_path, "anet.json", ACTIVITYNET.replace(old, new))

    with pytest.raises(DataError, match=problem):
        scan_layout(source, "activitynet", Reading(root=tmp_path))


def test_two_videos_of_one_name_are_not_guessed(tmp_path: Path) -> None:
    source = write_source(tmp_path, "a.json", ACTIVITYNET, "x/abc.mp4", "y/abc.mp4")

    with pytest.raises(DataError, match=r"which video is 'abc': x/abc.mp4 or y/abc.mp4\?"):
        read_source(source)


def test_columns_of_tables_cannot_be_chosen(tmp_path: Path) -> None:
    source = write_source(tmp_path, "anet.json", ACTIVITYNET, "abc.mp4")

    with pytest.raises(UsageError, match="no column 'label': the layout is activitynet"):
        read_source(source, "label")
