"""Outputs of a classifier become probabilities or values, in memory and in files of others."""

import torch

from videomae_cli.config.model import Task
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.transformer import SIZES
from videomae_cli.grid import TokenGrid
from videomae_cli.models.outputs import fold_units, to_scores

LOGITS_BK = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 30.0]])
MEAN, STD = (10.0, -1.0, 1000.0), (2.0, 0.5, 1e-3)


def config(task: Task) -> ModelConfig:
    is_regression = task == "regression"
    return ModelConfig(
        kind="classifier",
        encoder=SIZES["micro"],
        grid=TokenGrid(4, 32, 32, 2, 8),
        classes=("a", "b", "c"),
        task=task,
        target_mean=MEAN if is_regression else None,
        target_std=STD if is_regression else None,
    )


def test_one_class_is_a_distribution_and_several_are_independent() -> None:
    single = to_scores(LOGITS_BK, config("single-label"))
    several = to_scores(LOGITS_BK, config("multi-label"))

    assert torch.allclose(single.sum(dim=1), torch.ones(2))
    assert torch.equal(single, LOGITS_BK.softmax(-1))
    assert torch.allclose(several, 1 / (1 + (-LOGITS_BK).exp()))


def test_values_are_in_the_units_of_the_training_data() -> None:
    value_BK = to_scores(LOGITS_BK, config("regression"))

    assert torch.allclose(value_BK, LOGITS_BK * torch.tensor(STD) + torch.tensor(MEAN))


def test_scores_of_half_precision_are_float32() -> None:
    for task in ("single-label", "multi-label", "regression"):
        assert to_scores(LOGITS_BK.half(), config(task)).dtype == torch.float32


def test_a_folded_head_outputs_the_values_themselves() -> None:
    weights = {"head.weight": torch.randn(3, 8), "head.bias": torch.randn(3)}
    features_BD = torch.randn(5, 8)

    folded, changed = fold_units(weights, config("regression"))

    standardised_BK = features_BD @ weights["head.weight"].T + weights["head.bias"]
    value_BK = features_BD @ folded["head.weight"].T + folded["head.bias"]
    expected_BK = to_scores(standardised_BK, config("regression"))
    assert torch.allclose(to_scores(value_BK, changed), expected_BK, rtol=1e-6)
    assert changed.task == "regression" and changed.target_mean is None
    assert fold_units(weights, config("multi-label"))[0].keys() == weights.keys()
