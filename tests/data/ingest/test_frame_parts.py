"""A list may take a part of a folder of frames; what it takes is exact, or the row is rejected."""

from pathlib import Path

import pytest

from tests.data.layouts.prepared import place_clips
from tests.data.make_frames import write_frame_folder
from tests.notes import Notes
from videomae_cli.data.ingest.frame_parts import find_frame_parts
from videomae_cli.data.ingest.list_checks import check_no_duplicates
from videomae_cli.data.layouts import detect_layout, scan_layout
from videomae_cli.data.layouts.video_entry import Segment, VideoEntry
from videomae_cli.errors import DataError
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import write_prepared


def frames(start: int, end: int) -> Segment:
    return Segment(start, end, "frames")


def read_parts(
    folder: Path, text: str, layout: str | None = None
) -> tuple[str, list[VideoEntry], list[str]]:
    """Write a list, and return its layout, its entries with their parts, and the remarks."""
    path = folder / "train.txt"
    path.write_text(text)
    layout = layout or detect_layout(path).name
    entries, remarks = find_frame_parts(scan_layout(path, layout).entries, folder)
    return layout, entries, remarks


def write_folder(folder: Path, name: str, count: int, first: int = 1) -> None:
    """Write small images with five digits, numbered from `first`."""
    pattern = "img_{:05d}.jpg"
    write_frame_folder(folder / name, count, pattern=pattern, first=first, height=16, width=16)


def test_the_offset_of_mmaction2_counts_frames_from_0(tmp_path: Path) -> None:
    write_folder(tmp_path, "a", 20)

    layout, entries, remarks = read_parts(tmp_path, "a 0 20 1\na 12 5 0\na 0 8 1\n")

    assert layout == "list-start-frames-label"
    assert [(entry.label, entry.segment) for entry in entries] == [
        (1, None),
        (0, frames(12, 17)),
        (1, frames(0, 8)),
    ]
    assert remarks == [
        "2 of 3 rows are a part of a folder of frames: a from img_00013.jpg to img_00017.jpg"
    ]
    check_no_duplicates(entries, tmp_path)


@pytest.mark.parametrize(("first", "start"), [(1, 5), (0, 4), (11, 15)])
def test_the_start_of_videomae_v2_is_the_number_of_a_frame(
    first: int, start: int, tmp_path: Path
) -> None:
    write_folder(tmp_path, "a", 20, first)

    _, entries, remarks = read_parts(tmp_path, f"a {start} 6\n", "list-start-frames")

    assert [(entry.segment, entry.frames) for entry in entries] == [(frames(4, 10), None)]
    assert f"a from img_{start:05d}.jpg to img_{start + 5:05d}.jpg" in remarks[0]


def test_a_list_with_a_start_below_the_first_frame_counts_from_0(tmp_path: Path) -> None:
    write_folder(tmp_path, "a", 20)

    _, entries, _ = read_parts(tmp_path, "a 0 6\na 6 14\n", "list-start-frames")

    assert [entry.segment for entry in entries] == [frames(0, 6), frames(6, 20)]


@pytest.mark.parametrize("line", ["a 1 20", "a 0 20"])
def test_a_whole_folder_is_no_part(line: str, tmp_path: Path) -> None:
    write_folder(tmp_path, "a", 20)

    layout, entries, remarks = read_parts(tmp_path, line + "\n")

    assert (layout, [entry.segment for entry in entries], remarks) == (
        "list-start-frames",
        [None],
        [],
    )


def test_a_frame_count_that_is_a_little_small_takes_the_first_frames(tmp_path: Path) -> None:
    write_folder(tmp_path, "a", 20)
    write_folder(tmp_path, "b", 20)

    _, entries, _ = read_parts(tmp_path, "a 19 0\nb 20 1\n")

    assert [entry.segment for entry in entries] == [frames(0, 19), None]


@pytest.mark.parametrize(
    ("line", "layout", "given"),
    [
        ("a 15 6 0", "list-start-frames-label", "6 frames from 15"),
        ("a 16 6", "list-start-frames", "6 frames from 16"),
        ("a 21 0", "list-frames-label", "21 frames"),
        ("a 3 0 0", "list-start-frames-label", "0 frames from 3"),
    ],
)
def test_a_part_that_is_not_there_is_rejected(
    line: str, layout: str, given: str, tmp_path: Path
) -> None:
    whole = {"list-start-frames-label": "{} 0 20 1", "list-frames-label": "{} 20 1"}
    for name in "abc":
        write_folder(tmp_path, name, 20)
    others = "".join(whole.get(layout, "{} 1 20").format(name) + "\n" for name in "bc")

    _, entries, _ = read_parts(tmp_path, f"{line}\n{others}", layout)

    assert [(entry.path, entry.rejection) for entry in entries] == [
        ("a", f"the list gives {given}, the folder has 20 from 1"),
        ("b", ""),
        ("c", ""),
    ]


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("a 3 7\nb 2 5\n", 20),  # two labels
        ("a 0 2\nb 1 3\n", 20),  # two labels, of which the first may be a start
        ("a 1 2 3\nb 4 3 1\n", 20),  # three labels
        ("a 20 1 3\nb 20 4 2\n", 20),  # a frame count and two labels
    ],
)
def test_labels_are_not_taken_for_a_part(text: str, frames: int, tmp_path: Path) -> None:
    write_folder(tmp_path, "a", frames)
    write_folder(tmp_path, "b", frames)

    with pytest.raises(DataError, match=r"train\.txt:1: 'a' has 20 frames; .*not the") as caught:
        read_parts(tmp_path, text)

    assert "--task multi-label" in caught.value.hint
    assert "--layout list-start-frames" in caught.value.hint


def test_labels_of_files_without_suffix_are_not_taken_for_a_part(tmp_path: Path) -> None:
    place_clips(tmp_path, ["a.mp4", "b.mp4"])
    (tmp_path / "train.txt").write_text("a 1 2 3\nb 0 3 1\n")
    options = PrepareOptions(decoder="pyav", workers=1)

    with pytest.raises(DataError, match=r"train\.txt:1: 'a\.mp4' is a file") as caught:
        write_prepared(tmp_path / "train.txt", tmp_path / "out", Notes(), options)

    assert "--task multi-label" in caught.value.hint


def test_frames_may_have_any_name_and_numbers_in_steps(tmp_path: Path) -> None:
    pattern = "frame{:06d}.jpg"
    write_frame_folder(tmp_path / "a", 9, first=0, step=10, pattern=pattern, height=16, width=16)

    _, entries, remarks = read_parts(tmp_path, "a 20 5\na 25 5\n", "list-start-frames")

    assert entries[0].segment == frames(2, 7)
    assert "a from frame000020.jpg to frame000060.jpg" in remarks[0]
    assert entries[1].rejection != ""


def test_three_numbers_after_a_video_file_are_labels(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("a.mp4 1 2 3\nb.mp4 0 2 3\n")

    with pytest.raises(DataError, match="several labels per video"):
        scan_layout(path, detect_layout(path).name)

    path.write_text("a.mp4 0 -1 3\nb.mp4 0 -1 2\n")
    entries = scan_layout(path, detect_layout(path).name).entries
    assert [(entry.label, entry.segment) for entry in entries] == [(3, None), (2, None)]


def test_parts_of_a_folder_become_rows_with_their_frames(tmp_path: Path) -> None:
    write_folder(tmp_path, "a", 20)
    (tmp_path / "train.txt").write_text("a 12 5 0\na 0 8 1\na 0 20 1\n")
    options = PrepareOptions(decoder="pyav", workers=1, val_fraction=0)

    manifest = write_prepared(tmp_path / "train.txt", tmp_path / "out", Notes(), options).manifest

    assert [(v.path, v.label, v.start, v.frames) for v in manifest.videos] == [
        ("a", 0, 12, 5),
        ("a", 1, 0, 8),
        ("a", 1, None, 20),
    ]


@pytest.mark.parametrize("other", ["a 1 20 1", "a 16 5 1"])  # past the end, if counted from 0
def test_starts_before_labels_that_only_fit_as_numbers_are_numbers(
    other: str, tmp_path: Path
) -> None:
    write_folder(tmp_path, "a", 20)

    _, entries, remarks = read_parts(tmp_path, f"a 13 5 0\n{other}\n", "list-start-frames-label")

    assert [entry.rejection for entry in entries] == ["", ""]
    assert entries[0].segment == frames(12, 17)
    assert "a from img_00013.jpg to img_00017.jpg" in remarks[0]
    assert remarks[1].endswith(
        "train.txt: the starts are the numbers of frames, not counted from 0"
    )


def test_starts_before_labels_that_may_be_either_are_explained(tmp_path: Path) -> None:
    write_folder(tmp_path, "a", 20)

    _, entries, remarks = read_parts(
        tmp_path, "a 12 5 0\na 3 8 1\na 9 8 1\n", "list-start-frames-label"
    )

    assert entries[0].segment == frames(12, 17)
    assert (
        "count frames from 0, as in MMAction2; if they are the numbers of frames, subtract 1"
        in (remarks[1])
    )


def test_folders_that_count_from_0_leave_no_doubt(tmp_path: Path) -> None:
    write_folder(tmp_path, "a", 20, first=0)

    _, entries, remarks = read_parts(tmp_path, "a 12 5 0\na 3 8 1\n", "list-start-frames-label")

    assert [entry.segment for entry in entries] == [frames(12, 17), frames(3, 11)]
    assert len(remarks) == 1
