"""Marks that are no segments, in exports of annotation tools, are counted and not used."""

import json
from pathlib import Path

import pytest

from tests.data.layouts.segments.examples import BORIS_COLUMNS, ELAN, VIA
from tests.data.layouts.segments.read import Part, read_source, write_source
from videomae_cli.data.ingest.list_checks import check_no_duplicates
from videomae_cli.data.layouts import scan_layout
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError

COLUMNS = BORIS_COLUMNS.strip().split(",")
FIXED = {
    "Observation id": "one",
    "Behavior type": "STATE",
    "Media file name": "a.mp4",
    "Time offset (s)": "0",
}


def write_events(folder: Path, *events: dict[str, str]) -> Path:
    """Write aggregated events of BORIS, and their video; return the file."""
    rows = [",".join({**FIXED, **event}.get(name, "") for name in COLUMNS) for event in events]
    return write_source(folder, "events.csv", BORIS_COLUMNS + "\n".join(rows) + "\n", "a.mp4")


def event(behavior: str, start: float, stop: float | str, category: str = "") -> dict[str, str]:
    times = {"Start (s)": str(start), "Stop (s)": str(stop)}
    return {"Behavior": behavior, "Behavioral category": category, **times}


def test_events_of_boris_without_the_label_are_counted(tmp_path: Path) -> None:
    source = write_events(
        tmp_path, event("run", 0.5, 2, "move"), event("look", 1, 3), event("sit", 3, 4, "rest")
    )

    _, parts, remarks = read_source(source, "Behavioral category")

    assert [(part.label, part.segment) for part in parts] == [
        ("move", (0.5, 2, "seconds")),
        ("rest", (3, 4, "seconds")),
    ]
    assert "state events without a Behavioral category are not used (1)" in remarks


def test_a_column_of_boris_without_any_label_is_refused(tmp_path: Path) -> None:
    source = write_events(tmp_path, event("run", 0.5, 2))

    with pytest.raises(
        DataError, match=r"events\.csv: no row has a label in 'Behavioral category'"
    ):
        read_source(source, "Behavioral category")


@pytest.mark.parametrize("stop", ["NA", ""])
def test_an_event_of_boris_that_does_not_end_is_named(stop: str, tmp_path: Path) -> None:
    source = write_events(tmp_path, event("run", 0.5, 2), event("sit", 3, stop))

    with pytest.raises(DataError, match=r"events\.csv:3: .* 'sit' does not end") as caught:
        read_source(source)

    assert "repair the observation in BORIS" in caught.value.hint


def test_segments_that_end_where_they_start_are_counted(tmp_path: Path) -> None:
    project = json.loads(VIA)
    times = [region["z"] for region in project["metadata"].values() if len(region["z"]) == 2]
    times[0][1] = times[0][0]
    eaf = ELAN.replace('TIME_VALUE="1750"', 'TIME_VALUE="500"')
    assert eaf != ELAN
    sources = [
        (write_events(tmp_path / "1", event("run", 2, 2), event("sit", 3, 4)), None),
        (write_source(tmp_path / "2", "day1.eaf", eaf, "clip one.mp4"), "gesture"),
        (write_source(tmp_path / "3", "via.json", json.dumps(project), "a.mp4", "b.mp4"), None),
    ]
    for source, label in sources:
        _, parts, remarks = read_source(source, label)
        assert parts and all(one.segment[0] < one.segment[1] for one in parts if one.segment)
        found = [one for one in remarks if one.startswith("segments that end where they start")]
        assert len(found) == 1 and f"such as {source}" in found[0]


def test_overlapping_segments_are_rows_and_equal_ones_are_named(tmp_path: Path) -> None:
    source = write_events(tmp_path / "1", event("run", 0.5, 2), event("sit", 1, 3))
    assert read_source(source).parts == [
        Part("a.mp4", "run", (0.5, 2, "seconds")),
        Part("a.mp4", "sit", (1, 3, "seconds")),
    ]

    source = write_events(tmp_path / "2", event("run", 0.5, 2), event("sit", 0.5, 2))
    entries = scan_layout(source, "boris", Reading(root=source.parent)).entries
    with pytest.raises(DataError, match=r"the part from 0\.5 to 2 seconds of 'a\.mp4' is listed"):
        check_no_duplicates(entries, source.parent)
