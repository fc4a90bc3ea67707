"""The largest micro-batch that fits is found, and nothing is disturbed by looking for it."""

import os
import random
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tasks.notes import Notes
from videomae_cli.config.recipes import dump, load_recipe
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.engine.memory import held_bytes, peak_bytes
from videomae_cli.engine.meter import Meter
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import RecipeError, Stopped, TrainingError
from videomae_cli.tasks import pretrain
from videomae_cli.tasks.made_up import MadeUpClips
from videomae_cli.tasks.micro_batch import SAFE, search, settle, sizes_of
from videomae_cli.tasks.training import Job
from videomae_cli.tasks.trial import Trial

CPU = torch.device("cpu")
MB = 10**6


class Memory:
    """A device on which memory grows in a line, up to a wall."""

    def __init__(self, fixed: int, slope: int, wall: int | None = None) -> None:
        self.fixed, self.slope, self.wall = fixed, slope, wall
        self.tried: list[int] = []

    def probe(self, size: int) -> int | None:
        self.tried.append(size)
        needed = self.fixed + self.slope * size
        return None if self.wall is not None and needed > self.wall else needed


def divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]


def test_a_share_that_fits_is_found_by_doubling() -> None:
    memory = Memory(fixed=10, slope=1)

    found = search(divisors(24), memory.probe, fixed=10, limit=100)

    assert found == (24, 34, None)
    assert memory.tried == [1, 2, 4, 8, 12, 24]


@pytest.mark.parametrize("share", [1, 7, 24, 60, 128, 2048])
@pytest.mark.parametrize("fixed", [0, 10, 100])
@pytest.mark.parametrize("limit", [5, 31, 100, 140, 1000, 100_000])
def test_the_largest_size_that_fits_is_found_and_none_that_does_not_is_tried(
    share: int, fixed: int, limit: int
) -> None:
    memory, sizes = Memory(fixed, slope=20), divisors(share)

    found = search(sizes, memory.probe, fixed=fixed, limit=limit)

    fitting = [size for size in sizes if fixed + 20 * size <= limit]
    assert found.size == max(fitting, default=0)
    too_large = [size for size in memory.tried if size not in fitting]
    assert too_large in ([], [1]), "the smallest is all that may be found out the hard way"
    assert (found.beyond is None) == (fitting == sizes)


def test_running_out_of_memory_is_an_answer() -> None:
    memory = Memory(fixed=10, slope=1, wall=30)  # the device has less than it says

    found = search(divisors(64), memory.probe, fixed=10, limit=1000)

    assert found == (16, 26, (32, None))
    assert memory.tried == [1, 2, 4, 8, 16, 32]


def test_what_lies_between_is_halved() -> None:
    memory = Memory(fixed=0, slope=1, wall=21)

    found = search(range(1, 65), memory.probe, fixed=0, limit=1000)

    assert found.size == 21
    assert memory.tried == [1, 2, 4, 8, 16, 32, 24, 20, 22, 21]


def recipe_for(*changes: str, batch: int = 16) -> PretrainRecipe:
    settings = ["train.micro_batch=auto", f"train.batch={batch}", *changes]
    return load_recipe("demo", settings, "pretrain")


def made(recipe: PretrainRecipe) -> Job:
    return pretrain.assemble(recipe, MadeUpClips(recipe, 1), {})[0]


def settled(recipe: PretrainRecipe, notes: Notes, meter: Meter | None = None) -> int | str:
    with Runtime("fp32", cpu=True) as runtime:
        found = settle(recipe, None, runtime, notes, lambda: made(recipe), meter)
    return found.train.micro_batch


def test_less_memory_makes_smaller_micro_batches_and_one_line_says_why() -> None:
    notes = Notes()

    size = settled(recipe_for(batch=64), notes, Meter(CPU, free=64 * MB))

    assert size in (1, 2, 4, 8, 16)
    assert len(notes.said) == 1
    said = notes.said[0]
    assert said.startswith(f"micro-batch {size} x accumulation {64 // int(size)}, found in ")
    assert f"{2 * int(size)} would take " in said
    assert said.endswith("85% of the 64 MB that are free may be taken")


def test_memory_for_everything_takes_the_whole_share() -> None:
    notes = Notes()

    assert settled(recipe_for(batch=2), notes) == 2
    assert "x accumulation 1, " in notes.said[0]
    assert "which is a device's whole share" in notes.said[0]


def test_looking_draws_nothing_and_its_peak_is_forgotten() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1]  # noqa: NPY002

    settled(recipe_for(), Notes())

    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.array_equal(np.random.get_state()[1], before[2])  # noqa: NPY002
    peak, held = peak_bytes(CPU), held_bytes(CPU)
    assert peak is not None and held is not None and peak - held < 20 * MB


def test_a_stop_is_heard_between_two_sizes() -> None:
    with (
        pytest.raises(Stopped, match="before the first step") as caught,
        Runtime("fp32", cpu=True) as runtime,
    ):
        os.kill(os.getpid(), signal.SIGTERM)
        recipe = recipe_for()
        settle(recipe, None, runtime, Notes(), lambda: made(recipe))

    assert caught.value.exit_code == 75


def test_too_little_memory_is_an_error_that_says_what_would_help() -> None:
    with pytest.raises(TrainingError, match="even 1 clip per device would take") as caught:
        settled(recipe_for(), Notes(), Meter(CPU, free=10 * MB))

    assert "10 MB that are free" in caught.value.message
    assert "train.recompute=true, a smaller model.size" in caught.value.hint
    with pytest.raises(TrainingError) as again:
        settled(recipe_for("train.recompute=true"), Notes(), Meter(CPU, free=10 * MB))
    assert "recompute" not in again.value.hint


def test_a_system_that_does_not_tell_is_asked_for_a_number() -> None:
    meter = Meter(CPU)
    meter.free = None

    with pytest.raises(RecipeError, match="cannot see how much memory") as caught:
        settled(recipe_for(), Notes(), meter)

    assert "train.micro_batch=8" in caught.value.hint


def never() -> Job:
    raise AssertionError("nothing is tried")


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_number_is_taken_as_it_is_and_so_is_that_of_a_run(tmp_path: Path, is_begun: bool) -> None:
    recipe = numbered = load_recipe("demo", ["train.micro_batch=4"], "pretrain")
    if is_begun:
        (tmp_path / "recipe.yaml").write_text(dump(numbered))
        recipe = load_recipe("demo", ["train.micro_batch=auto"], "pretrain")

    with Runtime("fp32", cpu=True) as runtime:
        assert settle(recipe, tmp_path, runtime, Notes(), never) == numbered


@pytest.mark.parametrize(
    ("changes", "world", "sizes"),
    [
        (["train.batch=12"], 1, [1, 2, 3, 4, 6, 12]),
        (["train.batch=12"], 2, [1, 2, 3, 6]),
        (["train.batch=12", "augment.mixup=0.8", "augment.repeats=1"], 1, [2, 4, 6, 12]),
        (["train.batch=6", "augment.cutmix=1.0", "augment.repeats=2"], 2, [1, 3]),
    ],
)
def test_sizes_are_those_that_a_run_can_use(
    changes: Sequence[str], world: int, sizes: list[int]
) -> None:
    recipe = load_recipe("demo-finetune", ["train.micro_batch=auto", *changes], "finetune")

    assert sizes_of(recipe, world) == sizes


@pytest.mark.parametrize(
    ("batch", "world", "said"), [(9, 1, "cannot be cut into pairs"), (9, 2, "do not divide among")]
)
def test_a_batch_that_cannot_be_cut_is_refused(batch: int, world: int, said: str) -> None:
    changes = ["train.micro_batch=auto", f"train.batch={batch}", "augment.mixup=0.8"]
    recipe = load_recipe("demo-finetune", [*changes, "augment.repeats=1"], "finetune")

    with pytest.raises(RecipeError, match=said):
        sizes_of(recipe, world)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_that_has_room_for_sixteen_clips_sixteen_are_taken() -> None:
    recipe = recipe_for(batch=64)
    with Runtime("bf16") as runtime:
        with Meter(runtime.device) as meter:
            needed = meter.most(partial(Trial(made(recipe), recipe, runtime).take, 16))
        runtime.accelerator.free_memory()
        assert needed is not None
        room = Meter(runtime.device, free=round(1.05 * needed / SAFE))

        found = settle(recipe, None, runtime, Notes(), lambda: made(recipe), room)

        assert found.train.micro_batch == 16
        assert torch.cuda.memory_allocated(runtime.device) < MB
