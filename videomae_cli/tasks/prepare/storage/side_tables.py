"""Write the tables that a data set has beside the manifest, such as the boxes of AVA."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from videomae_cli.data.layouts.video_entry import SideTable
from videomae_cli.data.manifest import DATASET, Video, csv_text, write_text
from videomae_cli.report import Report
from videomae_cli.tasks.prepare.output import writing

NAMES = ("boxes.csv",)


def write_side_tables(
    out: Path, tables: Mapping[str, SideTable], videos: Sequence[Video], report: Report
) -> None:
    """Write the rows of videos that are in the manifest; tables of an earlier run are removed.

    The first cell of a row is the path of its video in the manifest.
    """
    kept = {video.path for video in videos}
    for name in NAMES:
        with writing(out / name):
            if name in tables:
                rows = [row for row in tables[name].rows if row[0] in kept]
                write_text(out / name, csv_text(tables[name].header, rows))
                report.say(f"{out / name}: {len(rows):,} rows about the videos of the manifest")
            elif (out / DATASET).exists():
                (out / name).unlink(missing_ok=True)
