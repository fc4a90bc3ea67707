"""Layout `kinetics`: the official CSV files of Kinetics-400, -600 and -700.

    train.csv, val.csv, test.csv    label,youtube_id,time_start,time_end,split (and is_cc)
    ID_START_END.mp4                seconds in six digits, in any folder below the root

Kinetics-600 as hosted has train.txt and val.txt in this format, beside CSV files that its page
calls incomplete, and a second test list, `kinetics600_holdout_test.csv`: both are left out. The
test list may have no labels. A file without times in its name, `ID.mp4`, is taken too; one with
other times is another clip. Classes are numbered in alphabetical order, as is usual. Source:
https://github.com/cvdfoundation/kinetics-dataset.
"""

from pathlib import Path

from videomae_cli.data.layouts.datasets.file_lookup import Listed, Name, locate_videos
from videomae_cli.data.layouts.datasets.source_files import SourceFiles, read_csv, read_head
from videomae_cli.data.layouts.file_search import join_some
from videomae_cli.data.layouts.split_names import find_split_in_name, parse_split
from videomae_cli.data.layouts.video_entry import Listing, Reading, VideoEntry
from videomae_cli.errors import DataError

LAYOUT = "kinetics"
_COLUMNS = {"youtube_id", "time_start", "time_end"}
_ORDER = {"train": 0, "val": 1, "test": 2}


def recognise(files: SourceFiles, _: Reading) -> dict[str, str]:
    """Return the layout if the header of a CSV file has the ID and the times of clips."""
    lists = _find_lists(files)
    if not lists:
        return {}
    names = join_some(path.name for path in lists)
    return {LAYOUT: f"{names}: a header with youtube_id, time_start, time_end"}


def scan(files: SourceFiles, layout: str, _: Reading) -> Listing:
    """List the clips; a DataError if a row is wrong, or a clip is in two lists."""
    found = _find_lists(files)
    lists = _drop_doubles(found)
    listed = [video for path in lists for video in _read(path, files.encoding)]
    if not listed:
        return Listing([])
    _check_lists(files, listed)
    others = [path.name for path in found if path not in lists]
    listed.sort(key=lambda video: _ORDER[video.entry.split or "train"])
    classes = sorted({str(one.entry.label) for one in listed if one.entry.label is not None})
    remarks = [f"lists that are not used: {join_some(others)}"] * bool(others)
    return locate_videos(listed, files.root, classes, remarks)


def _find_lists(files: SourceFiles) -> list[Path]:
    lists = []
    for path in files.texts:
        if path.suffix.lower() in (".csv", ".txt"):
            header = read_head(path).partition("\n")[0]
            if {name.strip(' \r"') for name in header.split(",")} >= _COLUMNS:
                lists.append(path)
    return lists


def _drop_doubles(lists: list[Path]) -> list[Path]:
    """Return the lists without those that Kinetics-600 has beside the complete ones."""
    kept = [
        path for path in lists if path.suffix != ".csv" or path.with_suffix(".txt") not in lists
    ]
    return [path for path in kept if "holdout" not in path.name] or kept


def _check_lists(files: SourceFiles, listed: list[Listed]) -> None:
    """Raise a DataError if two lists are about the same split."""
    first: dict[str | None, Path] = {}
    for entry, _ in listed:
        other = first.setdefault(entry.split, entry.file)
        if other != entry.file:
            raise DataError(
                f"{files.source} contains two lists of the split {entry.split}: {other} and "
                f"{entry.file}",
                "remove one of them, or give the folder of one version as SOURCE and that of the "
                f"videos by --root {files.root}",
            )


def _read(path: Path, encoding: str | None) -> list[Listed]:
    by_name = find_split_in_name(path.name)
    listed = []
    for line, row in read_csv(path, encoding):
        where = f"{path}:{line}"
        name = row["youtube_id"]
        split = parse_split(row.get("split", "")) or by_name
        label = row.get("label") or None
        if not name or split is None or (label is None and split != "test"):
            missing = "youtube_id" if not name else "split" if split is None else "label"
            raise DataError(f"{where}: no {missing}", "copy or download the list again")
        stem = _add_times(where, name, row["time_start"], row["time_end"])
        entry = VideoEntry(f"{stem}.mp4", label, split, path, line)
        listed.append(Listed(entry, [Name(stem), Name(name)]))
    return listed


def _add_times(where: str, name: str, start: str, end: str) -> str:
    """Return the usual name of a clip: the ID, and both times in six digits."""
    try:
        return f"{name}_{int(float(start)):06d}_{int(float(end)):06d}"
    except ValueError as error:
        raise DataError(
            f"{where}: time_start {start!r} and time_end {end!r} are not both seconds",
            "copy or download the list again",
        ) from error
