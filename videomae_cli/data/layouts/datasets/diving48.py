"""Layout `diving48`: the JSON lists of Diving48, version 2 (or 1).

    Diving48_V2_train.json, Diving48_V2_test.json    [{"vid_name", "label", "start_frame",
                                                      "end_frame"}, ...]
    Diving48_vocab.json                              [["Back", "15som", "05Twis", "FREE"], ...]
    rgb/NAME.mp4

Each file is one dive already, cut from a longer video, and is used whole: converters in use read
`end_frame` as the number of frames of the file, or ignore both numbers. The test list is val: there
is no other, and papers report the accuracy on it. Source:
http://www.svcl.ucsd.edu/projects/resound/dataset.html.
"""

import re
from pathlib import Path

from videomae_cli.data.layouts.datasets.file_lookup import Listed, Name, locate_videos
from videomae_cli.data.layouts.datasets.source_files import SourceFiles, load_json, load_records
from videomae_cli.data.layouts.file_search import join_some
from videomae_cli.data.layouts.list_file import parse_integer
from videomae_cli.data.layouts.video_entry import Listing, Reading, VideoEntry
from videomae_cli.errors import DataError

LAYOUT = "diving48"
CLASSES = 48
_LIST = re.compile(r"diving48_(?P<version>v2_)?(?P<kind>train|test)\.json", re.IGNORECASE)
_VOCABULARY = re.compile(r"diving48_vocab\.json", re.IGNORECASE)


def recognise(files: SourceFiles, _: Reading) -> dict[str, str]:
    """Return the layout if the training list is there."""
    lists = _find_lists(files)[0]
    if not lists:
        return {}
    return {LAYOUT: f"Diving48 ({join_some(path.name for path in lists)})"}


def scan(files: SourceFiles, layout: str, _: Reading) -> Listing:
    """List the videos; a DataError if an entry has no name or no label from 0 to 47."""
    lists, remarks = _find_lists(files)
    if not lists:
        return Listing([])
    classes, more = _read_classes(files)
    listed = [video for path in lists for video in _read(path, files.encoding, classes)]
    return locate_videos(listed, files.root, classes, [*remarks, *more])


def _find_lists(files: SourceFiles) -> tuple[list[Path], list[str]]:
    """Return the lists of version 2, or of version 1 without these, the training list first."""
    found = files.match(_LIST)
    newest = [(path, match) for path, match in found if match["version"]] or found
    kinds = {match["kind"].lower(): path for path, match in newest}
    others = [path.name for path, _ in found if path not in kinds.values()]
    lists = [kinds[kind] for kind in ("train", "test") if kind in kinds]
    return lists, [f"lists that are not used: {join_some(others)}"] * bool(others)


def _read_classes(files: SourceFiles) -> tuple[tuple[str, ...], list[str]]:
    found = files.match(_VOCABULARY)
    if not found:
        return tuple(map(str, range(CLASSES))), [
            "no Diving48_vocab.json: the classes are named by their numbers"
        ]
    path = found[0][0]
    value = load_json(path, files.encoding)
    if not isinstance(value, list) or len(value) != CLASSES:
        raise DataError(f"{path}: not a list of {CLASSES} dives", "download the file again")
    names = ("_".join(map(str, name)) if isinstance(name, list) else str(name) for name in value)
    return tuple(names), []


def _read(path: Path, encoding: str | None, classes: tuple[str, ...]) -> list[Listed]:
    match = _LIST.fullmatch(path.name)
    assert match is not None, "it was found by this pattern"
    split = "train" if match["kind"].lower() == "train" else "val"
    listed = []
    for number, record in enumerate(load_records(path, encoding), start=1):
        name, label = record.get("vid_name"), parse_integer(str(record.get("label")))
        if not isinstance(name, str) or label is None or not 0 <= label < CLASSES:
            raise DataError(
                f"{path}: entry {number} has no vid_name, or no label from 0 to {CLASSES - 1}",
                "download the list again",
            )
        entry = VideoEntry(f"rgb/{name}.mp4", classes[label], split, path, number)
        listed.append(Listed(entry, [Name(name)]))
    return listed
