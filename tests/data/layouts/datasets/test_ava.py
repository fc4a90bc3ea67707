"""AVA's videos are prepared without labels, with their boxes in a table beside the manifest."""

from pathlib import Path

import pytest

from tests.data.layouts.datasets.listed import rows_of
from tests.data.layouts.datasets.trees import place_videos, write_ava
from tests.data.layouts.prepared import place_clips
from tests.notes import Notes
from videomae_cli.data.layouts import detect_layout, scan_layout
from videomae_cli.errors import DataError
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import write_prepared

OPTIONS = PrepareOptions(decoder="pyav", workers=1)


def test_there_is_one_entry_for_each_video_and_one_row_for_each_box(tmp_path: Path) -> None:
    source = write_ava(tmp_path)

    assert detect_layout(source).name == "ava"
    listing = scan_layout(source, "ava")

    assert rows_of(listing) == [
        ("trainval/-5KQ66BBWC4.mkv", None, "train"),
        ("trainval/-IELREHX_js.mp4", None, "train"),
        ("trainval/1j20qq1JyX4.mp4", None, "val"),
    ]
    assert listing.remarks == ["1 boxes in excluded seconds are left out"]
    box = ("0902", "0.077", "0.151", "0.283", "0.811")
    assert list(listing.side_tables["boxes.csv"].rows) == [
        ("trainval/-5KQ66BBWC4.mkv", *box, "80", "1"),
        ("trainval/-5KQ66BBWC4.mkv", *box, "9", "1"),
        ("trainval/-IELREHX_js.mp4", "0950", "0", "0", "1", "1", "12", "3"),
        ("trainval/1j20qq1JyX4.mp4", "0902", "0.1", "0.2", "0.3", "0.4", "17", "5"),
    ]


@pytest.mark.parametrize(
    "row",
    [
        "a,0902,0.1,0.2,0.3,0.4,17",
        "a,0902,0.3,0.2,0.1,0.4,17,5",
        "a,0902,10,20,30,40,17,5",
        "a,902.5,0.1,0.2,0.3,0.4,17,5",
        ",0902,0.1,0.2,0.3,0.4,17,5",
        "a,0902,0.1,,0.3,0.4,17,5",
    ],
)
def test_a_wrong_row_is_named(row: str, tmp_path: Path) -> None:
    path = write_ava(tmp_path) / "annotations/ava_val_v2.2.csv"
    path.write_text(path.read_text() + row + "\n")

    with pytest.raises(DataError, match=r"ava_val_v2\.2\.csv:2: not a video, a second"):
        scan_layout(tmp_path, "ava")


def test_two_versions_are_an_error(tmp_path: Path) -> None:
    path = write_ava(tmp_path) / "annotations/ava_val_v2.2.csv"
    path.rename(path.with_name("ava_val_v2.1.csv"))

    with pytest.raises(DataError, match="several versions"):
        scan_layout(tmp_path, "ava")


def test_the_table_has_the_boxes_of_the_videos_that_are_kept(tmp_path: Path) -> None:
    source = write_ava(tmp_path / "ava", place_videos)
    (source / "trainval/-IELREHX_js.mp4").write_bytes(b"damaged")
    out = tmp_path / "out"

    manifest = write_prepared(source, out, Notes(), OPTIONS).manifest

    assert manifest.classes is None
    lines = (out / "boxes.csv").read_text().splitlines()
    assert lines[0] == "path,second,x1,y1,x2,y2,action,person"
    assert [line.split(",")[0] for line in lines[1:]] == [
        "trainval/-5KQ66BBWC4.mkv",
        "trainval/-5KQ66BBWC4.mkv",
        "trainval/1j20qq1JyX4.mp4",
    ]


def test_the_table_of_an_earlier_run_does_not_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_prepared(write_ava(tmp_path / "ava", place_videos), out, Notes(), OPTIONS)
    place_clips(tmp_path / "other", ["1.mp4"])

    write_prepared(tmp_path / "other", out, Notes(), OPTIONS)

    assert not (out / "boxes.csv").exists()
