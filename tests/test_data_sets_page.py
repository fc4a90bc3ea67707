"""docs/data_sets.md is true: every command parses, and lists the videos of the tree it is about."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.data.layouts.datasets import trees
from tests.data.make_frames import write_frame_folder
from videomae_cli.cli.app import app
from videomae_cli.data.ingest.frame_parts import find_frame_parts
from videomae_cli.data.layouts import LAYOUTS, detect_layout, scan_layout
from videomae_cli.data.layouts.datasets import DATA_SET_LAYOUTS
from videomae_cli.data.layouts.video_entry import Reading

PAGE = Path(__file__).resolve().parent.parent / "docs" / "data_sets.md"
TEXT = PAGE.read_text(encoding="utf-8")
PREPARE: Any = vars(typer.main.get_command(app))["commands"]["prepare"]
COMMAND = re.compile(r"`videomae prepare ([^`]+)`")


def read_table(text: str) -> dict[str, tuple[str, str]]:
    """Return, by the first cell of each row, the typed words after the verb, and the whole row."""
    rows = [line for line in text.splitlines() if line.startswith("|") and COMMAND.search(line)]
    return {row.split("|")[1].strip(): (COMMAND.search(row)[1], row) for row in rows}  # type: ignore[index]


def write_frame_list(folder: Path, name: str, line: str) -> None:
    """Write two folders of frames, and a list with one line for each."""
    for video in ("a", "b"):
        pattern = "img_{:05d}.jpg"
        write_frame_folder(folder / "rawframes" / video, 20, pattern=pattern, height=16, width=16)
    (folder / name).write_text("".join(line.format(video) + "\n" for video in "ab"))


WRITERS: dict[str, tuple[Callable[[Path], object], int]] = {
    # what is on disk in the working directory, and the number of videos
    "UCF101": (lambda folder: trees.write_ucf101(folder / "ucf101"), 6),
    "HMDB51": (lambda folder: trees.write_hmdb51(folder / "hmdb51"), 6),
    "Something-Something V2": (
        lambda folder: trees.write_something_something(folder / "ssv2"),
        8,
    ),
    "Kinetics-400, -600, -700": (lambda folder: trees.write_kinetics(folder / "k400"), 4),
    "Diving48": (lambda folder: trees.write_diving48(folder / "diving48"), 3),
    "Ego4D, state changes": (lambda folder: trees.write_ego4d(folder / "ego4d"), 3),
    "AVA": (lambda folder: trees.write_ava(folder / "ava"), 3),
    "Hugging Face video folder": (lambda folder: trees.write_hugging_face(folder / "folder"), 4),
    "MMAction2, folders of frames": (
        lambda folder: write_frame_list(folder, "train.txt", "{} 20 1"),
        2,
    ),
    "MMAction2, parts of folders": (
        lambda folder: write_frame_list(folder, "train.txt", "{} 12 5 1"),
        2,
    ),
    "VideoMAE V2, parts of folders": (
        lambda folder: write_frame_list(folder, "train.csv", "{} 12 5"),
        2,
    ),
}
ROWS = read_table(TEXT)


@pytest.mark.parametrize("title", ROWS)
def test_a_command_parses_and_names_a_layout(title: str) -> None:
    words, row = ROWS[title]

    options = PREPARE.make_context("prepare", shlex.split(words)).params

    assert options["layout"] in (None, *LAYOUTS)
    assert options["out"] is not None
    assert len(row.strip("|").split("|")) == 5


@pytest.mark.parametrize("title", WRITERS)
def test_a_command_lists_the_videos_of_its_data_set(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, count = WRITERS[title]
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    options = PREPARE.make_context("prepare", shlex.split(ROWS[title][0])).params
    source, root = options["source"], options["root"] or options["source"]

    layout = options["layout"] or detect_layout(source).name
    listing = scan_layout(source, layout, Reading(root=root))
    entries, _ = find_frame_parts(listing.entries, root)

    assert len(entries) == count
    assert all((root / entry.path).exists() and not entry.rejection for entry in entries)


def test_every_layout_of_a_data_set_is_on_the_page() -> None:
    assert set(DATA_SET_LAYOUTS) <= set(re.findall(r"`([a-z0-9-]+)`", TEXT))
