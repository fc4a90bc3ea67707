"""Kinetics is read from its CSV files; files have the times in their names, in any folder."""

from pathlib import Path

import pytest

from tests.data.layouts.datasets.listed import list_rows, rows_of
from tests.data.layouts.datasets.trees import place_empty_videos, place_videos, write_kinetics
from tests.data.layouts.prepared import place_texts
from tests.notes import Notes
from videomae_cli.data.layouts import detect_layout, scan_layout
from videomae_cli.data.layouts.video_entry import Listing
from videomae_cli.errors import DataError
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import write_prepared

CLIPS = ("-3B32lodo2M_000059_000069", "0bcDEfghIJk_000001_000011", "zzzzzzzzzzz_000120_000130")
HEADER = "label,youtube_id,time_start,time_end,split\n"


def scan(source: Path) -> Listing:
    return scan_layout(source, detect_layout(source).name)


def test_class_folders_in_split_folders_are_read(tmp_path: Path) -> None:
    source = write_kinetics(tmp_path)

    listing = scan(source)

    assert detect_layout(source).name == "kinetics"
    assert rows_of(listing) == [
        (f"train/air drumming/{CLIPS[0]}.mp4", "air drumming", "train"),
        (f"train/zumba/{CLIPS[1]}.mp4", "zumba", "train"),
        (f"val/zumba/{CLIPS[2]}.mp4", "zumba", "val"),
        ("test/ttttttttttt_000005_000015.mp4", None, "test"),
    ]
    assert (listing.classes, listing.remarks) == (("air drumming", "zumba"), [])


@pytest.mark.parametrize(
    "paths",
    [
        [f"{clip}.mp4" for clip in CLIPS],
        [f"air_drumming/{CLIPS[0]}.mkv", f"zumba/{CLIPS[1]}.mp4", f"zumba/{CLIPS[2]}.webm"],
        [f"a/b/c/{clip[:11]}.mp4" for clip in CLIPS],
        [f"k400_frames/{clip}/img_00001.jpg" for clip in CLIPS],
    ],
    ids=["one folder", "underscores", "without times", "frames"],
)
def test_files_are_found_in_any_folder(paths: list[str], tmp_path: Path) -> None:
    source = write_kinetics(tmp_path / "k400")
    place_empty_videos(tmp_path / "videos", *paths)

    rows = list_rows(source, "kinetics", root=tmp_path / "videos")

    found = [path.rpartition("/")[0] if path.endswith(".jpg") else path for path in paths]
    assert [path for path, *_ in rows] == found


def test_a_file_with_other_times_is_another_clip(tmp_path: Path) -> None:
    source = write_kinetics(tmp_path)
    path = source / f"train/zumba/{CLIPS[1]}.mp4"
    path.rename(path.with_name("0bcDEfghIJk_000003_000013.mp4"))

    listing = scan(source)

    assert f"{CLIPS[1]}.mp4" in [entry.path for entry in listing.entries]
    assert listing.remarks == [
        "1 of 4 listed videos are missing (train 1): rejected.csv names them",
        "1 of 4 videos in this folder are in no list that is used: "
        "train/zumba/0bcDEfghIJk_000003_000013.mp4",
    ]


def test_a_replaced_file_is_preferred_and_a_copy_is_named(tmp_path: Path) -> None:
    source = write_kinetics(tmp_path)
    place_empty_videos(source, f"replacement/{CLIPS[1]}.mp4", f"old/{CLIPS[2]}.mp4")

    listing = scan(source)

    paths = [entry.path for entry in listing.entries]
    assert paths[1:3] == [f"replacement/{CLIPS[1]}.mp4", f"val/zumba/{CLIPS[2]}.mp4"]
    assert listing.remarks[0] == (
        f"2 videos exist more than once: replacement/{CLIPS[1]}.mp4 is used, not "
        f"train/zumba/{CLIPS[1]}.mp4, and so on"
    )


def test_a_split_without_any_video_is_left_out(tmp_path: Path) -> None:
    source = write_kinetics(tmp_path)
    (source / "test/ttttttttttt_000005_000015.mp4").unlink()

    listing = scan(source)

    assert {entry.split for entry in listing.entries} == {"train", "val"}
    assert listing.remarks == ["the split test is left out: none of its 1 videos exists"]


def test_a_newer_list_has_more_columns_and_another_word_for_val(tmp_path: Path) -> None:
    text = (
        "label,youtube_id,time_start,time_end,split,is_cc\nzumba,abcdefghijk,10.0,20.0,validate,0"
    )
    place_texts(tmp_path, {"validate.csv": text})
    place_empty_videos(tmp_path, "abcdefghijk_000010_000020.mp4")

    assert rows_of(scan(tmp_path / "validate.csv")) == [
        ("abcdefghijk_000010_000020.mp4", "zumba", "val")
    ]


def test_the_doubles_of_kinetics_600_are_left_out(tmp_path: Path) -> None:
    source = write_kinetics(tmp_path)
    complete = source / "annotations/train.csv"
    complete.rename(complete.with_suffix(".txt"))
    complete.write_text(HEADER + "zumba,0bcDEfghIJk,1,11,train\n")
    place_texts(source, {"annotations/kinetics600_holdout_test.csv": HEADER + "zumba,a,1,2,test\n"})

    listing = scan(source)

    assert [split for *_, split in rows_of(listing)] == ["train", "train", "val", "test"]
    assert listing.remarks == ["lists that are not used: kinetics600_holdout_test.csv, train.csv"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "zumba,a,1,x,train\n", r"train\.csv:2: time_start '1' and time_end 'x'"),
        (HEADER + "zumba,a,1,2,train\n,b,1,2,train\n", r"train\.csv:3: no label"),
        (HEADER + "zumba,,1,2,train\n", r"train\.csv:2: no youtube_id"),
        (HEADER + "zumba,a,1\n", r"train\.csv:2: not as many cells"),
    ],
)
def test_a_wrong_row_is_named(text: str, message: str, tmp_path: Path) -> None:
    place_texts(tmp_path, {"train.csv": text})

    with pytest.raises(DataError, match=message):
        scan(tmp_path)


def test_two_versions_in_one_folder_are_an_error(tmp_path: Path) -> None:
    row = "zumba,a,1,2,train\n"
    place_texts(tmp_path, {"k400/train.csv": HEADER + row, "k600/train.csv": HEADER + row})

    with pytest.raises(DataError, match="two lists of the split train"):
        scan(tmp_path)


def test_dead_videos_change_no_number_and_are_listed(tmp_path: Path) -> None:
    source = write_kinetics(tmp_path / "k400", place_videos)
    (source / f"train/air drumming/{CLIPS[0]}.mp4").unlink()
    notes = Notes()

    options = PrepareOptions(decoder="pyav", workers=1)
    summary = write_prepared(source, tmp_path / "out", notes, options)

    assert summary.manifest.classes == ("air drumming", "zumba")
    assert [(video.label, video.split) for video in summary.manifest.videos] == [
        (1, "train"),
        (1, "val"),
        (None, "test"),
    ]
    rejected = (tmp_path / "out/rejected.csv").read_text().splitlines()
    assert rejected[1:] == [f"{CLIPS[0]}.mp4,no such file"]


def test_without_any_video_the_root_is_asked_for(tmp_path: Path) -> None:
    source = write_kinetics(tmp_path / "k400") / "annotations"
    options = PrepareOptions(decoder="pyav", workers=1)

    with pytest.raises(DataError, match="none of the 4 listed files exists") as caught:
        write_prepared(source, tmp_path / "out", Notes(), options)

    assert "--root" in caught.value.hint
