"""Name the videos and shards of earlier runs that the new manifest does not use; they are kept."""

from collections.abc import Collection
from pathlib import Path

from videomae_cli.data.decode import SHARD_INDEX
from videomae_cli.data.manifest import Manifest
from videomae_cli.data.shards.index import measure_shards
from videomae_cli.data.transcoding.record import TranscodeRecord
from videomae_cli.report import Report
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.units import plural, si


def show_older_outputs(
    out: Path, manifest: Manifest, options: PrepareOptions, report: Report
) -> None:
    """Warn of what earlier runs wrote to `out` in another way than the options ask for."""
    if options.form is None:
        used = {manifest.video_path(video).absolute() for video in manifest.videos}
        show_unused_videos(TranscodeRecord(out.absolute()), used, report)
    if options.shards is None and (measured := measure_shards(out / SHARD_INDEX)):
        location, size = measured
        report.warn(
            f"the shards that an earlier run wrote to {location} ({si(size)}B) are not used any "
            f"more; remove them and {out / SHARD_INDEX} if you do not need them"
        )


def show_unused_videos(record: TranscodeRecord, used: Collection[Path], report: Report) -> None:
    """Warn of videos of a record that are not among those that are used."""
    unused = record.find_unused(used)
    if unused:
        size = sum(path.stat().st_size for path in unused)
        report.warn(
            f"{plural(len(unused), 'video')} that an earlier run wrote ({si(size)}B)"
            f" {'is' if len(unused) == 1 else 'are'} not used any more, such as {unused[0]}; remove"
            " what you do not need"
        )
