"""Probe: the weighted vote of the nearest videos."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from videomae_cli.tasks.probe.samples import Floats, Target

NEIGHBOURS = 20
TEMPERATURE = 0.07


def fit_predict(train_feature: Floats, train: Target, test_feature: Floats, *, seed: int) -> Floats:
    """Return output_VK: the mean target of the nearest 20 training videos, weighted.

    The weight of a neighbour is exp(cosine similarity / 0.07). Features of tokens are averaged
    first. Nothing is random, so `seed` is not used.

    Source: weighted kNN of DINO (Caron et al. 2021, appendix F.1), with its k and temperature.
    scikit-learn finds the neighbours; its `KNeighborsClassifier` does not vote for us, because it
    drops the columns of classes without a training video, and has no such vote for several labels.
    """
    train_VD, test_VD = (
        each if each.ndim == 2 else each.mean(axis=1) for each in (train_feature, test_feature)
    )
    count = min(NEIGHBOURS, len(train_VD))
    search = NearestNeighbors(n_neighbors=count, metric="cosine", algorithm="brute").fit(train_VD)
    distance_Vk, index_Vk = search.kneighbors(test_VD)
    # relative to the nearest one, so that no weight overflows
    nearer_Vk = distance_Vk[:, :1].astype(np.float64) - distance_Vk
    weight_Vk = np.exp(nearer_Vk / TEMPERATURE)
    weight_Vk /= weight_Vk.sum(axis=1, keepdims=True)
    target_VK = train.as_matrix()
    output_VK = np.zeros((len(test_VD), train.size))
    for weight_V, index_V in zip(weight_Vk.T, index_Vk.T, strict=True):
        output_VK += weight_V[:, None] * target_VK[index_V]
    return output_VK.astype(np.float32)
