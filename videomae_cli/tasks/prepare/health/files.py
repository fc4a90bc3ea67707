"""Findings about files: rejected, damaged, black, frozen, slow to read."""

from collections import Counter
from collections.abc import Callable, Iterator

from videomae_cli.data.manifest import SPLITS
from videomae_cli.tasks.prepare.health.finding import DataSet, Example, Finding, Item, first
from videomae_cli.units import plural

BLACK_SHARE, FROZEN_SHARE = 0.5, 0.8
SPARSE_FRAMES = 64  # to decode more frames before a clip of 16 x 4 than in it


def find_empty_splits(data: DataSet) -> Iterator[Finding]:
    """Report splits of which no video can be used: `prepare` writes no manifest then."""
    used = {item.video.split for item in data.items}
    empty = [split for split in SPLITS if split not in used]
    lost = [one for one in data.rejected if one.split in empty]
    if lost:
        names = " and ".join(split for split in empty if any(one.split == split for one in lost))
        yield Finding(
            "empty-splits",
            "error",
            len(lost),
            f"no video of {names} can be used, so prepare would write no manifest",
            "download or copy them again, or leave the split out of the list",
            first(Example(one.path, one.reason) for one in lost),
        )


def find_rejected(data: DataSet) -> Iterator[Finding]:
    """Report files that cannot be used; an error if they are more than `--max-bad` allows."""
    if not data.rejected:
        return
    reasons = Counter(one.reason for one in data.rejected)
    share = len(data.rejected) / data.total
    is_over = data.max_bad is not None and share > data.max_bad
    common = "; ".join(f"{count:,} x {reason}" for reason, count in reasons.most_common(3))
    limit = f"; --max-bad allows {data.max_bad:.1%}" if is_over else ""
    yield Finding(
        "rejected",
        "error" if is_over else "warning",
        len(data.rejected),
        f"{len(data.rejected):,} of {plural(data.total)} cannot be used ({share:.1%}{limit}): "
        f"{common}",
        "download or copy them again, or leave them out; all are in rejected.csv",
        first(Example(one.path, one.reason) for one in data.rejected),
    )


def find_damaged(data: DataSet) -> Iterator[Finding]:
    """Report videos in which error detection finds damage that decoders conceal."""
    damaged = [item for item in data.items if item.health.damaged]
    damaged.sort(key=lambda item: -item.health.damaged / item.video.frames)
    if damaged:
        yield Finding(
            "damaged",
            "warning",
            len(damaged),
            f"{plural(len(damaged))} with damaged frames, which decode to wrong pixels without an"
            " error",
            "download or copy them again, or leave them out",
            first(
                Example(item.path, f"{plural(item.health.damaged, 'frame')} marked as damaged")
                for item in damaged
            ),
        )


def find_black(data: DataSet) -> Iterator[Finding]:
    """Report videos that are black for half of the time or more."""
    yield from _find_share(
        data,
        "black",
        BLACK_SHARE,
        lambda item: item.health.black,
        "leave them out, or cut the black part off: ffmpeg -ss START -i IN -c copy OUT.mp4",
    )


def find_frozen(data: DataSet) -> Iterator[Finding]:
    """Report videos whose picture does not change for most of the time."""
    yield from _find_share(
        data,
        "frozen",
        FROZEN_SHARE,
        lambda item: item.health.frozen if item.video.frames > 1 else 0.0,
        "leave them out: a still picture shows no motion; or is it a photo saved as a video?",
    )


def _find_share(
    data: DataSet, name: str, limit: float, measure: Callable[[Item], float], action: str
) -> Iterator[Finding]:
    found = [item for item in data.items if measure(item) >= limit]
    found.sort(key=measure, reverse=True)
    if found:
        yield Finding(
            name,
            "warning",
            len(found),
            f"{plural(len(found))} {name} in at least {limit:.0%} of the frames",
            action,
            first(Example(item.path, f"{measure(item):.0%} of the frames") for item in found),
        )


def find_sparse_key_frames(data: DataSet) -> Iterator[Finding]:
    """Report videos in which many frames are decoded to reach the first frame of a clip."""
    sparse = [item for item in data.items if item.health.key_distance > SPARSE_FRAMES]
    sparse.sort(key=lambda item: item.health.key_distance, reverse=True)
    if sparse:
        yield Finding(
            "sparse-key-frames",
            "note",
            len(sparse),
            f"{plural(len(sparse))} with more than {SPARSE_FRAMES} frames between key frames:"
            " reading a clip decodes all frames since the last key frame, which is slow",
            "encode them once with a key frame every 16 frames: videomae prepare --transcode",
            first(Example(item.path, plural(item.health.key_distance, "frame")) for item in sparse),
        )
