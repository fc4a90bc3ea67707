"""Annotated segments become rows of the manifest, with the right frames and labels."""

from pathlib import Path

import pytest

from tests.data.layouts.prepared import QUICK
from tests.data.layouts.segments import examples
from tests.data.layouts.sources import write_text
from tests.data.make_clips import write_clip
from tests.notes import Notes
from videomae_cli.data.manifest import read_manifest
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import run

# the file, its content, the video, the column of labels, and path, class, start and frames of rows;
# the videos have 25 frames per second
CASES = {
    "cvat": (
        "annotations.xml",
        examples.CVAT,
        "a.mp4",
        None,
        [("a.mp4", "run", 1, 3), ("a.mp4", "run", 10, 2), ("a.mp4", "sit", 0, 3)],
    ),
    "label-studio": (
        "export.json",
        examples.LABEL_STUDIO,
        "a.mp4",
        None,
        [("a.mp4", "Moving", 2, 3), ("a.mp4", "Nothing", 6, 1)],
    ),
    "elan": (
        "day1.eaf",
        examples.ELAN,
        "clip one.mp4",
        "gesture",
        [("clip one.mp4", "wave & point", 13, 31), ("clip one.mp4", "nod", 44, 56)],
    ),
    "table": (
        "t.csv",
        "path,start_frame,end_frame,label\na.mp4,0,5,run\na.mp4,5,9,sit\n",
        "a.mp4",
        None,
        [("a.mp4", "run", 0, 5), ("a.mp4", "sit", 5, 4)],
    ),
}


@pytest.mark.parametrize("layout", CASES)
def test_segments_become_rows(layout: str, tmp_path: Path) -> None:
    name, content, video, column, expected = CASES[layout]
    write_clip(tmp_path / "data" / video, 100, height=16, width=16, codec="mpeg4")
    source = write_text(tmp_path / "data" / name, content)
    options = PrepareOptions(label_column=column, **QUICK)  # type: ignore[arg-type]

    summary = run(source, tmp_path / "out", Notes(), options)

    manifest = read_manifest(tmp_path / "out")
    classes = manifest.classes or ()
    assert summary.layout == layout
    assert [
        (row.path, classes[row.label or 0], row.start, row.frames) for row in manifest.videos
    ] == expected
