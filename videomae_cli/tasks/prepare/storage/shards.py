"""Put the files of a prepared data set into tar archives (`--shards`)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from videomae_cli.data.decode import DECODERS, open_source
from videomae_cli.data.manifest import Video
from videomae_cli.data.shards.writer import SHARD_BYTES, list_files, plan_shards, write_shards
from videomae_cli.errors import DataError
from videomae_cli.report import Report
from videomae_cli.units import plural


def write(
    location: str,
    out: Path,
    root: Path,
    videos: Sequence[Video],
    classes: Sequence[str] | None,
    report: Report,
    *,
    shard_bytes: int = SHARD_BYTES,
) -> Path:
    """Write the files of a manifest into shards; return the data root that reads them from there.

    Args:
        location: Directory of the shards, absolute or relative to `out`, or a URL of fsspec.
        out: The prepared directory.
        root: The directory that the paths of `videos` are relative to.
        videos: The rows of the manifest.
        classes: The class names.
        report: Shows the progress.
        shard_bytes: Size of a shard at which the next one begins.

    Raises:
        DataError: There are folders of frames, or a file cannot be read or is read differently.
        OSError: The shards cannot be written.
    """
    files = list_files(videos, root, classes)
    shards = plan_shards(files, shard_bytes)
    gigabytes = sum(file.size for file in files) / 1e9
    report.say(
        f"{plural(len(files), 'file')}, {gigabytes:,.2f} GB, into "
        f"{plural(len(shards), 'shard')}: {location}"
    )
    report.start("writing shards", total=len(files), unit="file")
    try:
        index = write_shards(out, location, shards, lambda count: report.advance(count))
    finally:
        report.finish()
    _compare(videos, root, index)
    return index


def _compare(videos: Sequence[Video], root: Path, index: Path) -> None:
    """Check one video of each kind of file: its name is not seen by the decoder any more."""
    kinds = {(Path(video.path).suffix.lower(), video.decoder): video for video in videos}
    for video in kinds.values():
        read = DECODERS[video.decoder]
        with open_source(index / video.path) as source:
            frame = read(source, [0])
        if not np.array_equal(frame, read(root / video.path, [0])):
            raise DataError(f"{video.path} is read differently from a shard", "leave out --shards")
