"""docs/segments.md is true: every command parses, and reads the file that it is about."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.data.layouts.segments import examples
from tests.data.layouts.segments.test_cvat_and_label_studio import tags
from tests.data.layouts.sources import write_text
from videomae_cli.cli.app import app
from videomae_cli.data.layouts import detect_layout, scan_layout
from videomae_cli.data.layouts.segments.registry import FORMATS
from videomae_cli.data.layouts.segments.times import UNITS
from videomae_cli.data.layouts.video_entry import Reading

PAGE = Path(__file__).resolve().parent.parent / "docs" / "segments.md"
TEXT = PAGE.read_text(encoding="utf-8")
PREPARE: Any = vars(typer.main.get_command(app))["commands"]["prepare"]
COMMAND = re.compile(r"`videomae prepare ([^`]+)`")
# the first cell of each row with a command: the files, the layout, and the number of its rows
FILES: dict[str, tuple[dict[str, str], str, int]] = {
    "EPIC-KITCHENS-100": (
        {"epic/annotations/EPIC_100_train.csv": examples.EPIC},
        "epic-kitchens",
        2,
    ),
    "Charades, actions": ({"charades/Charades_v1_train.csv": examples.CHARADES}, "charades", 2),
    "Charades, whole videos": (
        {"charades/Charades_v1_train.csv": examples.CHARADES},
        "charades",
        2,
    ),
    "ActivityNet, HACS Segments, FineAction": (
        {"anet/activity_net.v1-3.min.json": examples.ACTIVITYNET},
        "activitynet",
        3,
    ),
    "HACS Clips": ({"hacs/HACS_clips_v1.1.csv": examples.HACS_CLIPS}, "hacs-clips", 3),
    "CVAT, tracks": ({"tracks.xml": examples.CVAT}, "cvat", 3),
    "CVAT, tags": ({"tags.xml": tags((0, "run"), (1, "run"), (2, "sit"))}, "cvat", 2),
    "Label Studio": ({"label_studio.json": examples.LABEL_STUDIO}, "label-studio", 2),
    "VIA 3, project": ({"via.json": examples.VIA}, "via", 3),
    "VIA 3, export": ({"via.csv": examples.VIA_CSV}, "via", 2),
    "ELAN": ({"elan/day1.eaf": examples.ELAN}, "elan", 2),
    "BORIS, aggregated events": ({"events.csv": examples.BORIS}, "boris", 2),
    "BORIS, tabular events": ({"events.tsv": examples.BORIS_TABULAR}, "boris", 2),
}


def read_rows() -> dict[str, str]:
    """Return the typed words after the verb by the first cell of each row with a command."""
    rows = [line for line in TEXT.splitlines() if line.startswith("|")]
    return {row.split("|")[1].strip(): match[1] for row in rows if (match := COMMAND.search(row))}


ROWS = read_rows()


def test_every_row_has_its_files() -> None:
    assert {*ROWS} == {*FILES}
    assert {layout for _, layout, _ in FILES.values()} == {*FORMATS}


@pytest.mark.parametrize("title", ROWS)
def test_a_command_reads_its_files(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, layout, count = FILES[title]
    for name, content in files.items():
        write_text(tmp_path / name, content)
    (tmp_path / "clips").mkdir()
    monkeypatch.chdir(tmp_path)
    for folder in ("epic/videos", "anet/videos", "hacs/videos"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)

    options = PREPARE.make_context("prepare", shlex.split(ROWS[title])).params
    source = Path(options["source"])
    reading = Reading(
        label_column=options["label_column"], root=options["root"], task=options["task"]
    )

    assert options["out"] is not None
    assert detect_layout(source, reading).name == layout
    assert len(scan_layout(source, layout, reading).entries) == count


def test_the_page_names_the_layouts_and_the_units() -> None:
    assert all(f"`{layout}`" in TEXT for layout in FORMATS)
    assert all(unit in TEXT for unit in UNITS)


def test_the_table_of_the_page_is_read(tmp_path: Path) -> None:
    block = re.search(r"```text\n(.*?)```", TEXT, re.DOTALL)
    assert block is not None

    listing = scan_layout(write_text(tmp_path / "t.csv", block[1]), "table")

    assert [(entry.label, entry.segment) for entry in listing.entries] == [
        ("jump", (0.5, 2, "seconds")),
        ("turn", (2, 4.75, "seconds")),
    ]
