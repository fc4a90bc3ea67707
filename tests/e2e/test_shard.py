"""A model split over two processes learns what it learns whole, and leaves whole files behind."""

import json
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch import Tensor

from tests.e2e.warm import Warm, wait
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.engine.saving.store import newest_checkpoint
from videomae_cli.errors import RecipeError

FREE_OF_CHANCE = (
    "--set",
    "model.drop_path=0.0",
    "--set",
    "train.batch=8",
    "--set",
    "train.ema=0.9",
)
Words = list[str | Path]


def words_for(kind: str, recipes: Path, prepared: Path) -> Words:
    name = {"pretrain": "micro", "finetune": "micro-finetune"}[kind]
    return [kind, "--recipe", recipes / f"{name}.yaml", "--data", prepared, *FREE_OF_CHANCE]


def split_and_whole(words: Words, folder: Path, warm: Warm) -> None:
    """Train on two processes, the model whole on each and split over both."""
    for name, change in (("whole", "train.shard=false"), ("split", "train.shard=true")):
        codes = warm.run([*words, "--set", change, "--out", folder / name], world=2)
        assert codes == [0, 0], warm.text()


def tensors_of(run: Path) -> dict[str, Tensor]:
    """Return all tensors that a run leaves behind: the newest save's and the final weights."""
    save, _ = newest_checkpoint(run / "checkpoints")
    assert save is not None
    files = [*save.glob("*.safetensors"), run / "final/model.safetensors"]
    return {f"{f.parent.name}/{f.name}/{k}": v for f in files for k, v in load_file(f).items()}


def furthest(run: Path, twin: Path) -> float:
    """Return the largest difference between what two runs have left behind."""
    mine, other = tensors_of(run), tensors_of(twin)
    assert {k: v.shape for k, v in mine.items()} == {k: v.shape for k, v in other.items()}
    return max(float((mine[name] - other[name]).abs().max()) for name in mine)


def test_pretraining_is_that_of_a_whole_model_and_goes_on_on_one_process(
    recipes: Path, prepared: Path, tmp_path: Path, warm: Warm
) -> None:
    split_and_whole(words_for("pretrain", recipes, prepared), tmp_path, warm)
    assert furthest(tmp_path / "split", tmp_path / "whole") == 0.0
    mine, other = (read_metrics(tmp_path / n / "metrics.jsonl") for n in ("split", "whole"))
    for name in ("loss", "grad_norm", "rank", "spread"):
        assert mine[0][name] == pytest.approx(other[0][name], rel=1e-5), name

    for late in (tmp_path / "split").glob("checkpoints/step-*12"):
        late.rename(tmp_path / "set aside")
    assert warm.run(["pretrain", "--resume", tmp_path / "split"]) == [0], warm.text()

    assert "saved on 2 processes, resuming on 1" in warm.text()
    assert 0.0 < furthest(tmp_path / "split", tmp_path / "whole") < 1e-6


@pytest.mark.slow
def test_it_resumes_to_the_bit(recipes: Path, prepared: Path, tmp_path: Path, warm: Warm) -> None:
    words = [*words_for("pretrain", recipes, prepared), "--set", "train.shard=true"]
    for change in ("schedule.steps=60", "train.save_every_steps=2", "train.recompute=true"):
        words += ["--set", change]
    assert warm.run([*words, "--out", tmp_path / "whole"], world=2) == [0, 0], warm.text()

    ranks = warm.start([*words, "--out", tmp_path / "parts"], world=2)
    while not (tmp_path / "parts/checkpoints/step-000000008").is_dir():
        assert all(rank.is_alive() for rank in ranks), warm.text()
        time.sleep(0.01)
    ranks[1].terminate()
    assert [wait(rank) for rank in ranks] == [75, 75], warm.text()
    assert warm.run(["pretrain", "--resume", tmp_path / "parts"], world=2) == [0, 0], warm.text()

    assert furthest(tmp_path / "parts", tmp_path / "whole") == 0.0
    logs = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("parts", "whole")]
    assert logs[0] == logs[1]


@pytest.mark.slow
def test_fine_tuning_with_clipping_average_and_validation(
    recipes: Path, prepared: Path, tmp_path: Path, warm: Warm
) -> None:
    words = [*words_for("finetune", recipes, prepared), "--set", "start=scratch"]
    words += ["--set", "model.head_dropout=0.0", "--set", "optim.clip_grad=0.1"]
    split_and_whole(words, tmp_path, warm)

    # the norm that clips is a sum in another order, so the last digits differ
    assert furthest(tmp_path / "split", tmp_path / "whole") < 1e-6
    mine, other = (read_metrics(tmp_path / n / "metrics.jsonl")[-2:] for n in ("split", "whole"))
    for line, twin in zip(mine, other, strict=True):
        assert line.keys() == twin.keys()
        assert line == pytest.approx(twin, rel=1e-4)


@pytest.mark.slow
def test_a_crash_leaves_its_record(
    recipes: Path, prepared: Path, tmp_path: Path, warm: Warm
) -> None:
    words = [*words_for("pretrain", recipes, prepared), "--out", tmp_path / "run"]
    for change in ("shard=true", "nonfinite_budget=0", "precision=bf16"):
        words += ["--set", f"train.{change}"]
    codes = warm.run([*words, "--set", "optim.base_lr=1e30"], world=2)

    assert codes == [5, 5], warm.text()
    record = json.loads(next((tmp_path / "run").glob("crash-step-*.json")).read_text())
    assert record["weights_not_finite"] or record["gradients_not_finite"]
    assert {part["rank"] for part in record["micro_batches"]} == {0, 1}


@pytest.mark.parametrize("other", ["train.compile=true", "train.precision=fp16"])
def test_what_it_does_not_go_together_with(other: str, recipes: Path) -> None:
    with pytest.raises(RecipeError, match="shard does not support"):
        load_recipe(str(recipes / "micro.yaml"), ["train.shard=true", other], "pretrain")
