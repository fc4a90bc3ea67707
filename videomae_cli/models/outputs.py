"""Turn the outputs of a classifier into scores, in the one way that every command uses.

Shapes: B clips or views, K classes or values.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from videomae_cli.config.model_config import ModelConfig


def to_scores(logits_BK: Tensor, config: ModelConfig) -> Tensor:
    """Return the scores of a classifier's outputs, score_BK in float32.

    `single-label`: the softmax, probabilities with sum 1; `multi-label`: the sigmoid, a probability
    for each class; `regression`: the values in the units of the training data.
    """
    output_BK = logits_BK.float()
    if config.task == "multi-label":
        return output_BK.sigmoid()
    if config.task == "regression":
        return to_units(output_BK, config)
    return output_BK.softmax(dim=-1)


def to_units(output_BK: Tensor, config: ModelConfig) -> Tensor:
    """Return the values that standardised outputs stand for: output * std + mean."""
    if config.target_mean is None or config.target_std is None:
        return output_BK
    mean_K, std_K = (
        torch.tensor(values, dtype=output_BK.dtype, device=output_BK.device)
        for values in (config.target_mean, config.target_std)
    )
    return output_BK * std_K + mean_K


def fold_units(
    weights: Mapping[str, Tensor], config: ModelConfig
) -> tuple[dict[str, Tensor], ModelConfig]:
    """Return weights whose head outputs values in the units of the training data, and the config.

    For files that cannot store the mean and the standard deviation of the values.
    """
    if config.target_mean is None or config.target_std is None:
        return dict(weights), config
    mean_K, std_K = (torch.tensor(v).double() for v in (config.target_mean, config.target_std))
    weight_KD, bias_K = weights["head.weight"], weights["head.bias"]
    heads = {
        "head.weight": (weight_KD.double() * std_K[:, None]).to(weight_KD.dtype),
        "head.bias": (bias_K.double() * std_K + mean_K).to(bias_K.dtype),
    }
    update = {"target_mean": None, "target_std": None}
    return {**weights, **heads}, config.model_copy(update=update)
