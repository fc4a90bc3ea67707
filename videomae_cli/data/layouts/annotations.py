"""Find files beside the videos of a folder that may contain their labels or splits."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli.data.layouts.file_search import LIST_SUFFIXES
from videomae_cli.data.layouts.split_names import find_split_in_name

SUFFIXES = LIST_SUFFIXES | {".xml", ".yaml", ".yml", ".eaf"}
MAX_BYTES = 200 << 20
SAMPLE = 20  # videos whose names are searched in each file


class Annotations(NamedTuple):
    """Files that may describe the videos, relative to the folder."""

    with_splits: list[str]
    """Named after a split."""
    with_videos: list[str]
    """Their text contains the names of most videos."""


def find_annotations(folder: Path, files: Sequence[Path], videos: Sequence[Path]) -> Annotations:
    """Search text files for the names of splits and of videos."""
    texts = [file for file in files if file.suffix.lower() in SUFFIXES]
    step = max(len(videos) // SAMPLE, 1)
    stems = {video.stem.encode("utf-8", "surrogateescape") for video in videos[::step]}
    return Annotations(
        [file.as_posix() for file in texts if find_split_in_name(file.name)],
        [file.as_posix() for file in texts if _contains(folder / file, stems)],
    )


def _contains(path: Path, stems: set[bytes]) -> bool:
    if path.stat().st_size > MAX_BYTES:
        return False
    content = path.read_bytes()
    return 2 * sum(stem in content for stem in stems) > len(stems)
