"""Layout `ego4d-oscc`: object state change classification of Ego4D (hands and objects).

    fho_oscc-pnr_train.json, ..._val.json       {"clips": [{"unique_id", "video_uid",
    fho_oscc-pnr_test_unannotated.json          "parent_start_sec", "parent_end_sec",
                                                "state_change"}, ...]}
    UNIQUE_ID.mp4                               clips of eight seconds that were cut already, or
    full_scale/VIDEO_UID.mp4                    whole recordings: the part from start to end is used

Frames of a clip may be in a folder UNIQUE_ID, as the baselines write them. Source:
https://ego4d-data.org/docs/data/annotations-schemas/, and the loaders of
https://github.com/EGO4D/hands-and-objects.
"""

import re
from pathlib import Path

from videomae_cli.data.layouts.datasets.file_lookup import Listed, Name, locate_videos
from videomae_cli.data.layouts.datasets.source_files import SourceFiles, load_json
from videomae_cli.data.layouts.file_search import join_some
from videomae_cli.data.layouts.split_names import find_split_in_name
from videomae_cli.data.layouts.video_entry import Listing, Reading, Segment, VideoEntry
from videomae_cli.errors import DataError

LAYOUT = "ego4d-oscc"
CLASSES = ("no state change", "state change")
_LIST = re.compile(r"fho_oscc-pnr_(?:train|val|test|test_unannotated)\.json")


def recognise(files: SourceFiles, _: Reading) -> dict[str, str]:
    """Return the layout if one of the lists is there."""
    lists = [path for path, _ in files.match(_LIST)]
    if not lists:
        return {}
    return {LAYOUT: f"Ego4D state changes ({join_some(path.name for path in lists)})"}


def scan(files: SourceFiles, layout: str, _: Reading) -> Listing:
    """List the clips; a DataError if one has no name or no times."""
    lists = [path for path, _ in files.match(_LIST)]
    splits = [find_split_in_name(path.name) for path in lists]
    if len(set(splits)) < len(splits):
        raise DataError(
            f"{files.source} contains several lists for a split: {join_some(lists)}",
            f"give the folder of one version as SOURCE: {lists[-1].parent} --root {files.root}",
        )
    order = ("train", "val", "test")
    lists.sort(key=lambda path: order.index(find_split_in_name(path.name) or "train"))
    listed = [video for path in lists for video in _read(path, files.encoding)]
    return locate_videos(listed, files.root, CLASSES) if listed else Listing([])


def _read(path: Path, encoding: str | None) -> list[Listed]:
    value = load_json(path, encoding)
    clips = value.get("clips") if isinstance(value, dict) else value
    if not isinstance(clips, list):
        raise DataError(f"{path}: no list of clips", "download the list again")
    split = find_split_in_name(path.name)
    listed = []
    for number, clip in enumerate(clips, start=1):
        where = f"{path}: clip {number}"
        names = _read_names(where, clip)
        changed = clip.get("state_change")
        if changed is None and split != "test":
            raise DataError(f"{where} has no state_change", "download the list again")
        label = None if changed is None else CLASSES[bool(changed)]
        entry = VideoEntry(f"{names[0].stem}.mp4", label, split, path, number)
        listed.append(Listed(entry, names))
    return listed


def _read_names(where: str, clip: object) -> list[Name]:
    """Return the name of the clip alone, and that of the recording with the part to use."""
    if not isinstance(clip, dict):
        raise DataError(f"{where} is no object", "download the list again")
    unique, video = clip.get("unique_id"), clip.get("video_uid")
    start, end = clip.get("parent_start_sec"), clip.get("parent_end_sec")
    if not isinstance(unique, str):
        raise DataError(f"{where} has no unique_id", "download the list again")
    names = [Name(unique)]
    if isinstance(video, str) and isinstance(start, int | float) and isinstance(end, int | float):
        if not 0 <= start < end:
            raise DataError(f"{where}: from {start} to {end} s", "download the list again")
        names.append(Name(video, Segment(float(start), float(end), "seconds")))
    return names
