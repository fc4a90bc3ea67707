"""`videomae features`: embeddings of clips, windows or videos, in shards that say what they are of.

An interrupted run continues where it stopped, and the files are the same to the bit. So they are
for any number of processes, and if the jobs of an array compute a part each (`--shard`).
"""

from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.manifest import Manifest
from videomae_cli.engine import environment
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import DataError
from videomae_cli.models.features import FeatureModel
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.parts import plan_parts
from videomae_cli.tasks.evaluate.run_views import Run, run_views
from videomae_cli.tasks.features import per_video
from videomae_cli.tasks.features.data import make_feature_views, open_videos
from videomae_cli.tasks.features.encoder import LoadedEncoder, load_encoder
from videomae_cli.tasks.features.options import FeatureOptions, choose_views
from videomae_cli.tasks.features.rows import summarize
from videomae_cli.tasks.features.shard_files import check_format
from videomae_cli.tasks.features.store import ShardStore
from videomae_cli.tasks.features.table import (
    FACTS,
    Finished,
    locate_rows,
    read_features,
    read_finished,
    write_facts,
    write_table,
)

# fields of a model configuration on which features do not depend
_IRRELEVANT = {
    *("recipe", "software", "data", "step", "license", "derived_from", "classes", "protocol"),
    "mask",
}


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


class Extraction(NamedTuple):
    """What features are computed of, and with what."""

    encoder: LoadedEncoder
    model: FeatureModel
    manifest: Manifest
    views: EvalViews
    options: FeatureOptions

    def key(self, runtime: Runtime) -> dict[str, Any]:
        """Return everything that the features depend on."""
        options, config = self.options, self.encoder.config
        return {
            "weights": self.encoder.digest,
            "model": config.model_dump(mode="json", exclude=_IRRELEVANT),
            "data": self.manifest.digest,
            "root": str(self.manifest.root),
            "splits": sorted({video.split for video in self.views.videos}),
            "protocol": self.views.protocol.as_json(),
            "level": options.level,
            "pooling": options.pooling_or_default,
            "layer": self.model.layer,
            "format": options.format,
            "precision": runtime.precision,
            "device": runtime.device.type,
            "software": environment.software(),
        }

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a feature."""
        grid, dim = self.model.encoder.grid, self.encoder.config.encoder.dim
        pooling = self.options.pooling_or_default
        return {"tokens": (grid.tokens, dim), "per-slice": (grid.t, dim)}.get(pooling, (dim,))


def run(checkpoint: str, report: Report, options: FeatureOptions) -> FeatureResult:
    """Compute the features of a prepared data set with the encoder of a checkpoint.

    Raises:
        CheckpointError: The checkpoint cannot be used, or the protocol is of another clip shape.
        DataError: There is no such dataset or split, or no video is decodable.
        UsageError: The options contradict each other, or the directory has other content.
        Stopped: A signal asked to stop; the same command continues.
    """
    check_format(options.format)
    extraction = set_up(load_encoder(checkpoint), options, report)
    with Runtime(options.precision) as runtime:
        report.say(f"{extraction.views.protocol} per video; {runtime.summary()}")
        result = compute(extraction, runtime, report)
    for message in result.rejected:
        report.warn(message)
    if bad := result.facts.get("not_finite"):
        report.warn(f"features of {len(bad)} videos are not finite, first {bad[0]}: try fp32")
    report.say(_describe(result, options))
    return result


def set_up(encoder: LoadedEncoder, options: FeatureOptions, report: Report) -> Extraction:
    """Open the data and choose the views; raises what `run` raises."""
    model = FeatureModel(encoder.model, options.layer, options.pooling_or_default)
    protocol = choose_views(encoder.config, options, report)
    manifest = open_videos(encoder.config, options, protocol, report)
    views = make_feature_views(manifest, encoder.config, protocol)
    return Extraction(encoder, model, manifest, views, options)


def compute(extraction: Extraction, runtime: Runtime, report: Report) -> FeatureResult:
    """Compute the shards of this job; if all are there then, complete the directory.

    Raises:
        DataError: No video could be decoded.
        Stopped: A signal asked to stop.
    """
    views, options = extraction.views, extraction.options
    store = ShardStore(
        options.out,
        extraction.key(runtime),
        views,
        options.level,
        options.format,
        shape=extraction.shape,
        share=options.share,
    )
    parts = len(plan_parts([views.count_views(item) for item in range(len(views))]))
    facts = runtime.run_on_rank0(lambda: _read_complete(store, options))
    rejected: list[str] = []
    if facts is None:
        model = extraction.model.to(runtime.device)
        summary = summarize(options.level, views.protocol.crops)
        job = Run(views, summary, "computing features", store, options.share)
        outputs = run_views(model, job, runtime=runtime, report=report)
        rejected = sorted(runtime.gather([item.error for item in outputs if item.error]))
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
    views, options = extraction.views, extraction.options
    located = list(locate_rows(store, finished, views, options.level))
    if not located:
        first = finished.rejected[0].error
        raise DataError(f"none of {len(views.videos):,} videos could be decoded: {first}")
    if options.format == "npy":
        names = per_video.name_files(views.videos)
        per_video.write_files(store, parts, located, names)
        located = list(per_video.locate_in_files(located, names))
    write_table(options.out, views, extraction.manifest.classes, located, finished.rejected)
    facts = _facts(extraction, finished, len(located))
    write_facts(options.out, facts)
    if options.format == "npy":
        store.remove()
    return facts


def _facts(extraction: Extraction, finished: Finished, rows: int) -> dict[str, Any]:
    views, options = extraction.views, extraction.options
    return {
        "checkpoint": extraction.encoder.name,
        "level": options.level,
        "pooling": options.pooling_or_default,
        "layer": extraction.model.layer,
        "depth": extraction.model.depth,
        "format": options.format,
        "shape": list(extraction.shape),
        "rows": rows,
        "videos": len(views.videos),
        "rejected": [item.error for item in finished.rejected],
        "not_finite": [
            views.videos[views.requests[item.number].video].path for item in finished.nonfinite
        ],
    }


def _describe(result: FeatureResult, options: FeatureOptions) -> str:
    """Return in one sentence what was written."""
    if not result.is_complete:
        number, jobs = options.share
        return (
            f"part {number + 1} of {jobs} is in {result.folder}; the table is written by the job"
            " that finishes last, or by the same command without --shard"
        )
    facts = result.facts
    size = " x ".join(map(str, facts["shape"]))
    return (
        f"wrote {facts['rows']:,} features of {size} values of"
        f" {facts['videos'] - len(facts['rejected']):,} videos to {result.folder} (level"
        f" {facts['level']}, pooling {facts['pooling']}, layer {facts['layer']} of"
        f" {facts['depth']})"
    )
