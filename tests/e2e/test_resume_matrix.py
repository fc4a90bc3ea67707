"""Stopped anywhere and gone on with, a run is the run that nobody touched: to the last bit.

In this process a report sends the signal when its step has come; several ranks are forked from a
warm process. 14 clips in batches of 2 are 7 steps an epoch.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.e2e.warm import Warm, left_of, wait
from tests.notes import Notes
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.data.dataset import PretrainClips
from videomae_cli.data.loader import Order, Share, load_train_batches
from videomae_cli.data.manifest import read_manifest
from videomae_cli.engine.distributed.lock import lock_directory
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.engine.saving.store import newest_checkpoint
from videomae_cli.errors import Stopped, TrainingError, UsageError
from videomae_cli.tasks import run_dir as runs
from videomae_cli.tasks.evaluate import evaluate
from videomae_cli.tasks.evaluate.options import EvalOptions
from videomae_cli.tasks.train import finetune, pretrain

SAVED = ("model.safetensors", "optimizer.safetensors", "state.json", "manifest.json")
STOPS = {
    "in the middle of an epoch": [4],
    "twice in one epoch": [8, 11],
    "in the first step": [1],
    "at an epoch's end": [7, 14],
    "before the last step": [14],
    "after the last step": [15],
}


class StopAt(Notes):
    """Sends its own process a signal when a step is done."""

    def __init__(self, step: int, number: int = signal.SIGTERM) -> None:
        super().__init__()
        self.left, self.number = step, number

    def start(self, title: str, *, total: int, done: int = 0, unit: str = "step") -> None:
        self.left -= done

    def advance(self, amount: int = 1, *, figures: str = "") -> None:
        self.left -= amount
        if self.left == 0:
            os.kill(os.getpid(), self.number)


def recipe_for(recipes: Path, prepared: Path, *changes: str) -> PretrainRecipe:
    settings = ["schedule.steps=15", "train.batch=2", "train.micro_batch=1", "train.keep=2"]
    by_key = {text.split("=")[0]: text for text in (*settings, f"data='{prepared}'", *changes)}
    return load_recipe(str(recipes / "micro.yaml"), list(by_key.values()), "pretrain")


@pytest.fixture(scope="module")
def whole(recipes: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the untouched run. Workers change nothing, so it is the twin of all."""
    run_dir = tmp_path_factory.mktemp("whole")
    pretrain.run(recipe_for(recipes, prepared), run_dir, Notes())
    return run_dir


def assert_same(run: Path, twin: Path, *, but: tuple[str, ...] = ()) -> None:
    last, _ = newest_checkpoint(twin / "checkpoints")
    assert last is not None
    names = [f"checkpoints/{last.name}/{name}" for name in SAVED if name not in but]
    for name in ["metrics.jsonl", *names]:
        assert (run / name).read_bytes() == (twin / name).read_bytes(), name
    weights = [load_file(each / "final/model.safetensors") for each in (run, twin)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("stops", STOPS.values(), ids=STOPS.keys())
def test_one_process(
    stops: list[int], workers: int, whole: Path, recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    recipe = recipe_for(recipes, prepared, f"train.workers={workers}")

    for step in stops:
        if step < 15:
            with pytest.raises(Stopped, match=f"at step {step} of 15") as stopped:
                pretrain.run(recipe, tmp_path, StopAt(step))
            assert stopped.value.exit_code == 75
        else:
            pretrain.run(recipe, tmp_path, StopAt(step))  # too late: there is nothing to go on with
    pretrain.run(recipe, tmp_path, Notes())

    assert_same(tmp_path, whole)


@pytest.mark.parametrize(
    "change",
    [
        "train.recompute=true",
        "train.ema=0.9",
        "train.precision=bf16",
        "augment.resize=torch",
        "augment.color_mix=0.5",
        pytest.param("train.compile=true", marks=pytest.mark.slow),
    ],
)
def test_options_resume_to_the_bit(
    change: str, whole: Path, recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    recipe = recipe_for(recipes, prepared, change)
    pretrain.run(recipe, tmp_path / "whole", Notes())

    with pytest.raises(Stopped):
        pretrain.run(recipe, tmp_path / "parts", StopAt(9))
    pretrain.run(recipe, tmp_path / "parts", Notes())

    assert_same(tmp_path / "parts", tmp_path / "whole")
    plain, other = ((each / "metrics.jsonl").read_text() for each in (whole, tmp_path / "whole"))
    assert (plain == other) == (change in ("train.recompute=true", "train.ema=0.9"))


def test_the_average_is_what_is_validated_and_written(
    recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    settings = [f"data='{prepared}'", "start=scratch", "train.workers=0", "train.ema=0.9"]
    recipe = load_recipe(str(recipes / "micro-finetune.yaml"), settings, "finetune")

    finetune.run(recipe, tmp_path, Notes())

    save, _ = newest_checkpoint(tmp_path / "checkpoints")
    assert save is not None
    final = load_file(tmp_path / "final/model.safetensors")
    average, last = (load_file(save / f"{name}.safetensors") for name in ("average", "model"))
    assert all(torch.equal(final[name], average[f"classifier.{name}"]) for name in final)
    assert not torch.equal(final["head.weight"], last["classifier.head.weight"])
    scored = evaluate.run(
        tmp_path / "final",
        Notes(),
        EvalOptions(split="val", clips=1, crops=1, precision="fp32"),
    )
    logged = read_metrics(tmp_path / "metrics.jsonl")[-1]
    assert logged["val_loss"] == pytest.approx(scored.metrics["loss"], rel=1e-6)


@pytest.mark.slow
def test_two_processes(recipes: Path, prepared: Path, tmp_path: Path, warm: Warm) -> None:
    words: list[str | Path] = ["pretrain", "--recipe", recipes / "micro.yaml", "--data", prepared]
    for change in ("schedule.steps=120", "train.save_every_steps=2", "train.workers=1"):
        words += ["--set", change]
    assert warm.run([*words, "--out", tmp_path / "whole"], world=2) == [0, 0], warm.text()

    command = [*words, "--out", tmp_path / "parts"]
    for step in (8, 11):
        ranks = warm.start(command, world=2)
        while not (tmp_path / f"parts/checkpoints/step-{2 * step:09d}").is_dir():
            assert all(rank.is_alive() for rank in ranks), warm.text()
            time.sleep(0.01)
        ranks[0].terminate()  # one is enough: they agree
        assert [wait(rank) for rank in ranks] == [75, 75], warm.text()
        assert [left_of(rank) for rank in ranks] == [[], []]
        command = ["pretrain", "--resume", tmp_path / "parts"]
    assert warm.run(command, world=2) == [0, 0], warm.text()

    assert_same(tmp_path / "parts", tmp_path / "whole")


def test_any_world_size_sees_the_same_clips_and_masks_and_learns_the_same(
    recipes: Path, prepared: Path, tmp_path: Path, warm: Warm
) -> None:
    words: list[str | Path] = ["pretrain", "--recipe", recipes / "micro.yaml", "--data", prepared]
    for change in ("train.batch=8", "schedule.steps=10", "model.drop_path=0.0"):
        words += ["--set", change]
    for world in (1, 2):
        codes = warm.run([*words, "--out", tmp_path / str(world)], world=world)
        assert codes == [0] * world, warm.text()

    assert "1 process x micro-batch 2 x accumulation 4" in warm.text()
    assert "2 processes x micro-batch 2 x accumulation 2" in warm.text()
    one, two = (load_file(tmp_path / name / "final/model.safetensors") for name in "12")
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-6
    recipe = load_recipe(str(tmp_path / "1/recipe.yaml"), [], "pretrain")
    seen = [_seen(recipe, world, world_micro) for world, world_micro in ((1, 4), (2, 2))]
    np.testing.assert_array_equal(seen[0][0], seen[1][0])
    assert torch.equal(seen[0][1], seen[1][1])


def _seen(
    recipe: PretrainRecipe, world: int, accumulation: int
) -> tuple[list[list[int]], torch.Tensor]:
    """Return the sample numbers of each step, and all mask noise, over all ranks."""
    manifest = read_manifest(recipe.data)
    clips = PretrainClips(
        manifest.split("train"), manifest.root, recipe.clip, recipe.augment, recipe.seed
    )
    order = Order(len(clips), 8, recipe.seed)
    ranks = [
        load_train_batches(
            clips, order, Share(2, accumulation, rank, world), start_step=0, stop_step=10, workers=0
        )
        for rank in range(world)
    ]
    indices, noise = [], []
    for steps in zip(*ranks, strict=True):
        micros = [micro for rank in steps for micro in rank]
        indices.append([int(i) for micro in micros for i in micro.indices])
        noise += [micro.noise for micro in micros]
    return indices, torch.cat(noise)


def test_a_damaged_newest_save_is_named_and_the_run_ends_the_same(
    whole: Path, recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    recipe, notes = recipe_for(recipes, prepared), Notes()
    with pytest.raises(Stopped):
        pretrain.run(recipe, tmp_path, StopAt(12))
    file = tmp_path / "checkpoints/step-000000012/optimizer.safetensors"
    file.write_bytes(file.read_bytes()[:-1])

    pretrain.run(recipe, tmp_path, notes)

    assert any(
        "optimizer.safetensors has" in line and "step-000000010" in line for line in notes.warned
    )
    assert_same(tmp_path, whole)


def test_a_run_whose_saves_are_all_damaged_does_not_start_over(
    whole: Path, recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / "run")
    for save in (tmp_path / "run/checkpoints").iterdir():
        (save / "state.json").unlink()

    with pytest.raises(
        TrainingError, match=r"none of 2 checkpoints can be used:\n.*state.json is missin"
    ):
        pretrain.run(recipe_for(recipes, prepared), tmp_path / "run", Notes())


def test_what_decides_no_number_may_change_on_resume(
    whole: Path, recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(prepared, moved)
    with pytest.raises(Stopped):
        pretrain.run(recipe_for(recipes, prepared), tmp_path / "run", StopAt(4))

    changes = [f"data='{moved}'", "train.workers=1", "train.keep=3"]
    pretrain.run(recipe_for(recipes, prepared, *changes), tmp_path / "run", Notes())

    assert_same(tmp_path / "run", whole)


@pytest.mark.parametrize(
    ("name", "was"), [("data", "another manifest"), ("decoders", "decord2 0.1"), ("init", "others")]
)
def test_what_decides_numbers_may_not_change_on_resume(
    name: str, was: str, whole: Path, recipes: Path, prepared: Path
) -> None:
    save, _ = newest_checkpoint(whole / "checkpoints")
    assert save is not None
    now = json.loads((save / "state.json").read_text())["identity"]

    from videomae_cli.tasks.train.resume import require_same_identity

    require_same_identity(now, now, save)
    with pytest.raises(TrainingError, match=f"{name} changed since .*{was}") as caught:
        require_same_identity({**now, name: was}, now, save)
    assert "--fork" in caught.value.hint


def test_a_fork_goes_on_under_another_recipe_and_leaves_its_run_alone(
    whole: Path, recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    recipe = recipe_for(recipes, prepared, "schedule.steps=18", "optim.base_lr=0.01")
    with pytest.raises(TrainingError, match=r"other values of optim\.base_lr, schedule"):
        pretrain.run(recipe, whole, Notes())

    notes = StopAt(16)
    with pytest.raises(Stopped):
        pretrain.run(recipe, tmp_path, notes, whole)
    pretrain.run(recipe, tmp_path, Notes())

    assert notes.has("changed: optim.base_lr: 0.02 -> 0.01")
    assert notes.has("changed: schedule.steps: 15 -> 18")
    assert notes.has("forked from")
    assert json.loads((tmp_path / "fork.json").read_text())["save"] == "step-000000015"
    old, new = ((each / "metrics.jsonl").read_text() for each in (whole, tmp_path))
    assert new.startswith(old) and len(new.splitlines()) == len(old.splitlines()) + 1
    after = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    assert {path for path in before if before[path] != after[path]} == set()


def test_a_fork_that_cannot_work_is_refused(
    whole: Path, recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="belongs to another model"):
        changed = recipe_for(recipes, prepared, "schedule.steps=20", "model.decoder.dim=16")
        pretrain.run(changed, tmp_path / "wider", Notes(), whole)
    with pytest.raises(TrainingError, match="beyond the 5 steps"):
        changed = recipe_for(recipes, prepared, "schedule.steps=5")
        pretrain.run(changed, tmp_path / "shorter", Notes(), whole)
    with pytest.raises(UsageError, match="--fork needs both"):
        runs.choose_run_dir("x", out=None, resume=whole, is_fork=True)
    with pytest.raises(UsageError, match="a resumed run stays"):
        runs.choose_run_dir("x", out=tmp_path / "x", resume=whole, is_fork=False)


def test_two_runs_on_one_directory_are_told_apart(
    recipes: Path, prepared: Path, tmp_path: Path, warm: Warm
) -> None:
    words = ["pretrain", "--recipe", recipes / "micro.yaml", "--data", prepared]
    words += ["--set", "schedule.steps=4000"]
    (first,) = warm.start([*words, "--out", tmp_path / "run"])
    while not (tmp_path / "run/metrics.jsonl").is_file():
        assert first.is_alive(), warm.text()
        time.sleep(0.01)

    assert warm.run(["pretrain", "--resume", tmp_path / "run"]) == [5]

    assert f"in use by another run (process {first.pid} on" in warm.text()
    first.terminate()
    assert wait(first) == 75


def test_a_signal_cuts_an_evaluation_short_and_the_resume_makes_up_for_it(
    recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    settings = [f"data='{prepared}'", "start=scratch", "train.workers=0"]
    recipe = load_recipe(str(recipes / "micro-finetune.yaml"), settings, "finetune")
    finetune.run(recipe, tmp_path / "whole", Notes())

    for step in (3, 6):  # noted after the step, so the validation that is due meets it first
        with pytest.raises(Stopped, match=f"at step {step} of 8"):
            finetune.run(recipe, tmp_path / "parts", StopAt(step))
        save, _ = newest_checkpoint(tmp_path / "parts/checkpoints")
        assert save is not None and json.loads((save / "state.json").read_text())["is_due"]
    finetune.run(recipe, tmp_path / "parts", Notes())

    assert_same(tmp_path / "parts", tmp_path / "whole")


@pytest.mark.slow
def test_the_death_of_the_launcher_stops_its_processes_and_saves(
    recipes: Path, prepared: Path, tmp_path: Path
) -> None:
    words = ["pretrain", "--recipe", recipes / "micro.yaml", "--data", prepared, "--devices", "2"]
    words += ["--set", "schedule.steps=100000", "--out", tmp_path / "run"]
    launcher = subprocess.Popen(
        [sys.executable, "-m", "videomae_cli", *map(str, words)],
        env={**os.environ, "ACCELERATE_USE_CPU": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (tmp_path / "run/metrics.jsonl").is_file():
        assert launcher.poll() is None
        time.sleep(0.01)
    launcher.kill()
    launcher.wait()

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(TrainingError), lock_directory(tmp_path / "run"):
            break  # nobody is at work there any more
        time.sleep(0.1)
    save, problems = newest_checkpoint(tmp_path / "run/checkpoints")

    assert time.monotonic() < deadline
    assert save is not None and not problems
    steps = [line["step"] for line in read_metrics(tmp_path / "run/metrics.jsonl")]
    assert steps[-1] <= int(save.name[5:]) < steps[-1] + 3, "saved where it stopped"
