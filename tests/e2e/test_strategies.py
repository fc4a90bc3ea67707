"""Every masking strategy takes the whole walk, and survives being killed on the way."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.e2e.warm import Warm, wait
from videomae_cli.cli import app

# on the micro recipe: 2 slices of 4 x 4 tokens
STRATEGIES = {
    "random": ["mask.strategy=random"],
    "time": ["mask.strategy=time", "mask.ratio=0.5"],
    "dual": ["mask.targets=running-cell", "mask.targets_ratio=0.5"],
    "motion": ["mask.strategy=motion", "mask.pool=0.5"],
    "pixels": ["mask.strategy=motion", "mask.pool=0.5", "mask.source=pixels"],
    "frames": ["mask.strategy=motion", "mask.pool=0.5", "clip.oversample=2", "augment.repeats=2"],
}
DEFAULT = {"frames"}  # the others are marked slow


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As many threads here as in the process that is killed: sums depend on them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def words_for(prepared: Path, recipes: Path, name: str, *more: str) -> list[str]:
    words = ["pretrain", "--recipe", str(recipes / "micro.yaml"), "--data", str(prepared)]
    for override in [*STRATEGIES[name], *more]:
        words += ["--set", override]
    return words


@pytest.mark.parametrize(
    "name", [n if n in DEFAULT else pytest.param(n, marks=pytest.mark.slow) for n in STRATEGIES]
)
def test_a_killed_run_goes_on_bit_for_bit(
    name: str, prepared: Path, recipes: Path, tmp_path: Path, warm: Warm
) -> None:
    words = words_for(prepared, recipes, name, "schedule.steps=40", "train.workers=1")
    assert app.run([*words, "--out", str(tmp_path / "whole")]) == 0

    killed = tmp_path / "killed"
    (process,) = warm.start([*words, "--out", killed])
    deadline = time.monotonic() + 90
    while not (killed / "checkpoints/step-000000010").exists():
        assert process.is_alive() and time.monotonic() < deadline, warm.text()
        time.sleep(0.01)
    process.kill()
    assert wait(process) == -signal.SIGKILL
    assert app.run(["pretrain", "--resume", str(killed)]) == 0

    for file in ("metrics.jsonl", "final/model.safetensors"):
        assert (killed / file).read_bytes() == (tmp_path / "whole" / file).read_bytes(), file


@pytest.mark.parametrize("more", [[], ["clip.oversample=2"]], ids=["tokens", "tokens and slices"])
def test_selection_travels_with_the_checkpoint(
    more: list[str], prepared: Path, recipes: Path, tmp_path: Path
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    assert app.run([*words_for(prepared, recipes, "motion"), "--out", str(before)]) == 0
    words = ["finetune", "--recipe", str(recipes / "micro-finetune.yaml"), "--data", str(prepared)]
    for override in ["select.strategy=motion", "select.pool=0.5", *more]:
        words += ["--set", override]

    assert app.run([*words, "--checkpoint", str(before), "--out", str(after)]) == 0
    assert app.run(["eval", "--checkpoint", str(after)]) == 0

    config = json.loads((after / "final/model.json").read_text())
    assert config["select"] == {"strategy": "motion", "pool": 0.5, "source": "online"}
    assert config["oversample"] == (2.0 if more else 1.0)
    assert json.loads((after / "eval/val-2x3/result.json").read_text())["videos"] == 6
