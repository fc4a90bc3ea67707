"""A run with `train.micro_batch: auto` is the run with the number that was found, to the bit."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.e2e.test_resume_matrix import StopAt
from tests.e2e.warm import Warm
from tests.tasks.notes import Notes
from videomae_cli.cli import app
from videomae_cli.config.recipes import load_recipe
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.errors import Stopped
from videomae_cli.tasks import finetune, pretrain

FOUND = "found in"  # in the line that says what was tried


def recipe_for(recipes: Path, prepared: Path, size: int | str, *changes: str) -> PretrainRecipe:
    settings = [f"data='{prepared}'", f"train.micro_batch={size}", "schedule.steps=6", *changes]
    return load_recipe(str(recipes / "micro.yaml"), settings, "pretrain")


def assert_same(run: Path, twin: Path) -> None:
    for name in ("recipe.yaml", "metrics.jsonl", "final/model.safetensors", "final/model.json"):
        assert (run / name).read_bytes() == (twin / name).read_bytes(), name


def test_a_pretraining_with_auto_is_that_with_the_number_and_a_resume_tries_nothing(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    auto = recipe_for(recipes, prepared, "auto")
    pretrain.run(recipe_for(recipes, prepared, 4), tmp_path / "number", Notes())

    first, second = StopAt(len([1, 2, 4]) + 3), Notes()  # sizes are progress too: at step 3
    with pytest.raises(Stopped, match="at step 3 of 6"):
        pretrain.run(auto, tmp_path / "auto", first)
    pretrain.run(auto, tmp_path / "auto", second)

    assert_same(tmp_path / "auto", tmp_path / "number")
    assert first.has(f"micro-batch 4 x accumulation 1, {FOUND}")
    assert not second.has(FOUND)


@pytest.mark.slow
def test_a_finetuning_with_auto_is_that_with_the_number(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    settings = [f"data='{prepared}'", "start=scratch", "schedule.steps=2", "train.workers=0"]
    for name, size in (("auto", "auto"), ("number", "4")):
        changes = [*settings, f"train.micro_batch={size}"]
        recipe = load_recipe(str(recipes / "micro-finetune.yaml"), changes, "finetune")
        finetune.run(recipe, tmp_path / name, Notes())

    assert_same(tmp_path / "auto", tmp_path / "number")


def test_processes_find_the_same_and_share_the_batch(
    prepared: Path, recipes: Path, tmp_path: Path, warm: Warm
) -> None:
    words = ["pretrain", "--recipe", recipes / "micro.yaml", "--data", prepared]
    words += ["--set", "schedule.steps=2", "--set", "train.micro_batch=auto"]

    codes = warm.run([*words, "--out", tmp_path / "run"], world=2)

    assert codes == [0, 0], warm.text()
    assert load_recipe(str(tmp_path / "run/recipe.yaml")).train.micro_batch == 2
    assert warm.text().count(FOUND) == 1
    assert "batch 4 = 2 processes x micro-batch 2 x accumulation 1" in warm.text()


def test_a_dry_run_says_what_was_found_and_leaves_nothing(
    recipes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["pretrain", "--recipe", str(recipes / "micro.yaml"), "--dry-run"]

    assert app.run([*words, "--set", "train.micro_batch=auto"]) == 0

    shown = capsys.readouterr().out
    assert f"micro-batch 4 x accumulation 1, {FOUND}" in shown
    assert "4 = micro-batch 4 x accumulation 1 x 1 process" in shown
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_micro_batches_of_one_batch_train_the_same_weights(
    prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    # eps: AdamW divides by the root of the squared gradient, which makes rounding as large as a
    # rate where a gradient is next to nothing
    changes = ["model.drop_path=0.0", "optim.eps=1e-4"]
    weights = []
    for size in (4, 2, 1):
        run_dir = tmp_path / str(size)
        pretrain.run(recipe_for(recipes, prepared, size, *changes), run_dir, Notes())
        weights.append(load_file(run_dir / "final/model.safetensors"))

    start = tmp_path / "untrained"
    pretrain.run(recipe_for(recipes, prepared, 4, *changes, "optim.base_lr=0"), start, Notes())
    whole, *others = weights
    moved = max(
        float((whole[name] - value).abs().max())
        for name, value in load_file(start / "final/model.safetensors").items()
    )
    for other in others:
        apart = max(float((whole[name] - other[name]).abs().max()) for name in whole)
        assert apart < 1e-4 * moved
    assert not all(torch.equal(whole[name], others[-1][name]) for name in whole)
