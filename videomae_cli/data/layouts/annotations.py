"""Find files beside the videos of a folder that may contain their labels or splits."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.file_search import LIST_SUFFIXES
from videomae_cli.data.layouts.split_names import names_a_split

SUFFIXES = LIST_SUFFIXES | {".xml", ".yaml", ".yml", ".eaf", ".tab", ".dat", ""}
# lists that people keep, and that are not searched
OTHER_SUFFIXES = frozenset(
    {".xlsx", ".xls", ".ods", ".pkl", ".pickle", ".parquet", ".feather"}
    | {".mat", ".npy", ".npz", ".h5", ".hdf5"}
)
MAX_BYTES = 200 << 20
SAMPLE = 100  # videos whose names are searched in each file
SHARE = 0.1  # of the names, from which a file is about the videos
WORD = re.compile(rb"[^\s,;:|\"'<>()\[\]{}/\\]+")
CUT_OUT = re.compile(r"_\d+_\d+$")  # the part of a video, in the names of Kinetics


class Annotations(NamedTuple):
    """Files that may describe the videos, relative to the folder."""

    with_splits: list[str]
    """Their names speak of a split, and their text names videos, or cannot be searched."""
    with_videos: list[str]
    """Their text contains the names of some of the videos."""


def find_annotations(folder: Path, files: Sequence[Path], videos: Sequence[Path]) -> Annotations:
    """Search text files for the names of splits and of videos."""
    step = max(len(videos) // SAMPLE, 1)
    stems = {CUT_OUT.sub("", video.stem) for video in videos[::step]}
    encoded = {stem.encode("utf-8", "surrogateescape") for stem in stems}
    annotations = Annotations([], [])
    for file in files:
        if file.suffix.lower() in OTHER_SUFFIXES and names_a_split(file.stem):
            annotations.with_splits.append(file.as_posix())
        if file.suffix.lower() not in SUFFIXES or (folder / file).stat().st_size > MAX_BYTES:
            continue
        content = (folder / file).read_bytes()
        words = set(WORD.findall(content)) if any(stem in content for stem in encoded) else set()
        words |= {word.rpartition(b".")[0] for word in words}
        found = len(encoded & words) + sum(b" " in stem and stem in content for stem in encoded)
        if found and names_a_split(file.stem):
            annotations.with_splits.append(file.as_posix())
        if found > SHARE * len(encoded):
            annotations.with_videos.append(file.as_posix())
    return annotations
