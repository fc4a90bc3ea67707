"""What features are computed of and with: encoder, videos, views, and the key that names them."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from videomae_cli.data.ingest.input_files import find_input_files
from videomae_cli.data.ingest.input_videos import probe_inputs
from videomae_cli.data.manifest import Manifest
from videomae_cli.engine import environment
from videomae_cli.engine.distributed.signals import Interrupted, exit_code
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import Stopped
from videomae_cli.models.features import FeatureModel
from videomae_cli.report import Report
from videomae_cli.tasks.features.data import (
    Rejected,
    Videos,
    digest_sizes,
    open_videos,
    plan_items,
    report_short,
    use_inputs,
)
from videomae_cli.tasks.features.encoder import LoadedEncoder
from videomae_cli.tasks.features.options import FeatureOptions, choose_views
from videomae_cli.tasks.features.rows import Items

# fields of a model configuration on which features do not depend
_IRRELEVANT = {
    *("recipe", "software", "data", "step", "license", "derived_from", "classes", "protocol"),
    "mask",
}


class Extraction(NamedTuple):
    """What features are computed of, and with what."""

    encoder: LoadedEncoder
    model: FeatureModel
    manifest: Manifest
    items: Items
    rejected: tuple[Rejected, ...]
    """Videos that are known to have no features."""
    options: FeatureOptions

    def key(self, runtime: Runtime) -> dict[str, Any]:
        """Return everything that the features depend on."""
        options, config = self.options, self.encoder.config
        return {
            "weights": self.encoder.digest,
            "model": config.model_dump(mode="json", exclude=_IRRELEVANT),
            "data": self.manifest.digest,
            "sizes of the files": digest_sizes(self.manifest),
            "root": str(self.manifest.root),
            "splits": sorted({video.split for video in self.manifest.videos}),
            "protocol": self.items.views.protocol.as_json(),
            "level": options.level,
            "window": options.window,
            "hop": options.hop,
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


def probe_videos(inputs: Sequence[str], runtime: Runtime, report: Report) -> Videos:
    """Find and probe the videos of a command line; on rank 0."""
    with suppress(Interrupted), runtime.signals.interruptible():
        return use_inputs(probe_inputs(find_input_files(inputs, sys.stdin.buffer), report))
    raise Stopped(
        "stopped before the videos were probed",
        "run it again",
        exit_code=exit_code(runtime.signals.received or 0),
    )


def set_up(
    encoder: LoadedEncoder, options: FeatureOptions, report: Report, videos: Videos | None = None
) -> Extraction:
    """Open the data (unless they are given) and choose the views; raises what `run` raises."""
    model = FeatureModel(encoder.model, options.layer, options.pooling_or_default)
    protocol = choose_views(encoder.config, options, report)
    clip = protocol.apply(encoder.config.clip())
    videos = open_videos(encoder.config, options, clip) if videos is None else videos
    report_short(clip, videos.manifest, report)
    items, rejected = plan_items(videos, clip.candidates(), protocol, options)
    return Extraction(encoder, model, videos.manifest, items, rejected, options)
