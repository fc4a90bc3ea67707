from pathlib import Path

import pytest
import torch
from torch import nn

from videomae_cli.engine.optim import adamw, parameter_groups
from videomae_cli.engine.saving.state import (
    TrainingState,
    collect_tensors,
    read_state,
    restore_tensors,
    write_checkpoint,
)
from videomae_cli.engine.saving.store import Retention, newest_checkpoint
from videomae_cli.errors import TrainingError


def trained(steps: int, width: int = 3) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, width), nn.LayerNorm(width), nn.Linear(width, 2))
    optimizer = adamw(parameter_groups(model, weight_decay=0.1), betas=(0.9, 0.95), eps=1e-8)
    for step in range(steps):
        train_one(model, optimizer, step)
    return model, optimizer


def train_one(model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    for group in optimizer.param_groups:
        group["lr"] = 0.01
    model(torch.full((2, 4), float(step))).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def test_a_restored_run_continues_bit_for_bit(tmp_path: Path) -> None:
    model, optimizer = trained(3)
    state = TrainingState(step=3, identity={"recipe": "x"}, window={"loss": 0.1 + 0.2}, failed=1)
    path = write_checkpoint(tmp_path, state, collect_tensors(model, optimizer), keep=Retention(2))
    other_model, other_optimizer = trained(1)

    restore_tensors(path, other_model, other_optimizer)
    for step in (3, 4):
        train_one(model, optimizer, step)
        train_one(other_model, other_optimizer, step)

    assert read_state(path) == state
    for one, other in zip(model.parameters(), other_model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_newest_the_best_and_regular_checkpoints_are_kept(tmp_path: Path) -> None:
    model, optimizer = trained(1)
    best = {"step": 5.0, "top1": 0.5}

    for step in range(1, 12):
        state = TrainingState(step=step, best=best if step >= 5 else {})
        write_checkpoint(
            tmp_path, state, collect_tensors(model, optimizer), keep=Retention(2, every=4)
        )

    kept = sorted(int(path.name[5:]) for path in tmp_path.iterdir())
    assert kept == [4, 5, 8, 10, 11]


def test_a_checkpoint_of_another_model_is_refused_by_name(tmp_path: Path) -> None:
    path = write_checkpoint(
        tmp_path, TrainingState(step=1), collect_tensors(*trained(1)), keep=Retention(2)
    )

    with pytest.raises(
        TrainingError, match="step-000000001 belongs to another model: size mismatch"
    ):
        restore_tensors(path, *trained(1, width=5))


def test_a_checkpoint_that_cannot_be_written_is_a_training_error(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file where the directory should be")

    with pytest.raises(TrainingError, match="checkpoint of step 5 cannot be written"):
        write_checkpoint(
            tmp_path / "checkpoints",
            TrainingState(step=5),
            collect_tensors(*trained(1)),
            keep=Retention(2),
        )


def test_a_run_without_checkpoints_has_no_newest_checkpoint(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / "checkpoints") == (None, [])
