"""What all formats share: untrusted files, videos and their names, duplicates and splits."""

import random
from pathlib import Path

import pytest

from tests.data.layouts.segments import examples
from tests.data.layouts.segments.read import Part, read_source, write_source
from tests.data.layouts.sources import write_files, write_text
from videomae_cli.data.layouts import LAYOUTS, scan_layout
from videomae_cli.data.layouts.segments.annotated_rows import Annotations, Row, make_entries
from videomae_cli.data.layouts.segments.registry import FORMATS
from videomae_cli.data.layouts.segments.video_places import VideoPlaces, clean_name
from videomae_cli.data.layouts.segments.xml_file import read_xml
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError, UsageError

MUTATIONS = 150
EXAMPLES = {
    "epic-kitchens": (examples.EPIC, ".csv", "verb_class"),
    "charades": (examples.CHARADES, ".csv", None),
    "activitynet": (examples.ACTIVITYNET, ".json", None),
    "hacs-clips": (examples.HACS_CLIPS, ".csv", None),
    "boris": (examples.BORIS, ".csv", None),
    "via": (examples.VIA, ".json", None),
    "label-studio": (examples.LABEL_STUDIO, ".json", None),
    "cvat": (examples.CVAT, ".xml", None),
    "elan": (examples.ELAN, ".eaf", "gesture"),
}


def test_every_format_is_a_layout_with_an_example() -> None:
    assert {*EXAMPLES} == {*FORMATS}
    assert {*FORMATS} <= {*LAYOUTS}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_damaged_file_is_read_or_refused(name: str, tmp_path: Path) -> None:
    """Any change of a file gives entries, or an error for the user: no other exception."""
    content, suffix, column = EXAMPLES[name]
    generator = random.Random(name)
    reading = Reading(label_column=column, root=tmp_path)
    refused = 0
    for _ in range(MUTATIONS):
        text = content
        for _ in range(generator.choice((1, 1, 3))):
            at = generator.randrange(len(text))
            end = at + generator.choice((0, 1, 1, 9, len(text)))
            text = (
                text[:at] + generator.choice(("", "0", '"', "{", "<", ",", "-", "\n")) + text[end:]
            )
        source = write_text(tmp_path / f"a{suffix}", text)
        try:
            scan_layout(source, name, reading)
        except (DataError, UsageError):
            refused += 1
    assert 0 < refused < MUTATIONS


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("content", ["", "{}", "[]", "[1]", "null", "a,b\n1,2\n", "<a/>", "\0"])
def test_other_content_is_refused(name: str, content: str, tmp_path: Path) -> None:
    _, suffix, column = EXAMPLES[name]
    source = write_text(tmp_path / f"a{suffix}", content)

    with pytest.raises((DataError, UsageError)):
        scan_layout(source, name, Reading(label_column=column, root=tmp_path))


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE a [<!ENTITY x "y">]>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://localhost/x"> %x;]>',
    ],
)
def test_a_doctype_is_refused_before_it_is_used(declaration: str, tmp_path: Path) -> None:
    source = write_text(tmp_path / "a.eaf", f"<?xml version='1.0'?>\n{declaration}\n<a>&x;</a>")

    with pytest.raises(DataError, match=r"a\.eaf:2: a DOCTYPE, which can define entities"):
        read_xml(source)


def test_an_unknown_entity_and_a_cut_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.xml:1: not XML: undefined entity"):
        read_xml(write_text(tmp_path / "a.xml", "<a>&x;</a>"))
    with pytest.raises(DataError, match=r"b\.xml:2: not XML: no element found"):
        read_xml(write_text(tmp_path / "b.xml", "<a>\n<b>"))


def test_xml_may_be_nested_deeply_and_have_namespaces(tmp_path: Path) -> None:
    depth = 100_000
    content = f"<n:a xmlns:n='u'>{'<b>' * depth}x{'</b>' * depth}</n:a>"

    root = read_xml(write_text(tmp_path / "a.xml", content))

    assert root.tag == "a"
    assert sum(1 for _ in root.find_all("b")) == depth


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a.mp4", "a.mp4"),
        ("file:///home/me/a%20b.mp4", "/home/me/a b.mp4"),
        ("file:///C:/me/a.mp4", "C:/me/a.mp4"),
        ("C:\\me\\a.mp4", "C:/me/a.mp4"),
        ("https://x.org/v/a%20b.mp4?x=1#t", "/v/a b.mp4"),
        ("what?.mp4", "what?.mp4"),
    ],
)
def test_names_of_videos_are_paths_of_this_system(name: str, path: str) -> None:
    assert clean_name(name) == path


def test_videos_are_found_by_paths_before_names(tmp_path: Path) -> None:
    write_files(tmp_path, "p1/a.mp4", "p2/a.mp4", "p2/b.MKV", "c/d/e.mp4", ".trash/b.mp4")

    def find(name: str, folder: str = "") -> str:
        return VideoPlaces(tmp_path, [name]).find("x:1", [name], tmp_path / folder)

    assert find("a.mp4", "p1") == "p1/a.mp4"
    assert find("./a.mp4", "p2") == "p2/a.mp4"
    assert find("/data/of/others/p1/a.mp4") == "p1/a.mp4"
    assert find("../p1/a.mp4", "p2") == "p1/a.mp4"
    assert find("b.mp4") == "p2/b.MKV"
    assert find("e") == "c/d/e.mp4"
    assert find("C:\\clips\\none.mp4") == "none.mp4"
    with pytest.raises(DataError, match=r"x:1: which video is 'a': p1/a\.mp4 or p2/a\.mp4"):
        find("a")


def test_a_video_outside_the_root_keeps_its_whole_path(tmp_path: Path) -> None:
    write_files(tmp_path, "media/a.mp4", "lists/x")
    places = VideoPlaces(tmp_path / "lists", ["../media/a.mp4"])

    found = places.find("x:1", ["../media/a.mp4"], tmp_path / "lists")

    assert found == str(tmp_path / "media/a.mp4")


def make_row(label: str | None, start: float, split: str | None = None) -> Row:
    return Row(Path("a.json"), 1, ("a.mp4",), label, (start, 9), split=split)


def test_repeated_rows_are_used_once_and_others_are_kept(tmp_path: Path) -> None:
    rows = [make_row("run", 1), make_row("sit", 1), make_row("run", 2), make_row("run", 1)]

    entries, remarks = make_entries(Annotations(rows), tmp_path, Reading())

    assert [(entry.label, entry.segment and entry.segment.start) for entry in entries] == [
        ("run", 1),
        ("sit", 1),
        ("run", 2),
    ]
    assert remarks == ["rows that repeat others are used once (1)"]


def test_a_split_of_some_rows_only_is_refused(tmp_path: Path) -> None:
    rows = [make_row("run", 1, "train"), make_row("sit", 1)]

    with pytest.raises(DataError, match=r"a\.json:1: no split, but a\.json:1 is train"):
        make_entries(Annotations(rows), tmp_path, Reading())


def test_a_list_beside_annotations_that_speaks_of_a_split_is_a_hint(tmp_path: Path) -> None:
    write_source(tmp_path, "via.json", examples.VIA, "a.mp4", "b.mp4")
    write_text(tmp_path / "train_ids.txt", "a.mp4\n")

    listing = scan_layout(tmp_path, "via", Reading(root=tmp_path))

    assert listing.split_hints == ["train_ids.txt"]


def test_missing_videos_are_listed_so_that_they_are_rejected(tmp_path: Path) -> None:
    source = write_source(tmp_path, "via.json", examples.VIA, "a.mp4")

    assert {part.path for part in read_source(source).parts} == {"a.mp4", "b.mp4"}


def test_values_of_a_segment_can_be_predicted(tmp_path: Path) -> None:
    source = write_source(tmp_path, "via.csv", examples.VIA_CSV, "a.mp4")

    assert read_source(source, task="regression").parts[0] == Part(
        "a.mp4", ("run",), (0.5, 3.25, "seconds")
    )


def test_files_of_a_folder_are_found_in_it_and_some_further_below(tmp_path: Path) -> None:
    write_source(tmp_path / "deep/er", "a.eaf", examples.ELAN, "clip one.mp4")
    write_text(tmp_path / "deep/via.json", examples.VIA)
    assert read_source(tmp_path, "gesture").layout == "elan"

    write_source(tmp_path / "task", "annotations.xml", examples.CVAT, "a.mp4")
    write_text(tmp_path / "task/other.xml", examples.CVAT)
    assert len(read_source(tmp_path).parts) == 3


def test_other_xml_and_json_are_no_annotations_of_segments(tmp_path: Path) -> None:
    write_files(tmp_path, "run/a.mp4", "run/b.mp4", "sit/c.mp4", "sit/d.mp4")
    images = examples.CVAT.replace("interpolation", "annotation").replace("source", "origin")
    write_text(tmp_path / "images.xml", images)
    write_text(tmp_path / "voc.xml", "<annotation><object><name>x</name></object></annotation>")
    write_text(tmp_path / "coco.json", '{"images": [], "annotations": [{"segmentation": []}]}')

    assert read_source(tmp_path).layout == "class-folders"
