"""Find files whose parts are in several splits: their place, light and people are the same."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from videomae_cli.data.manifest import Video
from videomae_cli.tasks.prepare.health.finding import DataSet, Example, Finding, first
from videomae_cli.units import plural


def find_split_files(data: DataSet) -> Iterator[Finding]:
    """Report files with rows in several splits: an error if rows share frames, else a warning."""
    rows: dict[str, list[Video]] = defaultdict(list)
    for item in data.items:
        rows[item.path].append(item.video)
    divided = {path: each for path, each in rows.items() if len({v.split for v in each}) > 1}
    shared = [pair for each in divided.values() for pair in _find_overlaps(each)]
    if shared:
        held_out = {video.name for pair in shared for video in pair if video.split != "train"}
        yield Finding(
            "frames-in-several-splits",
            "error",
            len(held_out),
            f"{plural(len(held_out))} of val or test with frames that are also in another split:"
            " results on them are too good",
            "put all parts of a file into one split",
            first(
                Example(one.name, f"{one.split}; {other.name}, {other.split}")
                for one, other in shared
            ),
        )
    elif divided:
        yield Finding(
            "files-in-several-splits",
            "warning",
            len(divided),
            f"{plural(len(divided), 'file')} with parts in several splits: a model can know the"
            " recording",
            "put all parts of a file into one split",
            first(
                Example(path, ", ".join(sorted({video.split for video in each})))
                for path, each in divided.items()
            ),
        )


def _find_overlaps(rows: list[Video]) -> Iterator[tuple[Video, Video]]:
    """Yield pairs of rows of one file, in different splits, that share a frame."""
    spans = sorted((video.start or 0, number) for number, video in enumerate(rows))
    ordered = [rows[number] for _, number in spans]
    for one, other in combinations(ordered, 2):
        starts = other.start or 0
        if one.split != other.split and starts < (one.start or 0) + one.frames:
            yield one, other
