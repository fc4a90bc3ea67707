"""What is wrong with times and labels of segments is said with the place, and what to write."""

from pathlib import Path

import pytest

from tests.data.layouts.segments.examples import CVAT_META, cvat_box
from tests.data.layouts.segments.read import read_source, write_source
from tests.data.make_frames import write_frame_folder
from tests.notes import Notes
from videomae_cli.errors import DataError, UsageError
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import write_prepared


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("path;start;end;label\na.mp4;1;2;x\na.mp4;2,5;3;y\n", ":3: '2,5' has a comma"),
        ('path,start,end,label\na.mp4,0.5,"1,250",x\n', ":2: '1,250' has a comma"),
        ("path;start_ms;end_ms;label\na.mp4;500;1,5;x\n", ":2: '1,5' has a comma"),
        ("path;start_frame;end_frame;label\na.mp4;5;1.000,5;x\n", ":2: '1.000,5' has a comma"),
    ],
)
def test_decimal_commas_are_named_with_what_to_write(
    content: str, text: str, tmp_path: Path
) -> None:
    source = write_source(tmp_path, "t.csv", content, "a.mp4")

    with pytest.raises(DataError) as caught:
        read_source(source)

    assert text in caught.value.message and "write a decimal point: " in caught.value.hint


def test_decimal_commas_in_a_pair_are_named(tmp_path: Path) -> None:
    source = write_source(tmp_path, "t.csv", 'path,segment,label\na.mp4,"[0,5, 2,5]",x\n', "a.mp4")

    with pytest.raises(DataError, match=r"t\.csv:2: '\[0,5, 2,5\]' is not a start") as caught:
        read_source(source)

    assert "with decimal points: [0.5, 2]" in caught.value.hint


def test_timestamps_may_have_a_comma(tmp_path: Path) -> None:
    content = "path;start;end;label\na.mp4;00:01,5;0:00:02,25;x\n"

    (part,) = read_source(write_source(tmp_path, "t.csv", content, "a.mp4")).parts

    assert part.segment == (1.5, 2.25, "seconds")


def test_a_whole_file_among_segments_is_named(tmp_path: Path) -> None:
    content = "path,start,end,label\na.mp4,0.5,2,x\na.mp4,,,y\n"
    source = write_source(tmp_path, "t.csv", content, "a.mp4")

    with pytest.raises(DataError, match=r"t\.csv:3: no start and no end, but other") as caught:
        read_source(source)

    assert "write 0 and the duration" in caught.value.hint


def test_seconds_of_a_folder_of_frames_need_frame_numbers(tmp_path: Path) -> None:
    write_frame_folder(tmp_path / "a", 9)
    (tmp_path / "t.csv").write_text("path,start,end,label\na,0.5,1.5,x\na,1.5,2.5,y\n")
    options = PrepareOptions(decoder="pyav", workers=1)

    with pytest.raises(DataError, match="give frame numbers, in the columns start_frame and end"):
        write_prepared(tmp_path / "t.csv", tmp_path / "out", Notes(), options)


def test_a_label_column_that_cvat_does_not_have_gets_a_list(tmp_path: Path) -> None:
    track = f'<track id="0" label="man">{cvat_box(1, action="run", side="left")}</track>'
    source = write_source(tmp_path, "a.xml", f"{CVAT_META}{track}</annotations>", "a.mp4")

    with pytest.raises(UsageError, match="no kind of label 'nope', and no such attr") as caught:
        read_source(source, "nope")

    assert caught.value.hint == "one of: tracks, action, side (labels: man)"
