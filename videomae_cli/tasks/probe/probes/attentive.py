"""Probe: a learned query that attends over the tokens of a video, and a linear layer.

Shapes: V videos, N tokens, D feature dimension, H heads, K outputs.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from videomae_cli.rng import stream_seed
from videomae_cli.tasks.probe.folds import make_folds
from videomae_cli.tasks.probe.samples import Floats, Target

HEADS = 4
STEPS_AT_ONCE = 2  # of L-BFGS, between two checks of the validation loss
ROUNDS, ROUNDS_WITHOUT_VALIDATION = 60, 5
PATIENCE = 8  # rounds
PENALTY = 1e-3  # times the sum of the squared weights of the output layer
INNER_FOLDS = 5  # one of them is for validation


class AttentivePooler(nn.Module):
    """One query, H heads and a linear layer: feature_VND -> output_VK.

    The query is a constant, so the product of query and key projection is one vector of D values
    for each head; value projection and output layer are linear, so they are one matrix. This is the
    cross-attention pooler of attentive probes, without weights that change nothing.
    """

    def __init__(self, dim: int, bias_K: Tensor, generator: torch.Generator) -> None:
        super().__init__()
        self.query_HD = nn.Parameter(0.02 * torch.randn(HEADS, dim, generator=generator))
        self.output = nn.Linear(HEADS * dim, len(bias_K))
        nn.init.zeros_(self.output.weight)
        with torch.no_grad():
            self.output.bias.copy_(bias_K)

    def forward(self, feature_VND: Tensor) -> Tensor:
        """Return output_VK: logits, or the values of a regression."""
        dim = feature_VND.shape[-1]
        attention_VNH = (feature_VND @ self.query_HD.T / dim**0.5).softmax(dim=1)
        pooled_VHD = attention_VNH.transpose(1, 2) @ feature_VND
        output_VK: Tensor = self.output(pooled_VHD.flatten(1))
        return output_VK


def fit_predict(train_feature: Floats, train: Target, test_feature: Floats, *, seed: int) -> Floats:
    """Return output_VK of an attentive pooler on features (V, N, D); (V, D) counts as one token.

    It is trained on the CPU with L-BFGS, on all videos in each step. One fifth of the training part
    (whole sources) is for validation; the weights with the lowest loss on it are used. A training
    part that is too small to be divided takes 10 steps. L-BFGS needs no learning rate; Adam moves
    the weights of noise as fast as those of the signal at first, and overfits small sets at once.
    """
    train_VND, test_VND = _standardise(train_feature, test_feature)
    generator = torch.Generator().manual_seed(stream_seed(seed, "probe", "attentive"))
    goal, center_K, scale_K = _goal(train)
    pooler = AttentivePooler(train_VND.shape[-1], _constant_output(train), generator)
    folds = make_folds(train, seed, most=INNER_FOLDS)
    validation = folds[0] if folds else np.empty(0, dtype=np.int64)
    rest = np.setdiff1d(np.arange(train.videos), validation)
    with torch.enable_grad():
        _fit(pooler, train_VND, goal, train, torch.from_numpy(rest), torch.from_numpy(validation))
    with torch.inference_mode():
        output_VK = pooler(test_VND)
    if train.task == "single-label":
        output_VK = output_VK.softmax(dim=1)
    elif train.task == "multi-label":
        output_VK = output_VK.sigmoid()
    else:
        output_VK = output_VK * scale_K + center_K
    output: Floats = output_VK.numpy().astype(np.float32)
    return output


def _standardise(train_feature: Floats, test_feature: Floats) -> tuple[Tensor, Tensor]:
    """Return both as (V, N, D), each dimension with mean 0 and variance 1 on the training part."""
    train_VND, test_VND = (
        torch.from_numpy(np.ascontiguousarray(each, dtype=np.float32)).reshape(
            len(each), -1, each.shape[-1]
        )
        for each in (train_feature, test_feature)
    )
    std_D, mean_D = torch.std_mean(train_VND, dim=(0, 1), correction=0)
    std_D = std_D.where(std_D > 0, 1)
    return (train_VND - mean_D) / std_D, (test_VND - mean_D) / std_D


def _goal(train: Target) -> tuple[Tensor, Tensor, Tensor]:
    """Return the labels, or the target_VK (standardised for a regression), its mean and std."""
    goal = torch.from_numpy(np.ascontiguousarray(train.value))
    if train.task == "single-label":
        return goal, torch.zeros(1), torch.ones(1)
    goal = goal.float().reshape(train.videos, train.size)
    if train.task == "multi-label":
        return goal, torch.zeros(1), torch.ones(1)
    scale_K, center_K = torch.std_mean(goal, dim=0, correction=0)
    scale_K = scale_K.where(scale_K > 0, 1)
    return (goal - center_K) / scale_K, center_K, scale_K


def _constant_output(train: Target) -> Tensor:
    """Return the output that fits the training part best without features: logits, or zeros.

    Half a video is added to each count: a class that does not occur is improbable, not impossible.
    """
    if train.task == "regression":
        return torch.zeros(train.size)
    count_K = torch.from_numpy(train.as_matrix().sum(axis=0)).float() + 0.5
    if train.task == "single-label":
        return (count_K / count_K.sum()).log()
    return (count_K / (train.videos + 1)).logit()


def _loss(train: Target, output_VK: Tensor, goal: Tensor) -> Tensor:
    if train.task == "single-label":
        return functional.cross_entropy(output_VK, goal)
    if train.task == "multi-label":
        return functional.binary_cross_entropy_with_logits(output_VK, goal)
    return functional.mse_loss(output_VK, goal)


def _fit(
    pooler: AttentivePooler,
    feature_VND: Tensor,
    goal: Tensor,
    train: Target,
    rest: Tensor,
    validation: Tensor,
) -> None:
    """Train on the rows `rest`; keep the weights with the lowest loss on the rows `validation`."""
    optimizer = torch.optim.LBFGS(
        pooler.parameters(), max_iter=STEPS_AT_ONCE, line_search_fn="strong_wolfe"
    )

    def compute_loss() -> Tensor:
        optimizer.zero_grad()
        loss = _loss(train, pooler(feature_VND[rest]), goal[rest])
        loss = loss + PENALTY * pooler.output.weight.square().sum()
        torch.autograd.backward(loss)
        return loss

    best_loss, best_round, best = float("inf"), 0, None
    for number in range(ROUNDS if len(validation) else ROUNDS_WITHOUT_VALIDATION):
        optimizer.step(compute_loss)  # type: ignore[no-untyped-call]
        if not len(validation):
            continue
        with torch.no_grad():
            loss = float(_loss(train, pooler(feature_VND[validation]), goal[validation]))
        if loss < best_loss:
            best_loss, best_round = loss, number
            best = {name: value.clone() for name, value in pooler.state_dict().items()}
        elif number - best_round >= PATIENCE:
            break
    if best is not None:
        pooler.load_state_dict(best)
