"""Write the tables that a data set has beside the manifest, such as the boxes of AVA."""

from collections.abc import Mapping
from pathlib import Path

from videomae_cli.data.layouts.video_entry import SideTable
from videomae_cli.data.manifest import DATASET, csv_text, write_text
from videomae_cli.report import Report
from videomae_cli.tasks.prepare.output import writing
from videomae_cli.units import plural

NAMES = ("boxes.csv",)


def write_side_tables(
    out: Path, tables: Mapping[str, SideTable], names: Mapping[str, str], report: Report
) -> None:
    """Write the rows of videos that are in the manifest; tables of an earlier run are removed.

    `names` are the paths in the manifest by those in the list, which are the first cells of rows.
    """
    for name in NAMES:
        with writing(out / name):
            if name in tables:
                rows = [
                    (names[path], *cells) for path, *cells in tables[name].rows if path in names
                ]
                write_text(out / name, csv_text(tables[name].header, rows))
                report.say(
                    f"{out / name}: {plural(len(rows), 'row')} about the videos of the manifest"
                )
            elif (out / DATASET).exists():
                (out / name).unlink(missing_ok=True)
