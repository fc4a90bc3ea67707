"""Files of Lightning: the model is read, what stands beside it is dropped with the reason."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.checkpoints.test_loading import HINTS, drawn, finetune_shapes, pretrain_shapes
from videomae_cli.checkpoints.loading import load_any_format
from videomae_cli.errors import CheckpointError

OF_TRAINING = "of a loss or a metric, not of the model"


def lightning_file(path: Path, weights: Mapping[str, Tensor]) -> Path:
    """Write what `Trainer.save_checkpoint` writes, with these weights."""
    monitor = {"monitor": "val_acc", "best_model_score": torch.tensor(0.5), "dirpath": "out"}
    content = {
        "epoch": 3,
        "global_step": 120,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": weights,
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 4}}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'val_acc'}": monitor},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": []}],
        "lr_schedulers": [{"last_epoch": 3, "_last_lr": [np.float64(1e-4)]}],
        "hparams_name": "kwargs",
        "hyper_parameters": {"lr": np.float64(1e-3), "data_root": Path("data/k400")},
    }
    torch.save(content, path)
    return path


@pytest.mark.parametrize("prefix", ["", "model.", "net.", "my_videomae."])
@pytest.mark.parametrize("shapes", [finetune_shapes(), pretrain_shapes()])
def test_tensors_of_losses_and_metrics_are_dropped_by_name(
    tmp_path: Path, prefix: str, shapes: dict[str, tuple[int, ...]]
) -> None:
    weights = drawn(shapes)
    beside = {
        "criterion.weight": torch.ones(400),
        "loss_fn.pos_weight": torch.ones(1),
        "train_loss.mean_value": torch.zeros(()),
        "val_acc.tp": torch.zeros(400, dtype=torch.long),
        "val_metrics.MulticlassAccuracy.fn": torch.zeros(400, dtype=torch.long),
        "cls_criterion.confmat": torch.zeros(4, 4, dtype=torch.long),
    }
    named = {prefix + name: tensor for name, tensor in weights.items()} | beside
    expected = load_any_format(lightning_file(tmp_path / "plain.ckpt", weights), HINTS)

    loaded = load_any_format(lightning_file(tmp_path / "x.ckpt", named), HINTS)

    assert loaded.weights.keys() == expected.weights.keys()
    assert all(torch.equal(loaded.weights[n], t) for n, t in expected.weights.items())
    added = {n: r for n, r in loaded.report.dropped.items() if n not in expected.report.dropped}
    assert added == dict.fromkeys(beside, OF_TRAINING)
    assert loaded.report.dropped["hyper_parameters"] == "not weights"


def test_other_parts_of_a_program_are_dropped_with_the_prefix_of_the_model(tmp_path: Path) -> None:
    weights = drawn(finetune_shapes())
    parts = {
        "projector.0.weight": torch.ones(8, 8),
        "teacher_head.bias": torch.ones(8),
        "temperature": torch.ones(()),
        "ema_model.head.bias": torch.ones(400),
    }
    named = {f"model.{name}": tensor for name, tensor in weights.items()} | parts

    loaded = load_any_format(lightning_file(tmp_path / "x.ckpt", named), HINTS)

    assert torch.equal(loaded.weights["head.bias"], weights["head.bias"])
    reasons = {name: loaded.report.dropped[name] for name in parts}
    assert reasons == dict.fromkeys(parts, "outside model.*, which is the model")
    assert any("not used: ema_model.head.bias, projector.0" in s for s in loaded.report.assumed)


@pytest.mark.parametrize(
    "named",
    [
        {"student.": 0, "teacher.": 1},  # two models of the same size
        {"encoder.": 0, "adapter.": None},  # an unknown part inside an unknown model
    ],
)
def test_what_is_the_model_is_not_guessed(tmp_path: Path, named: dict[str, int | None]) -> None:
    weights: dict[str, Tensor] = {}
    for prefix, seed in named.items():
        part = {"x": torch.ones(1)} if seed is None else drawn(finetune_shapes(), seed=seed)
        weights |= {prefix + name: tensor for name, tensor in part.items()}

    with pytest.raises(CheckpointError, match="unknown format"):
        load_any_format(lightning_file(tmp_path / "x.ckpt", weights), HINTS)


def test_an_unknown_tensor_of_the_model_is_refused_still(tmp_path: Path) -> None:
    weights = drawn(finetune_shapes()) | {"blocks.0.adapter.weight": torch.ones(4)}
    named = {f"model.{name}": tensor for name, tensor in weights.items()}

    with pytest.raises(CheckpointError, match=r"no rule for blocks\.0\.adapter\.weight"):
        load_any_format(lightning_file(tmp_path / "x.ckpt", named), HINTS)


def test_a_file_of_nothing_but_metrics_is_refused(tmp_path: Path) -> None:
    file = lightning_file(tmp_path / "x.ckpt", {"val_acc.tp": torch.zeros(4)})

    with pytest.raises(CheckpointError, match=r"the tensors are val_acc\.tp"):
        load_any_format(file, HINTS)
