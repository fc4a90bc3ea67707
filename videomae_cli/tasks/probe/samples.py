"""Features of videos and what a probe shall predict from them.

Shapes: V videos, K outputs (classes or values), N tokens or time slices, D feature dimension.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from videomae_cli.config.model import Task
from videomae_cli.data.manifest import Manifest, Video
from videomae_cli.errors import DataError

Index = NDArray[np.int64]
Floats = NDArray[np.float32]


class Target(NamedTuple):
    """What a probe shall predict for each of V videos."""

    task: Task
    value: NDArray[np.int64] | NDArray[np.float64]
    """label_V, or target_VK: 0 and 1 for several labels, numbers for a regression."""
    size: int
    """K: classes, labels or values; a class may have no video."""
    group_V: Index | None = None
    """Number of the source of each video; videos of one source are never split. None: unknown."""

    @property
    def videos(self) -> int:
        """V, the number of videos."""
        return len(self.value)

    def take(self, index_V: Index) -> "Target":
        """Return the target of some of the videos."""
        group_V = None if self.group_V is None else self.group_V[index_V]
        return self._replace(value=self.value[index_V], group_V=group_V)

    @property
    def labels(self) -> Index:
        """label_V; for the task single-label only."""
        return np.asarray(self.value, dtype=np.int64)

    def as_matrix(self) -> NDArray[np.float64]:
        """Return target_VK; labels become rows with a single 1."""
        if self.task == "single-label":
            return np.eye(self.size)[self.labels]
        return np.asarray(self.value, dtype=np.float64)

    def class_counts(self) -> Index:
        """Return the number of videos of each class, (K,)."""
        return np.bincount(self.labels, minlength=self.size)


class FeatureTable(NamedTuple):
    """The features that one encoder gives for the videos of a data set."""

    name: str
    """The encoder, for people: "scratch" or a checkpoint."""
    paths: tuple[str, ...]
    """The V videos as the manifest names them, without those that could not be decoded."""
    split: tuple[str, ...]
    """"train", "val" or "test" for each video."""
    target: Target
    feature: Floats
    """(V, D), or (V, N, D) for features of tokens or time slices."""
    digest: str
    """Of the data set and the encoder."""

    @property
    def pooled(self) -> Floats:
        """Features (V, D), averaged over the tokens."""
        return self.feature if self.feature.ndim == 2 else self.feature.mean(axis=1)

    def take(self, rows: Sequence[int] | Index) -> "FeatureTable":
        """Return some of the videos, in this order."""
        index_V = np.asarray(rows, dtype=np.int64)
        return self._replace(
            paths=tuple(self.paths[row] for row in index_V),
            split=tuple(self.split[row] for row in index_V),
            target=self.target.take(index_V),
            feature=self.feature[index_V],
        )

    def rows(self, split: str) -> Index:
        """Return the numbers of the videos of a split."""
        return np.array([n for n, name in enumerate(self.split) if name == split], dtype=np.int64)


class LabelledVideos(NamedTuple):
    """The labelled videos of a prepared data set, of all splits, in the order of the manifest."""

    manifest: Manifest
    videos: Sequence[Video]
    target: Target
    split: str
    """The split that the model is measured on."""

    def take(self, index_V: Index) -> "LabelledVideos":
        """Return some of the videos."""
        videos = tuple(self.videos[index] for index in index_V)
        return self._replace(videos=videos, target=self.target.take(index_V))

    def rows(self, split: str) -> Index:
        """Return the numbers of the videos of a split."""
        numbers = [n for n, video in enumerate(self.videos) if video.split == split]
        return np.array(numbers, dtype=np.int64)


class ModelOutput(NamedTuple):
    """What a model answers for videos: the result of `videomae eval`."""

    paths: Sequence[str]
    """The V videos, as the manifest names them."""
    output_VK: Floats


class Probe(Protocol):
    """Fits a small model to features; returns its output for other videos.

    Deterministic: the same arguments give the same bits on the same machine. `output_VK` contains
    the probability of each class or label, or the values of a regression.
    """

    def __call__(
        self, train_feature: Floats, train: Target, test_feature: Floats, *, seed: int
    ) -> Floats:
        """Return output_VK for the test videos."""


def require_finite(feature: Floats, place: str) -> None:
    """Raise a DataError that counts the videos whose features are not finite."""
    is_bad_V = ~np.isfinite(feature.reshape(len(feature), -1)).all(axis=1)
    if is_bad_V.any():
        raise DataError(
            f"{place}: the features of {int(is_bad_V.sum()):,} of {len(feature):,} videos are not"
            f" finite (first: row {int(is_bad_V.argmax())})",
            "compute the features again with --precision fp32",
        )


def align_tables(
    first: FeatureTable, second: FeatureTable
) -> tuple[FeatureTable, FeatureTable, list[str]]:
    """Return both tables with the videos that both have, in the order of the first; remarks.

    Raises:
        DataError: They have no video in common, or features that are not finite.
    """
    for table in (first, second):
        require_finite(table.feature, table.name)
    numbers = {path: row for row, path in enumerate(second.paths)}
    rows = np.array([n for n, path in enumerate(first.paths) if path in numbers], dtype=np.int64)
    if not len(rows):
        raise DataError(
            f"the features of {first.name} and of {second.name} have no video in common",
            "compute both on the same prepared data",
        )
    others = np.array([numbers[first.paths[row]] for row in rows], dtype=np.int64)
    remarks = []
    if missing := max(len(first.paths), len(second.paths)) - len(rows):
        remarks.append(f"{missing:,} videos without features of both encoders are left out")
    return first.take(rows), second.take(others), remarks
