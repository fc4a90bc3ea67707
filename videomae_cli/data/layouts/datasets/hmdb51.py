"""Layouts `hmdb51-split1`, `2`, `3`: HMDB51 with its official lists.

    CLASS/NAME.avi
    testTrainMulti_7030_splits/CLASS_test_split1.txt    NAME.avi 0|1|2

1 is a video for training, 2 one for testing, and 0 is not used in this split. The test videos are
val: HMDB51 has no others, and papers report the accuracy on them. Source:
https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/.
"""

import re
from pathlib import Path, PurePosixPath

from videomae_cli.data.layouts.datasets.file_lookup import Listed, Name, locate_videos
from videomae_cli.data.layouts.datasets.official_splits import (
    ask_split,
    find_lists,
    name_layouts,
    read_number,
)
from videomae_cli.data.layouts.datasets.source_files import SourceFiles, read_head
from videomae_cli.data.layouts.text import read_text
from videomae_cli.data.layouts.video_entry import Listing, Reading, VideoEntry
from videomae_cli.errors import DataError

LAYOUTS = name_layouts("hmdb51")
_LIST = re.compile(r"(?P<label>.+)_test_split(?P<split>[123])\.txt")
_LINE = re.compile(r"(?P<path>\S.*?)\s+(?P<code>[012])")
_SPLITS = {"1": "train", "2": "val"}


def recognise(files: SourceFiles, _: Reading) -> dict[str, str]:
    """Raise a DataError that asks for the split if there are lists of names and codes."""
    found = find_lists(files, _LIST)
    samples = [read_head(paths[0]).split("\n")[0].strip() for paths in found.values()]
    if samples and all(map(_LINE.fullmatch, samples)):
        raise ask_split(files, "HMDB51", "hmdb51", found)
    return {}


def scan(files: SourceFiles, layout: str, _: Reading) -> Listing:
    """List the videos of one split; a DataError if a line has no code."""
    paths = find_lists(files, _LIST).get(read_number(layout), [])
    labels = sorted(_label(path) for path in paths)
    listed = [video for path in paths for video in _read(path)]
    if not listed:
        return Listing([])
    return locate_videos(listed, files.root, labels)


def _label(path: Path) -> str:
    match = _LIST.fullmatch(path.name)
    assert match is not None, "it was found by this pattern"
    return match["label"]


def _read(path: Path) -> list[Listed]:
    label = _label(path)
    listed = []
    for line, text in enumerate(read_text(path).content.split("\n"), start=1):
        if not text.strip():
            continue
        match = _LINE.fullmatch(text.strip())
        if match is None:
            raise DataError(
                f"{path}:{line}: {text.strip()!r} is not the name of a video and 0, 1 or 2",
                "copy or download the list again",
            )
        if split := _SPLITS.get(match["code"]):
            entry = VideoEntry(f"{label}/{match['path']}", label, split, path, line)
            listed.append(Listed(entry, [Name(PurePosixPath(match["path"]).stem)]))
    return listed
