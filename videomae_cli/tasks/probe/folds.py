"""Divide videos into folds, so that no source of videos is in two of them; predict each fold."""

import warnings

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)

from videomae_cli.errors import DataError
from videomae_cli.tasks.probe.samples import Floats, Index, Probe, Target

FOLDS = 5


def make_folds(target: Target, seed: int, *, most: int = FOLDS) -> list[Index]:
    """Return the numbers of the videos of each fold; each video is in exactly one.

    Classes are spread evenly over the folds, as far as the sources allow. There are `most` folds,
    or fewer if there are fewer sources, or fewer videos of the largest class. None if not even two
    folds are possible.

    Source: `StratifiedGroupKFold`, `StratifiedKFold`, `GroupKFold` or `KFold` of scikit-learn.
    """
    is_stratified = target.task == "single-label"
    count = min(most, target.videos)
    if target.group_V is not None:
        count = min(count, len(np.unique(target.group_V)))
    if is_stratified:
        count = min(count, int(target.class_counts().max(initial=0)))
    if count < 2:
        return []
    if target.group_V is not None:
        splitter = (StratifiedGroupKFold if is_stratified else GroupKFold)(
            count, shuffle=True, random_state=seed
        )
    else:
        splitter = (StratifiedKFold if is_stratified else KFold)(
            count, shuffle=True, random_state=seed
        )
    label_V = target.value if is_stratified else None
    with warnings.catch_warnings():
        # about classes with fewer videos than folds: a probe gives them the probability 0
        warnings.simplefilter("ignore", UserWarning)
        pairs = splitter.split(np.empty((target.videos, 1)), label_V, target.group_V)
        folds = [test.astype(np.int64) for _, test in pairs]
    return [fold for fold in folds if len(fold)]  # few, large sources can leave a fold empty


def cross_predict(probe: Probe, feature: Floats, target: Target, *, seed: int) -> Floats:
    """Return output_VK; each video is predicted by a probe that has not seen its fold.

    Raises:
        DataError: There is only one source of videos, or only one video of each class.
    """
    folds = make_folds(target, seed)
    if not folds:
        raise DataError(
            f"{target.videos:,} videos cannot be divided into two folds",
            "cross-validation needs two videos of a class, from two sources",
        )
    output_VK = np.zeros((target.videos, target.size), dtype=np.float32)
    everything = np.arange(target.videos)
    for test in folds:
        train = np.setdiff1d(everything, test)
        output_VK[test] = probe(feature[train], target.take(train), feature[test], seed=seed)
    return output_VK
