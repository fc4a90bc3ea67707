"""Probe: logistic regression, or ridge regression, on standardised features."""

import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from videomae_cli.tasks.probe.folds import make_folds
from videomae_cli.tasks.probe.samples import Floats, Target

INNER_FOLDS = 3
Parameter = Literal["C", "alpha"]
"""Of logistic regressions and of ridge regressions."""
CANDIDATES: dict[Parameter, tuple[float, ...]] = {
    "C": (1e-4, 1e-3, 1e-2, 1e-1, 1.0),
    "alpha": (1e5, 1e4, 1e3, 1e2, 10.0, 1.0, 0.1),
}
"""Each with the most strongly regularised first."""
DEFAULTS: dict[Parameter, float] = {"C": 1e-2, "alpha": 1e2}
"""Used if the training part is too small for inner folds."""
ITERATIONS = 300


def fit_predict(train_feature: Floats, train: Target, test_feature: Floats, *, seed: int) -> Floats:
    """Return output_VK of a linear model on features with mean 0 and variance 1.

    The strength of the regularisation is chosen by cross-validation inside the training part, which
    keeps the videos of one source together. Several labels are predicted one by one. Features of
    tokens are averaged first.

    Source: `LogisticRegression` and `Ridge` of scikit-learn.
    """
    train_VD, test_VD = (
        np.asarray(each if each.ndim == 2 else each.mean(axis=1), dtype=np.float64)
        for each in (train_feature, test_feature)
    )
    if train.task == "single-label":
        return _classify(train_VD, train, test_VD, seed)
    if train.task == "multi-label":
        return _classify_each(train_VD, train, test_VD, seed)
    model = _search(train_VD, train, "alpha", seed)
    output_VK: Floats = model.predict(test_VD).reshape(len(test_VD), train.size)
    return output_VK.astype(np.float32)


def _classify(
    train_VD: NDArray[np.float64], train: Target, test_VD: NDArray[np.float64], seed: int
) -> Floats:
    """Return probability_VK; classes without a training video have the probability 0."""
    output_VK = np.zeros((len(test_VD), train.size), dtype=np.float32)
    classes = np.unique(train.value)
    if len(classes) == 1:
        output_VK[:, classes[0]] = 1
        return output_VK
    model = _search(train_VD, train, "C", seed)
    output_VK[:, classes] = model.predict_proba(test_VD)
    return output_VK


def _classify_each(
    train_VD: NDArray[np.float64], train: Target, test_VD: NDArray[np.float64], seed: int
) -> Floats:
    """Return the probability of each label, from one model per label."""
    columns = []
    for label_V in train.value.T:
        one = Target("single-label", label_V.astype(np.int64), 2, train.group_V)
        columns.append(_classify(train_VD, one, test_VD, seed)[:, 1])
    return np.stack(columns, axis=1)


def _search(
    train_VD: NDArray[np.float64], train: Target, parameter: Parameter, seed: int
) -> Pipeline:
    """Fit a model whose strength of regularisation is chosen by inner cross-validation.

    A plain loop: `GridSearchCV` of scikit-learn takes more than twice as long for the hundreds of
    small models of a label curve, most of it to inspect arguments (measured: 80 and 37 ms).
    """
    candidates = CANDIDATES[parameter]
    loss_C = np.zeros(len(candidates))
    pairs = _inner_folds(train, seed)
    with warnings.catch_warnings():
        # weakly regularised candidates need many steps, and are chosen only if they are good
        warnings.simplefilter("ignore", ConvergenceWarning)
        for rest, test in pairs:
            scaler = StandardScaler().fit(train_VD[rest])
            rest_VD, test_VD = scaler.transform(train_VD[rest]), scaler.transform(train_VD[test])
            for number, strength in enumerate(candidates):
                model = _make_model(parameter, strength).fit(rest_VD, train.value[rest])
                loss_C[number] += _loss(model, test_VD, train.value[test]).sum()
        # of equal candidates, the first is chosen: the most strongly regularised
        strength = candidates[int(loss_C.argmin())] if pairs else DEFAULTS[parameter]
        model = make_pipeline(StandardScaler(), _make_model(parameter, strength))
        return model.fit(train_VD, train.value)


def _make_model(parameter: Parameter, strength: float) -> Any:
    if parameter == "C":
        return LogisticRegression(C=strength, max_iter=ITERATIONS)
    return Ridge(alpha=strength)


def _loss(model: Any, test_VD: NDArray[np.float64], value: NDArray[Any]) -> NDArray[np.float64]:
    """Return the log loss of each video, or its squared error."""
    if isinstance(model, Ridge):
        loss: NDArray[np.float64] = (value - model.predict(test_VD).reshape(value.shape)) ** 2
        return loss
    probability_VK = model.predict_proba(test_VD)
    column_V = np.searchsorted(model.classes_, value)
    right_V: NDArray[np.float64] = probability_VK[np.arange(len(value)), column_V]
    return -np.log(np.maximum(right_V, 1e-12))


def _inner_folds(train: Target, seed: int) -> list[tuple[Any, Any]]:
    """Return (training, validation) rows; folds that lack a class are left out."""
    everything, pairs = np.arange(train.videos), []
    for test in make_folds(train, seed, most=INNER_FOLDS):
        rest = np.setdiff1d(everything, test)
        if train.task == "single-label":
            present = np.unique(train.value)
            if any(len(np.setdiff1d(present, train.value[part])) for part in (rest, test)):
                continue
        pairs.append((rest, test))
    return pairs
