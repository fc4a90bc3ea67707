"""`videomae features`: embeddings of clips, windows or videos, in shards that say what they are of.

An interrupted run continues where it stopped, and the files are the same to the bit. So they are
for any number of processes, and if the jobs of an array compute a part each (`--shard`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli.data.workers import explain_worker_death
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import DataError
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.parts import plan_parts
from videomae_cli.tasks.evaluate.run_views import Run, run_views
from videomae_cli.tasks.features import per_video
from videomae_cli.tasks.features.data import Rejected
from videomae_cli.tasks.features.encoder import load_encoder
from videomae_cli.tasks.features.extraction import Extraction, probe_videos, set_up
from videomae_cli.tasks.features.options import FeatureOptions
from videomae_cli.tasks.features.shard_files import check_format
from videomae_cli.tasks.features.store import ShardStore
from videomae_cli.tasks.features.table import (
    FACTS,
    locate_rows,
    read_features,
    read_finished,
    write_facts,
    write_table,
)
from videomae_cli.units import plural


class FeatureResult(NamedTuple):
    """What a run has written."""

    folder: Path
    is_complete: bool
    """Whether all shards are there; only then there is a table."""
    facts: dict[str, Any]
    """The content of `features.json`; empty if it is not complete."""
    rejected: tuple[str, ...]
    """The videos that could not be decoded, with the reason, of all shards or of this job."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        state = {"folder": str(self.folder), "is_complete": self.is_complete}
        return {**state, **self.facts, "rejected": list(self.rejected)}


def run(
    checkpoint: str, report: Report, options: FeatureOptions, inputs: Sequence[str] = ()
) -> FeatureResult:
    """Compute the features of videos with the encoder of a checkpoint.

    Args:
        checkpoint: A checkpoint of any kind and format, or `random:RECIPE`.
        report: Shows the progress.
        options: The options.
        inputs: Files, folders, patterns, or `-` for a list on stdin; empty: the prepared data.

    Raises:
        CheckpointError: The checkpoint cannot be used, or the protocol is of another clip shape.
        DataError: There is no such dataset or split, or no video is decodable.
        UsageError: The options contradict each other, or the directory has other content.
        Stopped: A signal asked to stop; the same command continues.
    """
    check_format(options.format)
    encoder = load_encoder(checkpoint)
    with Runtime(options.precision) as runtime:
        videos = None
        if inputs:
            videos = runtime.run_on_rank0(lambda: probe_videos(inputs, runtime, report))
        extraction = set_up(encoder, options, report, videos)
        unit = "window" if options.level == "window" else "video"
        report.say(f"{extraction.items.views.protocol} per {unit}; {runtime.summary()}")
        result = compute(extraction, runtime, report)
    show_result(result, options, report)
    return result


def show_result(result: FeatureResult, options: FeatureOptions, report: Report) -> None:
    """Report what was written, and what is wrong with it."""
    for message in result.rejected:
        report.warn(message)
    if bad := result.facts.get("not_finite"):
        report.warn(f"features of {plural(len(bad))} are not finite, first {bad[0]}: try fp32")
    report.say(_describe(result, options))


def compute(extraction: Extraction, runtime: Runtime, report: Report) -> FeatureResult:
    """Compute the shards of this job; if all are there then, complete the directory.

    Raises:
        DataError: No video could be decoded.
        Stopped: A signal asked to stop.
    """
    items, options = extraction.items, extraction.options
    store = ShardStore(
        options.out,
        extraction.key(runtime),
        items,
        options.format,
        shape=extraction.shape,
        share=options.share,
    )
    parts = len(plan_parts(items.count_views()))
    facts = runtime.run_on_rank0(lambda: _read_complete(store, options))
    rejected: list[str] = []
    if facts is None:
        model = extraction.model.to(runtime.device)
        job = Run(items.views, items.summarize, "computing features", store, options.share)
        outputs = run_views(model, job, runtime=runtime, report=report)
        with explain_worker_death():
            errors = runtime.gather([one.error for one in outputs if one.error])
        rejected = [*dict.fromkeys([*(one.reason for one in extraction.rejected), *sorted(errors)])]
        facts = runtime.run_on_rank0(lambda: _complete(extraction, store, parts))
    if facts is not None:
        rejected = [str(reason) for reason in facts["rejected"]]
    return FeatureResult(options.out, facts is not None, facts or {}, tuple(rejected))


def _read_complete(store: ShardStore, options: FeatureOptions) -> dict[str, Any] | None:
    """Check the directory; return its facts if one file per video has replaced the shards."""
    store.prepare()
    if options.format != "npy" or not (store.folder / FACTS).is_file():
        return None
    found = read_features(store.folder)
    if all((store.folder / name).is_file() for name in {row.file for row in found.rows}):
        store.remove()
        return found.facts
    (store.folder / FACTS).unlink()
    return None


def _complete(extraction: Extraction, store: ShardStore, parts: int) -> dict[str, Any] | None:
    """Write the table if all shards are there; return the facts, None if shards are missing."""
    try:
        return _write(extraction, store, parts)
    except FileNotFoundError:  # another job of the array has done it, and removed the shards
        return read_features(store.folder).facts


def _write(extraction: Extraction, store: ShardStore, parts: int) -> dict[str, Any] | None:
    finished = read_finished(store, parts)
    if finished is None:
        return None
    items, options = extraction.items, extraction.options
    located = list(locate_rows(store, finished))
    rejected = dict.fromkeys(extraction.rejected)
    for one in finished.rejected:
        video = items.video(one.number)
        rejected[Rejected(video.name, video.split, one.error)] = None
    if not located:
        reason = next(iter(rejected)).reason
        error = DataError(f"none of {len(items.views.videos):,} videos could be decoded: {reason}")
        raise error.with_answer({"rejected": [one.reason for one in rejected]})
    if options.format == "npy":
        names = per_video.name_files(items.views.videos)
        per_video.write_files(store, parts, located, names)
        located = list(per_video.locate_in_files(located, names))
    write_table(options.out, items, extraction.manifest.classes, located, list(rejected))
    facts = {
        **_facts(extraction),
        "rows": len(located),
        "videos": len({row.video for _, _, row in located}),
        "rejected": [one.reason for one in rejected],
        "not_finite": sorted({items.video(one.number).name for one in finished.nonfinite}),
    }
    write_facts(options.out, facts)
    if options.format == "npy":
        store.remove()
    return facts


def _facts(extraction: Extraction) -> dict[str, Any]:
    options = extraction.options
    return {
        "checkpoint": extraction.encoder.name,
        "level": options.level,
        "pooling": options.pooling_or_default,
        "layer": extraction.model.layer,
        "depth": extraction.model.depth,
        "format": options.format,
        "shape": list(extraction.shape),
    }


def _describe(result: FeatureResult, options: FeatureOptions) -> str:
    """Return in one sentence what was written."""
    if not result.is_complete:
        return (
            f"shard {options.share} is in {result.folder}; the table is written by the job"
            " that finishes last, or by the same command without --shard"
        )
    facts = result.facts
    size = " x ".join(map(str, facts["shape"]))
    return (
        f"wrote {plural(facts['rows'], 'feature')} of {size} values of"
        f" {plural(facts['videos'])} to {result.folder} (level"
        f" {facts['level']}, pooling {facts['pooling']}, layer {facts['layer']} of"
        f" {facts['depth']})"
    )
