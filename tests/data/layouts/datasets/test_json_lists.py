"""Diving48 and Ego4D's state changes are read from their JSON lists."""

import json
from pathlib import Path

import pytest

from tests.data.layouts.datasets.listed import rows_of
from tests.data.layouts.datasets.trees import place_empty_videos, write_diving48, write_ego4d
from videomae_cli.data.ingest.list_checks import check_no_duplicates
from videomae_cli.data.layouts import detect_layout, scan_layout
from videomae_cli.data.layouts.video_entry import Segment
from videomae_cli.errors import DataError


def test_diving48_uses_whole_files_and_validates_on_the_test_list(tmp_path: Path) -> None:
    source = write_diving48(tmp_path)

    assert detect_layout(source).name == "diving48"
    listing = scan_layout(source, "diving48")

    assert rows_of(listing) == [
        ("rgb/abc_00001.mp4", "Back_15som_05Twis_FREE", "train"),
        ("rgb/abc_00002.mp4", "Dive_47", "train"),
        ("rgb/def_00001.mp4", "Dive_47", "val"),
    ]
    assert all(entry.segment is None for entry in listing.entries)
    assert (len(listing.classes), listing.classes[1], listing.remarks) == (48, "Dive_1", [])


def test_diving48_needs_no_vocabulary_and_prefers_its_second_version(tmp_path: Path) -> None:
    source = write_diving48(tmp_path)
    (source / "Diving48_vocab.json").rename(source / "Diving48_train.json")

    listing = scan_layout(source, "diving48")

    assert [label for _, label, _ in rows_of(listing)] == ["0", "47", "47"]
    assert listing.remarks == [
        "lists that are not used: Diving48_train.json",
        "no Diving48_vocab.json: the classes are named by their numbers",
    ]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("train", [{"vid_name": "a", "label": 48}], "entry 1 has no vid_name, or no label"),
        ("train", [{"label": 3}], "entry 1 has no vid_name, or no label"),
        ("train", {"a": 3}, "not a list of objects"),
    ],
)
def test_a_wrong_entry_of_diving48_is_named(
    name: str, value: object, message: str, tmp_path: Path
) -> None:
    source = write_diving48(tmp_path)
    (source / f"Diving48_V2_{name}.json").write_text(json.dumps(value))

    with pytest.raises(DataError, match=rf"Diving48_V2_train\.json: {message}"):
        scan_layout(source, "diving48")


def test_ego4d_uses_clips_that_are_files_and_parts_of_recordings(tmp_path: Path) -> None:
    source = write_ego4d(tmp_path)

    assert detect_layout(source).name == "ego4d-oscc"
    listing = scan_layout(source, "ego4d-oscc")

    assert rows_of(listing) == [
        ("v1/full_scale/recording.mp4", "state change", "train"),
        ("v1/full_scale/recording.mp4", "no state change", "train"),
        ("v1/clips/unique-2.mp4", "state change", "val"),
    ]
    assert [entry.segment for entry in listing.entries] == [
        Segment(0.0, 8.0, "seconds"),
        Segment(8.0, 16.0, "seconds"),
        None,
    ]
    assert (listing.classes, listing.remarks) == (("no state change", "state change"), [])
    check_no_duplicates(listing.entries, source)


def test_ego4d_reads_folders_of_frames_and_a_test_list_without_labels(tmp_path: Path) -> None:
    source = write_ego4d(tmp_path)
    text = {"split": "test", "clips": [{"unique_id": "unique-9"}]}
    path = source / "v1/annotations/fho_oscc-pnr_test_unannotated.json"
    path.write_text(json.dumps(text))
    place_empty_videos(source, "frames/unique-9/1.jpg", "frames/unique-9/2.jpg")

    assert rows_of(scan_layout(source, "ego4d-oscc"))[3] == ("frames/unique-9", None, "test")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parent_end_sec": 0.0}, "from 0.0 to 0.0 s"),
        ({"state_change": None}, "has no state_change"),
        ({"unique_id": None}, "has no unique_id"),
    ],
)
def test_a_wrong_clip_of_ego4d_is_named(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = write_ego4d(tmp_path) / "v1/annotations/fho_oscc-pnr_train.json"
    value = json.loads(path.read_text())
    value["clips"][0].update(change)
    path.write_text(json.dumps(value))

    with pytest.raises(DataError, match=rf"fho_oscc-pnr_train\.json: clip 1:? {message}"):
        scan_layout(tmp_path, "ego4d-oscc")
