"""Find the videos whose features are most similar to those of a video.

Shapes: V videos, D embedding dimension.
"""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.errors import DataError
from videomae_cli.report import ProgressOnly, Report, printable
from videomae_cli.tasks.features.options import FeatureOptions
from videomae_cli.tasks.features.store import read_key
from videomae_cli.tasks.features.table import FeatureRow, StoredFeatures, read_features


class VideoTable(NamedTuple):
    """One feature per video: the mean over its rows, and over tokens or slices."""

    rows: list[FeatureRow]
    """The first row of each video."""
    feature: NDArray[np.float32]
    """(V, D)"""


class Neighbour(NamedTuple):
    """A similar video."""

    path: str
    class_name: str
    similarity: float
    """Cosine of the angle between the features: 1 is equal."""


def average_videos(stored: StoredFeatures) -> VideoTable:
    """Return the mean feature of each video; a DataError if some are not finite."""
    feature = stored.read()
    pooled_RD = feature.reshape(len(feature), -1, feature.shape[-1]).mean(axis=1, dtype=np.float64)
    if not np.isfinite(pooled_RD).all():
        raise DataError(
            f"{stored.folder}: some features are not finite",
            "compute them again, in another --out, with --precision fp32",
        )
    numbers: dict[str, list[int]] = {}
    for row in stored.rows:
        numbers.setdefault(row.path, []).append(row.row)
    means = [pooled_RD[rows].mean(axis=0) for rows in numbers.values()]
    firsts = [stored.rows[rows[0]] for rows in numbers.values()]
    return VideoTable(firsts, np.array(means, dtype=np.float32))


def find_nearest(folder: Path, video: str, count: int, report: Report) -> list[Neighbour]:
    """Return the `count` most similar videos in a directory of features, and show them.

    Args:
        folder: A complete directory of features.
        video: A path as in its table, or a video file, whose features are computed the same way.
        count: Number of neighbours.
        report: Shows a table.

    Raises:
        DataError: The directory is not complete, or there is no such video.
    """
    stored = read_features(folder)
    table = average_videos(stored)
    paths = [row.path for row in table.rows]
    if video in paths:
        query_D, own = table.feature[paths.index(video)], paths.index(video)
    else:
        query_D, own = _compute_feature(stored, video, report), -1
    norms_V = np.linalg.norm(table.feature, axis=1) * np.linalg.norm(query_D)
    cosine_V = table.feature @ query_D / np.maximum(norms_V, 1e-12)
    order = [int(place) for place in np.argsort(-cosine_V, kind="stable") if place != own]
    found = [
        Neighbour(paths[place], table.rows[place].class_name, round(float(cosine_V[place]), 6))
        for place in order[:count]
    ]
    rows = [(f"{one.similarity:.4f}", one.class_name, printable(one.path)) for one in found]
    report.table(f"nearest to {printable(video)}", ("cosine", "class", "video"), rows)
    return found


def _compute_feature(stored: StoredFeatures, video: str, report: Report) -> NDArray[np.float32]:
    """Return the feature of a file, computed as those that are stored."""
    from videomae_cli.tasks.features.features import run

    if not Path(video).exists():
        raise DataError(
            f"{video} is no file, and not among the videos of {stored.folder}",
            f"give a path as in {stored.folder / 'manifest.csv'}, or a video file",
        )
    key = read_key(stored.folder) or {}
    with tempfile.TemporaryDirectory() as name:
        options = _same_options(key, Path(name) / "features")
        run(stored.facts["checkpoint"], ProgressOnly(report), options, [video])
        computed = read_key(options.out) or {}
        for entry in ("weights", "model", "protocol", "layer", "pooling"):
            if computed.get(entry) != key.get(entry):
                raise DataError(
                    f"{stored.facts['checkpoint']} has changed since {stored.folder} was computed",
                    "compute the features again, in another --out",
                )
        feature_D: NDArray[np.float32] = average_videos(read_features(options.out)).feature[0]
        return feature_D


def _same_options(key: dict[str, Any], out: Path) -> FeatureOptions:
    protocol = key["protocol"]
    name = protocol["name"] or None
    return FeatureOptions(
        out,
        level=key["level"],
        pooling=key["pooling"],
        layer=key["layer"],
        protocol=name,
        clips=None if name else protocol["clips"],
        crops=None if name else protocol["crops"],
        window=key["window"],
        hop=key["hop"],
        precision=key["precision"],
    )
