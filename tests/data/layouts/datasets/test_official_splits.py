"""UCF101 and HMDB51 are read with their official lists, whichever of three splits is chosen."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.layouts.datasets.listed import list_rows
from tests.data.layouts.datasets.trees import (
    place_empty_videos,
    place_videos,
    write_hmdb51,
    write_ucf101,
)
from tests.data.layouts.prepared import place_texts
from tests.notes import Notes
from videomae_cli.data.layouts import detect_layout, scan_layout
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError, UsageError
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import write_prepared


@pytest.mark.parametrize("split", [1, 2, 3])
def test_ucf101_trains_on_one_list_and_validates_on_the_other(split: int, tmp_path: Path) -> None:
    source = write_ucf101(tmp_path)

    listing = scan_layout(source, f"ucf101-split{split}")

    rows = {entry.path: (entry.label, entry.split) for entry in listing.entries}
    assert rows == {
        f"UCF-101/{name}/v_{name}_g0{group}_c01.avi": (name, "val" if group == split else "train")
        for name in ("Archery", "Biking")
        for group in (1, 2, 3)
    }
    assert (listing.classes, listing.remarks) == (("Archery", "Biking"), [])


def test_ucf101_may_be_flat_or_have_its_lists_elsewhere(tmp_path: Path) -> None:
    source = write_ucf101(tmp_path / "all")
    names = [f"v_{n}_g0{g}_c01" for n in ("Archery", "Biking") for g in (1, 2, 3)]
    place_empty_videos(tmp_path / "flat", *(f"{name}.mp4" for name in names))
    place_empty_videos(tmp_path / "frames", *(f"{name}/img_00001.jpg" for name in names))
    lists = source / "ucfTrainTestlist"

    for root, end in (("flat", ".mp4"), ("frames", "")):
        rows = list_rows(lists, "ucf101-split1", root=tmp_path / root)
        assert sorted(path for path, *_ in rows) == sorted(f"{name}{end}" for name in names)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Archery/v_Archery_g02_c01.avi 1", "Archery/v_Archery_g02_c01.avi 2", "not Archery"),
        ("Archery/v_Archery_g02_c01.avi 1", "Archer/v_Archery_g02_c01.avi 1", "class of classInd"),
        ("Archery/v_Archery_g02_c01.avi 1", "v_Archery_g02_c01.avi", "not the path"),
    ],
)
def test_a_wrong_line_of_ucf101_is_an_error(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    path = write_ucf101(tmp_path) / "ucfTrainTestlist/trainlist01.txt"
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(DataError, match=rf"trainlist01\.txt:1: .*{message}"):
        scan_layout(tmp_path, "ucf101-split1")


@pytest.mark.parametrize("split", [1, 2, 3])
def test_hmdb51_reads_the_codes_of_one_split(split: int, tmp_path: Path) -> None:
    listing = scan_layout(write_hmdb51(tmp_path), f"hmdb51-split{split}")

    rows = {entry.path: (entry.label, entry.split) for entry in listing.entries}
    assert rows == {
        f"{name}/#{k}_Show_({name})_u_cm_np1_fr_med_{k}.avi": (
            name,
            "val" if k + 1 == split else "train",
        )
        for name in ("brush_hair", "clap")
        for k in range(3)
    }
    assert listing.classes == ("brush_hair", "clap")
    assert [text.partition(":")[0] for text in listing.remarks] == [
        "2 of 8 videos in this folder are in no list that is used"
    ]


def test_a_line_of_hmdb51_without_a_code_is_an_error(tmp_path: Path) -> None:
    path = write_hmdb51(tmp_path) / "testTrainMulti_7030_splits/clap_test_split1.txt"
    path.write_text(path.read_text() + "video.avi 3\n")

    with pytest.raises(DataError, match=r"clap_test_split1\.txt:5: 'video\.avi 3'"):
        scan_layout(tmp_path, "hmdb51-split1")


@pytest.mark.parametrize(("name", "write"), [("ucf101", write_ucf101), ("hmdb51", write_hmdb51)])
def test_without_a_layout_the_splits_are_asked_for(
    name: str, write: Callable[[Path], Path], tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        detect_layout(write(tmp_path))

    assert caught.value.hint == (
        f"choose it: --layout {name}-split1, --layout {name}-split2, --layout {name}-split3 "
        "(its test list is used as val)"
    )


def test_lists_in_two_folders_are_an_error(tmp_path: Path) -> None:
    path = write_ucf101(tmp_path) / "ucfTrainTestlist/trainlist01.txt"
    place_texts(tmp_path, {"old/trainlist01.txt": path.read_text()})

    with pytest.raises(DataError, match=r"trainlist01\.txt is in two folders"):
        scan_layout(tmp_path, "ucf101-split1")


def test_columns_and_several_labels_are_not_for_these_layouts(tmp_path: Path) -> None:
    source = write_ucf101(tmp_path)

    for reading in (Reading(label_column="class"), Reading(task="multi-label")):
        with pytest.raises(UsageError, match="one class for each video"):
            scan_layout(source, "ucf101-split1", reading)


def test_ucf101_is_prepared_with_the_numbers_of_its_classes(tmp_path: Path) -> None:
    source = write_ucf101(tmp_path / "ucf", place_videos)
    index = source / "ucfTrainTestlist/classInd.txt"
    index.write_text("1 Biking\n2 Archery\n3 YoYo\n")
    for path in index.parent.glob("trainlist*"):
        path.write_text(path.read_text().replace("avi 1", "avi 0").replace("avi 2", "avi 1"))
        path.write_text(path.read_text().replace("avi 0", "avi 2"))
    (source / "UCF-101/Biking/v_Biking_g01_c01.avi").unlink()
    notes = Notes()

    options = PrepareOptions(layout="ucf101-split2", decoder="pyav", workers=1)
    manifest = write_prepared(source, tmp_path / "out", notes, options).manifest

    assert manifest.classes == ("Biking", "Archery", "YoYo")
    assert {(Path(video.path).name, video.label, video.split) for video in manifest.videos} == {
        ("v_Archery_g01_c01.avi", 1, "train"),
        ("v_Archery_g02_c01.avi", 1, "val"),
        ("v_Archery_g03_c01.avi", 1, "train"),
        ("v_Biking_g02_c01.avi", 0, "val"),
        ("v_Biking_g03_c01.avi", 0, "train"),
    }
    assert notes.warned[0] == (
        "1 of 6 listed videos are missing (train 1): rejected.csv names them"
    )
    rejected = (tmp_path / "out/rejected.csv").read_text()
    assert "Biking/v_Biking_g01_c01.avi,no such file" in rejected
