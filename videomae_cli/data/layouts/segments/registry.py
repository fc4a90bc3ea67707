"""Recognise and read the annotations of segments: data sets as released, and annotation tools."""

from collections.abc import Sequence
from pathlib import Path

from videomae_cli.data.layouts.annotations import find_annotations
from videomae_cli.data.layouts.file_search import MAX_LIST_BYTES, find_files, join_some
from videomae_cli.data.layouts.segments.annotated_rows import Format, make_entries
from videomae_cli.data.layouts.segments.formats import (
    activitynet,
    boris,
    charades,
    cvat,
    elan,
    epic_kitchens,
    hacs_clips,
    label_studio,
    via,
)
from videomae_cli.data.layouts.unused import find_sibling_lists
from videomae_cli.data.layouts.video_entry import Listing, Reading
from videomae_cli.errors import UsageError

HEAD_BYTES = 1 << 16
CVAT_NAME = "annotations.xml"


# in the order of preference
FORMATS: dict[str, Format] = {
    "epic-kitchens": epic_kitchens.FORMAT,
    "charades": charades.FORMAT,
    "activitynet": activitynet.FORMAT,
    "hacs-clips": hacs_clips.FORMAT,
    "boris": boris.FORMAT,
    "via": via.FORMAT,
    "label-studio": label_studio.FORMAT,
    "cvat": cvat.FORMAT,
    "elan": elan.FORMAT,
}


def recognise_segments(source: Path, reading: Reading) -> dict[str, str]:
    """Return the formats of annotation files in a source, each with a description."""
    found: dict[str, list[Path]] = {}
    for path in _find_candidates(source, reading):
        if name := _recognise(path):
            found.setdefault(name, []).append(path)
    return {
        name: f"{form.description}: {join_some(path.name for path in found[name])}"
        for name, form in FORMATS.items()
        if name in found
    }


def scan_segments(source: Path, layout: str, reading: Reading) -> Listing:
    """Read all annotation files of a format; a DataError names a wrong place."""
    form = FORMATS[layout]
    _check_columns(source, layout, form, reading)
    files = [source]
    if source.is_dir():
        candidates = _find_candidates(source, reading)
        files = [path for path in candidates if _has_format(path, form)]
        if not files:
            return Listing([])
    annotations = form.read(files, reading)
    root = reading.root or (source if source.is_dir() else source.parent)
    entries, remarks = make_entries(annotations, root, reading)
    return Listing(
        entries,
        [*annotations.remarks, *remarks],
        _find_split_hints(source, files, [entry.path for entry in entries]),
        classes=annotations.classes,
        label_names=() if reading.task == "single-label" else (reading.label_column or "label",),
    )


def _find_candidates(source: Path, reading: Reading) -> list[Path]:
    """Return the files that may be annotations; of a folder, those in it, and some further below.

    These are files of ELAN, which are beside their videos, and of CVAT, which have one name.
    """
    if source.is_file():
        return [source]
    suffixes = {suffix for form in FORMATS.values() for suffix in form.suffixes}
    return [
        source / path
        for path in find_files(source).others
        if path.suffix.lower() in suffixes
        and (len(path.parts) == 1 or path.suffix.lower() == ".eaf" or path.name == CVAT_NAME)
        and not reading.is_classes(source / path)
    ]


def _recognise(path: Path) -> str:
    return next((name for name, form in FORMATS.items() if _has_format(path, form)), "")


def _has_format(path: Path, form: Format) -> bool:
    if path.suffix.lower() not in form.suffixes or path.stat().st_size > MAX_LIST_BYTES:
        return False
    with path.open("rb") as file:
        data = file.read() if path.suffix.lower() == ".json" else file.read(HEAD_BYTES)
    return form.recognise(data)


def _check_columns(source: Path, layout: str, form: Format, reading: Reading) -> None:
    """Raise a UsageError if the user names a column that the format does not have."""
    given = reading.path_column or reading.split_column
    if given is None and not form.has_label_column:
        given = reading.label_column
    if given is not None:
        raise UsageError(
            f"{source}: no column {given!r}: the layout is {layout}",
            "--path-column and --split-column are for tables"
            if form.has_label_column
            else "--label-column, --path-column and --split-column are for tables",
        )


def _find_split_hints(source: Path, files: Sequence[Path], videos: Sequence[str]) -> list[str]:
    """Return the other files that speak of a split."""
    if source.is_file():
        return find_sibling_lists(source)
    used = {path.relative_to(source) for path in files}
    others = [path for path in find_files(source).others if path not in used]
    return find_annotations(source, others, [Path(path) for path in sorted({*videos})]).with_splits
