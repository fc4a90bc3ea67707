"""A video folder of Hugging Face is read with the metadata of each split."""

import json
from pathlib import Path

import pytest

from tests.data.layouts.datasets.listed import list_rows, rows_of
from tests.data.layouts.datasets.trees import (
    place_empty_videos,
    place_videos,
    write_hugging_face,
)
from tests.data.layouts.prepared import place_texts
from tests.notes import Notes
from videomae_cli.data.layouts import detect_layout, scan_layout
from videomae_cli.errors import DataError
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import write_prepared

LAYOUT = "hugging-face"
ROWS = [
    ("train/1.mp4", "sit", "train"),
    ("train/2.mp4", "run", "train"),
    ("test/4.mp4", "run", "test"),
    ("validation/3.mp4", "sit", "val"),
]


def test_each_split_folder_has_its_metadata(tmp_path: Path) -> None:
    source = write_hugging_face(tmp_path)

    assert detect_layout(source).name == LAYOUT
    listing = scan_layout(source, LAYOUT)

    assert rows_of(listing) == ROWS
    assert listing.remarks == ["columns of metadata.csv that are not used: note"]


def test_json_lines_below_data_are_read(tmp_path: Path) -> None:
    for split in ("train", "test"):
        record = {"file_name": "sub/a.mp4", "action": "run"}
        place_texts(tmp_path, {f"data/{split}/metadata.jsonl": json.dumps(record) + "\n"})
        place_empty_videos(tmp_path, f"data/{split}/sub/a.mp4")

    assert rows_of(scan_layout(tmp_path, detect_layout(tmp_path).name)) == [
        ("data/train/sub/a.mp4", "run", "train"),
        ("data/test/sub/a.mp4", "run", "test"),
    ]


def test_parquet_names_its_classes(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")
    table = pyarrow.table({"file_name": ["train/1.mp4", "test/2.mp4"], "label": [1, 0]})
    info = {"info": {"features": {"label": {"names": ["b", "a", "c"], "_type": "ClassLabel"}}}}
    parquet.write_table(
        table.replace_schema_metadata({"huggingface": json.dumps(info)}),
        tmp_path / "metadata.parquet",
    )
    place_videos(tmp_path, "train/1.mp4", "test/2.mp4")
    options = PrepareOptions(decoder="pyav", workers=1)

    manifest = write_prepared(tmp_path, tmp_path.with_name("out"), Notes(), options).manifest

    assert manifest.classes == ("b", "a", "c")
    assert [(video.path, video.label, video.split) for video in manifest.videos] == [
        ("train/1.mp4", 1, "train"),
        ("test/2.mp4", 0, "test"),
    ]


def test_the_label_column_is_asked_for_by_name(tmp_path: Path) -> None:
    rows = "".join(f"{n}.mp4,sentence {n},{'ab'[n % 2]}\n" for n in range(4))
    place_texts(tmp_path, {"train/metadata.csv": f"file_name,caption,what\n{rows}"})
    place_empty_videos(tmp_path, *(f"train/{n}.mp4" for n in range(4)))

    with pytest.raises(DataError, match="the classes may be in what") as caught:
        scan_layout(tmp_path, LAYOUT)

    assert "--label-column what" in caught.value.hint
    assert [row[1] for row in list_rows(tmp_path, LAYOUT, label_column="what")] == list("abab")


def test_captions_are_no_classes(tmp_path: Path) -> None:
    place_texts(tmp_path, {"train/metadata.csv": "file_name,text\n1.mp4,one\n2.mp4,two\n"})
    place_empty_videos(tmp_path, "train/1.mp4", "train/2.mp4")

    listing = scan_layout(tmp_path, detect_layout(tmp_path).name)

    assert rows_of(listing) == [("train/1.mp4", None, "train"), ("train/2.mp4", None, "train")]
    assert "text" in listing.remarks[0]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            {"train/metadata.csv": "file_name\na.mp4\n", "train/metadata.jsonl": "{}"},
            "several files",
        ),
        ({"train/metadata.csv": "clip,label\na.mp4,run\n"}, "no column file_name"),
        ({"metadata.parquet": "no Parquet"}, "not read as Parquet"),
    ],
)
def test_wrong_metadata_is_named(texts: dict[str, str], message: str, tmp_path: Path) -> None:
    if "metadata.parquet" in texts:
        pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    place_texts(tmp_path, dict(texts))

    with pytest.raises(DataError, match=message):
        scan_layout(tmp_path, LAYOUT)


def test_one_table_beside_the_videos_stays_a_table(tmp_path: Path) -> None:
    place_texts(tmp_path, {"metadata.csv": "file_name,label\nrun/1.mp4,run\nsit/2.mp4,sit\n"})
    place_empty_videos(tmp_path, "run/1.mp4", "sit/2.mp4")

    assert detect_layout(tmp_path).name == "table"
    assert list_rows(tmp_path, LAYOUT) == list_rows(tmp_path, "table")
