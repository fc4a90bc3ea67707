"""Features of whole videos as one array: for probes, kNN and label curves; cached on disk.

Shapes: V videos, N tokens, t slices, D embedding dimension.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.data.manifest import Manifest
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import DataError
from videomae_cli.models.features import Pooling
from videomae_cli.report import Report
from videomae_cli.tasks.features.data import Videos
from videomae_cli.tasks.features.encoder import LoadedEncoder
from videomae_cli.tasks.features.extraction import set_up
from videomae_cli.tasks.features.features import compute
from videomae_cli.tasks.features.options import FeatureOptions
from videomae_cli.tasks.features.table import read_features

CACHE = "features-cache"


class VideoFeatures(NamedTuple):
    """One feature per video, in the order of the manifest, without videos that were rejected."""

    paths: tuple[str, ...]
    split: tuple[str, ...]
    label_V: NDArray[np.int64]
    """-1 without a label."""
    feature: NDArray[np.float32]
    """(V, D), or (V, N, D) and (V, t, D) for the pooling `tokens` and `per-slice`."""
    digest: str
    """Of everything that the features depend on."""
    rejected: tuple[str, ...]
    """The videos that could not be decoded, with the reason."""


def extract_features(
    encoder: LoadedEncoder,
    manifest: Manifest,
    splits: Sequence[str],
    cache: Path,
    *,
    runtime: Runtime,
    report: Report,
    options: FeatureOptions | None = None,
) -> VideoFeatures:
    """Return the features of the videos of some splits, the mean over their views.

    They are stored below `cache`, in a directory named by their digest: a second call computes
    nothing, an interrupted one continues.

    Args:
        encoder: From `load_encoder` or `build_random_encoder`.
        manifest: The data, with the labels that the result shall have.
        splits: Of the data.
        cache: A directory, such as `manifest.folder / CACHE`.
        runtime: Device and processes; all processes return the same.
        report: Shows the progress.
        options: Pooling, layer and views; `out`, `data`, `splits` and `level` are not used.

    Raises:
        DataError: No video could be decoded.
        Stopped: A signal asked to stop.
    """
    videos = tuple(video for video in manifest.videos if video.split in splits)
    if not videos:
        raise DataError(f"{manifest.folder}: no videos in {', '.join(splits)}")
    chosen = (options or FeatureOptions(cache))._replace(level="video", format="npz")
    data = Videos(manifest._replace(videos=videos))
    extraction = set_up(encoder, chosen, report, data)
    digest = hashlib.sha256(json.dumps(extraction.key(runtime)).encode()).hexdigest()
    options = chosen._replace(out=cache / digest[:16])
    result = compute(extraction._replace(options=options), runtime, report)
    for reason in result.rejected:
        report.warn(reason)
    return _read_table(options.out, manifest, digest, result.rejected)


def _read_table(
    folder: Path, manifest: Manifest, digest: str, rejected: tuple[str, ...]
) -> VideoFeatures:
    found = read_features(folder)
    known = {video.name: -1 if video.label is None else video.label for video in manifest.videos}
    return VideoFeatures(
        tuple(row.path for row in found.rows),
        tuple(row.split for row in found.rows),
        np.array([known[row.path] for row in found.rows], np.int64),
        found.read(),
        digest,
        rejected,
    )


def make_options(
    pooling: Pooling = "mean", layer: int = -1, clips: int | None = None, crops: int | None = None
) -> FeatureOptions:
    """Return the options of `extract_features`."""
    return FeatureOptions(Path(), pooling=pooling, layer=layer, clips=clips, crops=crops)
