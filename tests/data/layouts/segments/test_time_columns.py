"""Tables with start and end columns: the unit is known or asked for, and wrong rows are named."""

import json
from pathlib import Path

import pytest

from tests.data.layouts.sources import write_text
from videomae_cli.data.ingest.list_checks import drop_copied_test_list
from videomae_cli.data.ingest.path_repair import repair_paths
from videomae_cli.data.labels.targets import merge_repeated
from videomae_cli.data.layouts import scan_layout
from videomae_cli.data.layouts.segments.cut_files import use_cut_files
from videomae_cli.data.layouts.segments.time_columns import check_unit
from videomae_cli.data.layouts.video_entry import Listing, Reading, Segment, VideoEntry
from videomae_cli.errors import DataError, UsageError


def scan(path: Path, content: str, unit: str | None = None, name: str = "t.csv") -> Listing:
    """Read a table."""
    return scan_layout(write_text(path / name, content), "table", Reading(segment_unit=unit))


def segments(listing: Listing) -> list[Segment | None]:
    return [entry.segment for entry in listing.entries]


@pytest.mark.parametrize(
    ("names", "cells", "expected"),
    [
        ("start,end", "0.5,2", (0.5, 2, "seconds")),
        ("start_time,end_time", "0,2.5", (0, 2.5, "seconds")),
        ("t_start,t_end", "1.25,2.5", (1.25, 2.5, "seconds")),
        ("t0,t1", "1.25,2.5", (1.25, 2.5, "seconds")),
        ("Begin,Stop", "1.25,2.5", (1.25, 2.5, "seconds")),
        ("onset,offset", "1.25,2.5", (1.25, 2.5, "seconds")),
        ("clip_start,clip_end", "1.25,2.5", (1.25, 2.5, "seconds")),
        ("start_sec,end_sec", "10,20", (10, 20, "seconds")),
        ("Start (s),Stop (s)", "10,20", (10, 20, "seconds")),
        ("start_frame,end_frame", "10,20", (10, 20, "frames")),
        ("frame_start,frame_end", "10.0,20.0", (10, 20, "frames")),
        ("start_ms,end_ms", "500,1250", (0.5, 1.25, "seconds")),
        ("start,end", "00:00:01.500,01:02:03.25", (1.5, 3723.25, "seconds")),
        ("start,end", "0:01,1:30", (1, 90, "seconds")),
    ],
)
def test_a_pair_of_columns_is_read_in_its_unit(
    names: str, cells: str, expected: tuple[float, float, str], tmp_path: Path
) -> None:
    listing = scan(tmp_path, f"path,{names},label\na.mp4,{cells},run\n")

    assert segments(listing) == [expected]
    assert "the end is not part of it" in listing.remarks[0]
    assert expected[2] in listing.remarks[0] or "milliseconds" in listing.remarks[0]


@pytest.mark.parametrize("names", ["start,end", "start_time,end_time", "time_start,time_end"])
def test_whole_numbers_need_a_unit(names: str, tmp_path: Path) -> None:
    content = f"path,{names},label\na.mp4,10,20,run\na.mp4,30.0,45,run\n"

    with pytest.raises(DataError, match=r"t\.csv: are the columns .* or frames\?") as caught:
        scan(tmp_path, content)
    assert "--segment-unit seconds, frames or milliseconds" in caught.value.hint

    assert segments(scan(tmp_path, content, "seconds")) == [
        (10, 20, "seconds"),
        (30, 45, "seconds"),
    ]
    assert segments(scan(tmp_path, content, "frames")) == [(10, 20, "frames"), (30, 45, "frames")]
    assert segments(scan(tmp_path, content, "milliseconds")) == [
        (0.01, 0.02, "seconds"),
        (0.03, 0.045, "seconds"),
    ]


def test_seconds_are_preferred_to_frame_numbers_unless_these_are_asked_for(tmp_path: Path) -> None:
    content = (
        "path,start_time,end_time,start_frame,end_frame,label\na.mp4,0:00:01.5,0:00:02,45,60,run\n"
    )

    listing = scan(tmp_path, content)
    assert segments(listing) == [(1.5, 2, "seconds")]
    assert any("not used: start_frame, end_frame" in remark for remark in listing.remarks)
    assert segments(scan(tmp_path, content, "frames")) == [(45, 60, "frames")]
    with pytest.raises(DataError, match="--segment-unit milliseconds, but start_time/end_time"):
        scan(tmp_path, content, "milliseconds")


def test_two_pairs_of_one_unit_are_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="clip_start/clip_end and action_start/action_end"):
        scan(
            tmp_path,
            "path,clip_start,clip_end,action_start,action_end,label\na.mp4,0.5,9.5,1.5,2.5,run\n",
        )


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("b.mp4,3.5,2.5,sit", "starts at 3.5 and ends before, at 2.5"),
        ("b.mp4,2.5,2.5,sit", "from 2.5 to 2.5 is empty"),
        ("b.mp4,-1.5,2.5,sit", "starts at -1.5, before the file"),
        ("b.mp4,nan,2.5,sit", "'nan' is not a time"),
        ("b.mp4,1,inf,sit", "'inf' is not a time"),
        ("b.mp4,,2.5,sit", "no time"),
        ("b.mp4,soon,2.5,sit", "'soon' is not a time"),
        ("b.mp4,00:00:10:05,2.5,sit", "'00:00:10:05' is not a time"),
    ],
)
def test_a_wrong_pair_is_named(row: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"t\.csv:3: .*{problem}"):
        scan(tmp_path, f"path,start,end,label\na.mp4,0.5,1.5,run\n{row}\n")


def test_frame_numbers_are_whole(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.csv:2: the frame numbers 0\.5 and 9 are not whole"):
        scan(tmp_path, "path,start_frame,end_frame,label\na.mp4,0.5,9,run\n")


def test_a_start_without_an_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="start select a part of each video, but do not give both"):
        scan(tmp_path, "path,start,duration,label\na.mp4,1.5,2,run\n")


def test_json_records_and_a_cell_with_both_times_are_read(tmp_path: Path) -> None:
    rows = [
        {"video": "a.mp4", "label": "run", "segment": [0.5, 2]},
        {"video": "a.mp4", "label": "sit", "segment": [2, 3.5]},
    ]

    listing = scan(tmp_path, json.dumps(rows), name="t.json")
    assert segments(listing) == [(0.5, 2, "seconds"), (2, 3.5, "seconds")]
    rows[1]["segment"] = [2, 3, 4]
    with pytest.raises(DataError, match=r"t\.json:2: '.*' is not a start and an end"):
        scan(tmp_path, json.dumps(rows), name="t.json")


def test_columns_of_zeros_select_nothing(tmp_path: Path) -> None:
    assert segments(scan(tmp_path, "path,start,end,label\na.mp4,0,-1,run\n")) == [None]


def test_files_named_after_their_times_are_used_whole(tmp_path: Path) -> None:
    """As with a list of Kinetics, in which the paths are found by their IDs."""
    for name in ("abcdefghijk_000010_000020.mp4", "bcdefghijkl_000003_000013.mp4"):
        (tmp_path / name).touch()
    listing = scan(
        tmp_path,
        "label,youtube_id,time_start,time_end\nrun,abcdefghijk,10,20\nsit,bcdefghijkl,3,13\n",
        "seconds",
    )

    entries, remarks = use_cut_files(repair_paths(listing.entries, tmp_path)[0])

    assert [(entry.path, entry.segment) for entry in entries] == [
        ("abcdefghijk_000010_000020.mp4", None),
        ("bcdefghijkl_000003_000013.mp4", None),
    ]
    assert "cut already" in remarks[0]
    whole = entries[0]._replace(path="a.mp4", segment=Segment(1, 2, "seconds"))
    with pytest.raises(DataError, match=r"000020\.mp4' is named after its start and end"):
        use_cut_files([entries[0]._replace(segment=Segment(10, 20, "seconds")), whole])


def test_labels_are_joined_for_one_segment_only(tmp_path: Path) -> None:
    def row(label: str, start: float) -> VideoEntry:
        segment = Segment(start, 9, "seconds")
        path = Path("t.csv")
        return VideoEntry("a.mp4", None, None, path, 2, cells=(label,), segment=segment)

    merged = merge_repeated([row("run", 1), row("sit", 1), row("sit", 2)])

    assert [(entry.cells, entry.segment and entry.segment.start) for entry in merged] == [
        (("run", "sit"), 1),
        (("sit",), 2),
    ]


def test_a_unit_is_for_tables_with_times(tmp_path: Path) -> None:
    listing = scan(tmp_path, "path,start,end,label\na.mp4,1,2,run\n", "frames")

    check_unit(tmp_path, "table", listing.entries, "frames")
    check_unit(tmp_path, "videos", [], None)
    with pytest.raises(UsageError, match="--segment-unit frames, but elan has its own"):
        check_unit(tmp_path, "elan", listing.entries, "frames")
    whole = scan(tmp_path, "path,label\na.mp4,run\n", "frames")
    with pytest.raises(UsageError, match="but no columns give a start and an end"):
        check_unit(tmp_path, "table", whole.entries, "frames")


def test_other_segments_of_the_same_videos_are_no_copy_of_the_val_list() -> None:
    def row(split: str, start: float) -> VideoEntry:
        segment = Segment(start, 9, "seconds")
        return VideoEntry("a.mp4", "run", split, Path("t.csv"), 2, segment=segment)

    assert len(drop_copied_test_list([row("val", 1), row("test", 2)])[0]) == 2
    assert len(drop_copied_test_list([row("val", 1), row("test", 1)])[0]) == 1
