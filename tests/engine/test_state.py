import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from videomae_cli.engine import state as saves
from videomae_cli.engine.optim import adamw, parameter_groups
from videomae_cli.engine.state import State
from videomae_cli.errors import TrainingError


def trained(steps: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Linear(3, 2))
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


def test_a_restored_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    model, optimizer = trained(3)
    where = State(step=3, identity={"recipe": "x"}, window={"loss": 0.1 + 0.2}, failed=1)
    path = saves.save(tmp_path, where, model, optimizer, keep=2)
    other_model, other_optimizer = trained(1)

    saves.restore(path, other_model, other_optimizer)
    for step in (3, 4):
        train_one(model, optimizer, step)
        train_one(other_model, other_optimizer, step)

    assert saves.read(path) == where
    for mine, other in zip(model.parameters(), other_model.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_the_newest_saves_are_kept_and_no_others(tmp_path: Path) -> None:
    model, optimizer = trained(1)

    for step in (1, 2, 3, 4):
        saves.save(tmp_path, State(step=step), model, optimizer, keep=2)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000003", "step-000000004"]


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "flipped"])
def test_a_damaged_save_is_named_and_the_one_before_is_taken(
    tmp_path: Path, name: str, damage: str
) -> None:
    model, optimizer = trained(1)
    older = saves.save(tmp_path, State(step=1), model, optimizer, keep=2)
    file = saves.save(tmp_path, State(step=2), model, optimizer, keep=2) / name
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(content[:-5])
    else:
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])

    found, problems = saves.newest(tmp_path)

    assert found == older
    assert len(problems) == 1
    assert "step-000000002" in problems[0]


def test_a_save_that_was_cut_short_is_invisible_and_is_written_again(tmp_path: Path) -> None:
    model, optimizer = trained(1)
    whole = saves.save(tmp_path, State(step=1), model, optimizer, keep=2)
    shutil.copytree(whole, tmp_path / "step-000000002.partial")

    assert saves.newest(tmp_path) == (whole, [])

    again = saves.save(tmp_path, State(step=2), model, optimizer, keep=2)
    assert saves.newest(tmp_path) == (again, [])
    assert not list(tmp_path.glob("*.partial"))


def test_nothing_saved_means_nothing_found(tmp_path: Path) -> None:
    assert saves.newest(tmp_path / "checkpoints") == (None, [])


def test_a_disk_that_refuses_is_a_training_error(tmp_path: Path) -> None:
    model, optimizer = trained(1)
    (tmp_path / "checkpoints").write_text("a file where the directory should be")

    with pytest.raises(TrainingError, match="could not save step 5"):
        saves.save(tmp_path / "checkpoints", State(step=5), model, optimizer, keep=2)


def test_the_marker_holds_the_size_and_hash_of_every_other_file(tmp_path: Path) -> None:
    model, optimizer = trained(1)

    path = saves.save(tmp_path, State(step=1), model, optimizer, keep=2)

    sealed = json.loads((path / "state.json").read_text())["files"]
    assert set(sealed) == {file.name for file in path.iterdir()} - {"state.json"}
    assert all(sealed[name]["bytes"] == (path / name).stat().st_size for name in sealed)
