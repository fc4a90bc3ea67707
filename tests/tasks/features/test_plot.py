"""The map of features is scaled to its page, also when there is nothing to spread."""

import numpy as np
import pytest

from videomae_cli.tasks.features.plot import Method, project


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_equal_features_are_one_point_of_the_map(method: Method) -> None:
    # integers: their mean is exact, so that the variance is exactly 0
    points_V2, note = project(np.full((12, 4), 3, np.float32), method)

    assert np.isfinite(points_V2).all()
    if method == "pca":
        assert (points_V2 == 0).all()
        assert note == "PCA: the two axes contain 0% of the variance"


def test_axes_are_those_of_the_largest_variance() -> None:
    rng = np.random.default_rng(0)
    feature_VD = (rng.standard_normal((200, 3)) * [1, 10, 3]).astype(np.float32)

    points_V2, note = project(feature_VD, "pca")

    assert points_V2.min() == 0 and points_V2.max() == 1
    assert abs(np.corrcoef(points_V2[:, 0], feature_VD[:, 1])[0, 1]) > 0.99
    assert abs(np.corrcoef(points_V2[:, 1], feature_VD[:, 2])[0, 1]) > 0.99
    assert note == "PCA: the two axes contain 99% of the variance"
