"""Metrics of predicted values: functions of target_VK and value_VK.

A video whose outputs are not finite has no error to average and is left out; `n` is the number of
videos that remain. An undefined value is NaN. Shapes: V videos, K outputs.
"""

from collections.abc import Sequence

import numpy as np

from videomae_cli.tasks.evaluate.metrics.arrays import Floats, average_defined, find_finite


def regression_metrics(
    target_VK: Floats, value_VK: Floats, names: Sequence[str]
) -> dict[str, float]:
    """Compute the metrics of predicted values, over the videos whose outputs are all finite.

    Args:
        target_VK: True values.
        value_VK: Predicted values.
        names: Name of each output.

    Returns:
        `mae`, `rmse` and `r2`: mean over the outputs of mean absolute error, root mean squared
        error and coefficient of determination; with several outputs also those of each, as in
        `mae/speed`; `n`: number of videos. R² is undefined (NaN) for a constant target, and left
        out of the mean.
    """
    from sklearn import metrics  # slow to import

    is_finite_V = find_finite(value_VK)
    true_VK, known_VK = target_VK[is_finite_V], value_VK[is_finite_V].astype(np.float64)
    outputs = {key: np.full(len(names), np.nan) for key in ("mae", "rmse", "r2")}
    if len(true_VK):
        kwargs = {"multioutput": "raw_values"}
        outputs["mae"] = metrics.mean_absolute_error(true_VK, known_VK, **kwargs)
        outputs["rmse"] = metrics.root_mean_squared_error(true_VK, known_VK, **kwargs)
    varies_K = np.ptp(true_VK, axis=0) > 0 if len(true_VK) else np.zeros(len(names), bool)
    if varies_K.any():
        outputs["r2"][varies_K] = metrics.r2_score(
            true_VK[:, varies_K], known_VK[:, varies_K], multioutput="raw_values"
        )
    result = {key: average_defined(value_K) for key, value_K in outputs.items()}
    if len(names) > 1:
        for key, value_K in outputs.items():
            result |= {f"{key}/{name}": float(v) for name, v in zip(names, value_K, strict=True)}
    return result | {"n": float(is_finite_V.sum())}
