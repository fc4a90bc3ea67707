"""Exports of ELAN, BORIS and VIA."""

import json
from pathlib import Path

import pytest

from tests.data.layouts.segments.examples import (
    BORIS,
    BORIS_COLUMNS,
    BORIS_OLD,
    BORIS_TABULAR,
    ELAN,
    VIA,
    VIA_CSV,
)
from tests.data.layouts.segments.read import Part, read_source, write_source
from tests.data.layouts.sources import write_files, write_text
from videomae_cli.errors import DataError, UsageError

CLIP = "clip one.mp4"


def test_elan_has_the_annotations_of_a_tier(tmp_path: Path) -> None:
    source = write_source(tmp_path, "day1.eaf", ELAN, CLIP)

    layout, parts, remarks = read_source(source, "gesture")
    assert layout == "elan"
    assert parts == [
        Part(CLIP, "wave & point", (0.5, 1.75, "seconds")),
        Part(CLIP, "nod", (1.75, 4, "seconds")),
    ]
    assert "annotations without a text are not used (1)" in remarks
    assert "tiers that are not used: hand" in remarks


def test_elan_asks_for_the_tier(tmp_path: Path) -> None:
    source = write_source(tmp_path, "day1.eaf", ELAN, CLIP)

    with pytest.raises(DataError, match="which tier is the label: gesture, hand") as caught:
        read_source(source)
    assert caught.value.hint == "choose one: --label-column 'gesture'"
    with pytest.raises(UsageError, match="no tier 'feet'"):
        read_source(source, "feet")


def test_elan_annotations_that_refer_to_others_have_their_times(tmp_path: Path) -> None:
    source = write_source(tmp_path, "day1.eaf", ELAN, CLIP)

    assert read_source(source, "hand").parts == [Part(CLIP, "left", (1.75, 4, "seconds"))]
    divided = ELAN.replace('ANNOTATION_REF="a2"', 'ANNOTATION_REF="a2" PREVIOUS_ANNOTATION="a9"')
    write_text(source, divided)
    with pytest.raises(DataError, match=r"day1\.eaf:37: 'left' has no times of its own"):
        read_source(source, "hand")


def test_elan_adds_the_origin_of_the_media(tmp_path: Path) -> None:
    """The annotations begin at TIME_ORIGIN of the media file."""
    content = ELAN.replace('MIME_TYPE="video/mp4"', 'MIME_TYPE="video/mp4" TIME_ORIGIN="2500"')
    source = write_source(tmp_path, "day1.eaf", content, CLIP)

    parts, remarks = read_source(source, "gesture")[1:]

    assert [part.segment for part in parts] == [(3, 4.25, "seconds"), (4.25, 6.5, "seconds")]
    assert "the offset of the video (TIME_ORIGIN) is added to the times (1)" in remarks


def test_elan_annotations_without_a_time_are_refused(tmp_path: Path) -> None:
    content = ELAN.replace('TIME_SLOT_REF2="ts2"', 'TIME_SLOT_REF2="ts5"')
    source = write_source(tmp_path, "day1.eaf", content, CLIP)

    with pytest.raises(DataError, match=r"day1\.eaf:20: the annotation 'wave & point' has no time"):
        read_source(source, "gesture")


def test_elan_files_of_a_folder_are_read_together(tmp_path: Path) -> None:
    """Videos beside their annotations are found, even if another has the same name."""
    write_source(tmp_path, "p1/a.eaf", ELAN, f"p1/{CLIP}")
    write_source(tmp_path, "p2/b.eaf", ELAN, f"p2/{CLIP}")
    without = ELAN[: ELAN.index("<TIER")] + ELAN[ELAN.index("<LINGUISTIC_TYPE GR") :]
    write_text(tmp_path / "p2/c.eaf", without)

    layout, parts, remarks = read_source(tmp_path, "hand")

    assert (layout, parts) == (
        "elan",
        [
            Part(f"p1/{CLIP}", "left", (1.75, 4, "seconds")),
            Part(f"p2/{CLIP}", "left", (1.75, 4, "seconds")),
        ],
    )
    assert "files without the tier hand are not used (1)" in remarks


def test_elan_without_a_video_is_refused(tmp_path: Path) -> None:
    content = ELAN.replace("clip%20one.mp4", "x.wav").replace("clip one.mp4", "x.wav")
    source = write_source(tmp_path, "day1.eaf", content.replace("video/mp4", "audio/x-wav"))

    with pytest.raises(DataError, match="no video in MEDIA_DESCRIPTOR"):
        read_source(source)


def test_boris_has_state_events(tmp_path: Path) -> None:
    source = write_source(tmp_path, "events.csv", BORIS, "videos/mice.mp4")

    layout, parts, remarks = read_source(source)
    assert layout == "boris"
    assert parts == [
        Part("videos/mice.mp4", "Tear", (0, 30.199, "seconds")),
        Part("videos/mice.mp4", "Locomotion", (30.2, 32.4, "seconds")),
    ]
    assert "point events, which have no duration, are not used (1)" in remarks
    assert [part.label for part in read_source(source, "Behavioral category").parts] == [
        "feeding",
        "moving",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (BORIS_TABULAR, [("Tear", (1.5, 4.75)), ("Tear", (2.25, 9.5))]),
        (BORIS_OLD, [("Tear", (1.5, 4.75))]),
    ],
)
def test_boris_pairs_the_start_and_the_stop_of_a_subject(
    content: str, expected: list[tuple[str, tuple[float, float]]], tmp_path: Path
) -> None:
    source = write_source(tmp_path, "events.tsv", content, "mice.mp4")

    layout, parts, _ = read_source(source)

    assert layout == "boris"
    assert parts == [Part("mice.mp4", label, (*times, "seconds")) for label, times in expected]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("videos/mice.mp4,755", "videos/cats.mp4,755", "csv:3: the observation has several media"),
        (",0.0,30.2,60.1", ",12.5,30.2,60.1", "csv:2: the observation has a time offset, 12.5 s"),
        ("videos/mice.mp4,0,754", "NA,0,754", "csv:2: no media file"),
        (",0.0,30.199,", ",0.0,NA,", "csv:2: 'NA' is not a time"),
        (",30.2,32.4,", ",30.2,30.1,", "csv:3: the part starts at 30.2 and ends before, at 30.1"),
    ],
)
def test_boris_times_must_be_those_of_the_file(
    old: str, new: str, problem: str, tmp_path: Path
) -> None:
    source = write_source(tmp_path, "events.csv", BORIS.replace(old, new), "videos/mice.mp4")

    with pytest.raises(DataError, match=problem):
        read_source(source)


def test_boris_times_of_media_files_in_a_queue_count_from_their_own_start(tmp_path: Path) -> None:
    """As in an export of BORIS 9: the first file has 179.96 s, the times continue in the second."""
    source = "player #1:clips/a.mp4;clips/b.mp4|player #2:c.mp4"
    content = BORIS_COLUMNS.replace(",", "\t") + "".join(
        f"day 1\t2024-05-02\t\tMedia file\t{source}\t0.0\t318.565\t179.960;359.960|9.0\t"
        f"25.000;25.000|25.0\t\t59.625\ts\t\t\tSTATE\t{times}\t25.725\t{media}\t" + "\t" * 5 + "\n"
        for times, media in (("1.800\t8.125", "clips/a.mp4"), ("227.765\t253.490", "clips/b.mp4"))
    )
    path = write_source(tmp_path, "events.tsv", content, "clips/a.mp4", "clips/b.mp4")

    assert read_source(path).parts == [
        Part("clips/a.mp4", "s", (1.8, 8.125, "seconds")),
        Part("clips/b.mp4", "s", (47.805, 73.53, "seconds")),
    ]
    write_text(path, content.replace("8.125", "188.125"))
    with pytest.raises(DataError, match=r"events\.tsv:2: 's' ends after its media file"):
        read_source(path)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("Player #1\tmice.mp4", "Player #1\tmice.mp4\nPlayer #1\tb.mp4", "several media files"),
        ("Time offset (s)\t0.0", "Time offset (s)\t2.5", "a time offset, 2.5 s"),
    ],
)
def test_the_head_of_an_older_export_of_boris_is_checked(
    old: str, new: str, problem: str, tmp_path: Path
) -> None:
    source = write_source(tmp_path, "events.tsv", BORIS_OLD.replace(old, new), "mice.mp4")

    with pytest.raises(DataError, match=problem):
        read_source(source)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("STOP\t9.5", "START\t9.5", "tsv:3: START of 'Tear' without a STOP"),
        ("START\t1.5", "STOP\t1.5", "tsv:2: STOP of 'Tear' without a START"),
    ],
)
def test_boris_events_must_be_paired(old: str, new: str, problem: str, tmp_path: Path) -> None:
    source = write_source(tmp_path, "events.tsv", BORIS_TABULAR.replace(old, new), "mice.mp4")

    with pytest.raises(DataError, match=problem):
        read_source(source)


def test_via_projects_have_segments_with_an_attribute(tmp_path: Path) -> None:
    source = write_source(tmp_path, "via.json", VIA, "a.mp4", "web/b.mp4")

    layout, parts, remarks = read_source(source)

    assert layout == "via"
    assert parts == [
        Part("a.mp4", "run", (0.5, 3.25, "seconds")),
        Part("a.mp4", "jump", (3, 4.5, "seconds")),
        Part("web/b.mp4", "run", (1.5, 2, "seconds")),
    ]
    assert "annotations of single frames or whole files are not used (1)" in remarks


def test_via_exports_as_csv_are_read(tmp_path: Path) -> None:
    source = write_source(tmp_path, "via.csv", VIA_CSV, "a.mp4")

    layout, parts, _ = read_source(source)

    assert layout == "via"
    assert parts == [
        Part("a.mp4", "run", (0.5, 3.25, "seconds")),
        Part("a.mp4", "jump", (3, 4.5, "seconds")),
    ]
    write_text(source, VIA_CSV.replace('"[0.5,3.25]"', '"[3.25,0.5]"'))
    with pytest.raises(DataError, match=r"via\.csv:7: the part starts at 3\.25 and ends before"):
        read_source(source)


def test_via_exports_of_older_versions_are_read(tmp_path: Path) -> None:
    source = write_source(
        tmp_path,
        "via.csv",
        "# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)\n"
        "# CSV_HEADER = metadata_id,file_list,temporal_segment_start,temporal_segment_end,"
        "metadata\n"
        '"1_x","[""a.mp4""]",1.5,2.75,"{""TEMPORAL-SEGMENTS"":""run""}"\n',
        "a.mp4",
    )

    assert read_source(source).parts == [Part("a.mp4", "run", (1.5, 2.75, "seconds"))]


def test_via_asks_for_the_attribute_and_for_several_labels(tmp_path: Path) -> None:
    project = json.loads(VIA)
    project["attribute"]["2"] |= {"aname": "tools", "type": 2, "options": {"a": "saw", "b": "axe"}}
    project["metadata"]["1_x7G"]["av"] = {"1": "0", "2": "a,b"}
    source = write_source(tmp_path, "via.json", json.dumps(project), "a.mp4", "b.mp4")

    with pytest.raises(DataError, match="which attribute is the label: action, tools"):
        read_source(source)
    with pytest.raises(DataError, match="1_x7G: several labels, saw, axe"):
        read_source(source, "tools")
    parts, remarks = read_source(source, "tools", task="multi-label")[1:]
    assert parts == [Part("a.mp4", ("['saw', 'axe']",), (0.5, 3.25, "seconds"))]
    assert "segments without the attribute tools are not used (2)" in remarks


def test_annotations_are_preferred_to_folders_and_the_alternatives_are_named(
    tmp_path: Path,
) -> None:
    write_files(tmp_path, "run/a.mp4", "run/b.mp4", "sit/c.mp4", "sit/d.mp4")
    write_text(tmp_path / "via.json", VIA)

    assert read_source(tmp_path).layout == "via"
