"""Shortcut baselines: how far file metadata, a mean frame or global motion get without a model.

Each baseline is a logistic regression (a ridge regression for values) on standardised facts about
the videos. If it does as well as a model, the labels can be predicted without recognising what
happens, and the number of the model does not show that it does.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from videomae_cli.rng import stream
from videomae_cli.tasks.probe.folds import cross_predict, make_folds
from videomae_cli.tasks.probe.measures import Measure, measure_output
from videomae_cli.tasks.probe.probes import linear
from videomae_cli.tasks.probe.samples import FeatureTable, Floats, Index, Target
from videomae_cli.tasks.probe.video_facts import VideoFacts

RANDOM_SIZE = 256  # dimensions of the random projection
SEED = 0


class Baseline(NamedTuple):
    """The numbers that a baseline sees."""

    key: str
    """For JSON."""
    name: str
    feature: Floats
    """(V, D); no columns for the constant answer."""


class BaselineScore(NamedTuple):
    """The measures of a baseline; None if there are too few videos."""

    key: str
    name: str
    cross_validated: Measure | None
    """Over all labelled videos."""
    on_split: Measure | None
    """On the split that the model is measured on."""
    split_output: Floats | None
    """output_VK on that split."""

    @property
    def main(self) -> Measure | None:
        """The measure to compare: that on the split if there is one."""
        return self.on_split or self.cross_validated

    def as_json(self) -> dict[str, Any]:
        """Return the score as a JSON document."""
        return {
            "name": self.name,
            "cross_validated": self.cross_validated and self.cross_validated.as_json(),
            "on_split": self.on_split and self.on_split.as_json(),
        }


def make_baselines(
    facts: Sequence[VideoFacts], random_features: FeatureTable | None = None
) -> list[Baseline]:
    """Return the baselines of videos, from the fewest to the most pixels.

    The random features are those of an encoder with random weights, if the caller has computed them
    for the same videos; else a fixed random projection of 8 thumbnails of 8 x 8 pixels.
    """
    thumbnail_VPHWC = np.stack([each.thumbnails for each in facts]).astype(np.float32)
    thumbnail_VPHWC /= 255
    metadata = np.stack([each.metadata for each in facts])
    if random_features is None:
        name, random = "random projection of thumbnails", _project(thumbnail_VPHWC)
    else:
        name, random = "random encoder", random_features.pooled
    values = {
        ("majority", "majority"): np.empty((len(facts), 0)),
        ("metadata", "file metadata"): np.hstack([metadata, _encode_codecs(facts)]),
        ("mean_frame", "mean frame"): thumbnail_VPHWC.mean(axis=1).reshape(len(facts), -1),
        ("motion", "motion statistics"): np.stack([each.motion for each in facts]),
        ("random", name): random,
    }
    return [Baseline(key, name, value.astype(np.float32)) for (key, name), value in values.items()]


def score_baseline(baseline: Baseline, target: Target, train: Index, test: Index) -> BaselineScore:
    """Measure a baseline by cross-validation over all videos, and on a split.

    Args:
        baseline: Its features of all V videos.
        target: What it shall predict.
        train: Rows of the training split, for the measure on the other split; without any, that is
            measured by cross-validation too.
        test: Rows of the split that the model is measured on; may be empty.
    """
    output_VK = split_VK = cross_validated = on_split = None
    if not baseline.feature.shape[1]:
        output_VK, split_VK = answer_constant(target), answer_constant(target.take(test))
    else:
        if make_folds(target, SEED):
            output_VK = cross_predict(linear.fit_predict, baseline.feature, target, seed=SEED)
        if len(train) and len(test):
            split_VK = linear.fit_predict(
                baseline.feature[train], target.take(train), baseline.feature[test], seed=SEED
            )
        elif output_VK is not None:
            split_VK = output_VK[test]
    if output_VK is not None:
        cross_validated = measure_output(target, output_VK)
    if split_VK is not None and len(test):
        on_split = measure_output(target.take(test), split_VK)
    return BaselineScore(baseline.key, baseline.name, cross_validated, on_split, split_VK)


def answer_constant(target: Target) -> Floats:
    """Return output_VK of the best constant answer: the class frequencies, or the mean values.

    They are those of the very videos that are measured: a constant from train can be lower, if the
    classes are not equally frequent in both.
    """
    if not target.videos:
        return np.empty((0, target.size), dtype=np.float32)
    mean_K = target.as_matrix().mean(axis=0)
    return np.tile(mean_K.astype(np.float32), (target.videos, 1))


def _encode_codecs(facts: Sequence[VideoFacts]) -> Floats:
    """Return one column of 0 and 1 for each codec with its pixel format."""
    codecs = sorted({each.codec for each in facts})
    return np.array([[each.codec == codec for codec in codecs] for each in facts], np.float32)


def _project(thumbnail_VPHWC: Floats) -> Floats:
    """Return 256 random projections of the standardised pixels of the thumbnails, rectified."""
    pixel_VD = thumbnail_VPHWC.reshape(len(thumbnail_VPHWC), -1)
    pixel_VD = (pixel_VD - 0.5) / 0.25
    rng = stream(SEED, "probe", "projection")
    weight_DR = rng.standard_normal((pixel_VD.shape[1], RANDOM_SIZE)) / pixel_VD.shape[1] ** 0.5
    feature_VR: Floats = np.maximum(pixel_VD @ weight_DR, 0).astype(np.float32)
    return feature_VR
