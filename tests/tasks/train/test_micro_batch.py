"""`train.micro_batch: auto` becomes a number once, and a resumed run reads that number."""

from functools import partial
from pathlib import Path

import pytest
import torch

from tests.notes import Notes
from videomae_cli.config.recipe_files import dump_recipe, load_recipe
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import TrainingError
from videomae_cli.report import Silence
from videomae_cli.tasks.dry_run.synthetic_clips import SyntheticClips, synthetic_manifest
from videomae_cli.tasks.train import pretrain
from videomae_cli.tasks.train.job import Job
from videomae_cli.tasks.train.micro_batch import (
    DEFAULT,
    halve_until_fit,
    resolve_micro_batch,
)


def auto(*changes: str, size: int | str = "auto") -> PretrainRecipe:
    return load_recipe("demo", [f"train.micro_batch={size}", *changes], "pretrain")


def build(recipe: PretrainRecipe, runtime: Runtime) -> Job:
    job = pretrain.build_job(recipe, synthetic_manifest(recipe), runtime, Silence())
    return job._replace(clips=SyntheticClips(recipe))


@pytest.mark.parametrize("largest", [1, 3, 8, 24, 100])
def test_the_share_is_halved_until_it_fits(largest: int) -> None:
    tried = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= largest

    found = halve_until_fit(64, fits)

    assert found <= largest
    assert tried == [64 // 2**n for n in range(len(tried))]
    assert tried[-1] == found and all(size > largest for size in tried[:-1])


def test_a_single_clip_that_does_not_fit_is_an_error_with_advice() -> None:
    with pytest.raises(TrainingError, match="one clip per device") as caught:
        halve_until_fit(6, lambda size: False)

    assert "train.recompute=true" in caught.value.hint


def test_a_cpu_is_not_searched_and_one_line_says_so() -> None:
    notes = Notes()
    with Runtime("fp32", cpu=True) as runtime:
        recipe = resolve_micro_batch(auto(), None, runtime, notes, partial(build, runtime=runtime))

    assert recipe.train.micro_batch == DEFAULT
    assert notes.has(f"train.micro_batch: auto: {DEFAULT}; only CUDA devices are searched")


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_given_number_and_that_of_a_started_run_are_used(tmp_path: Path, is_begun: bool) -> None:
    recipe = auto() if is_begun else auto(size=2)
    if is_begun:
        (tmp_path / "recipe.yaml").write_text(dump_recipe(auto(size=2)))
    notes = Notes()

    with Runtime("fp32", cpu=True) as runtime:
        resolved = resolve_micro_batch(
            recipe, tmp_path, runtime, notes, partial(build, runtime=runtime)
        )

    assert resolved.train.micro_batch == 2
    assert not notes.has("auto")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_with_room_the_whole_share_is_taken_and_with_little_less() -> None:
    notes, changes = Notes(), ("train.batch=64", "schedule.steps=2")
    with Runtime("fp32") as runtime:
        builder = partial(build, runtime=runtime)
        whole = resolve_micro_batch(auto(*changes), None, runtime, notes, builder)
        total = torch.cuda.get_device_properties(runtime.device).total_memory
        try:
            torch.cuda.set_per_process_memory_fraction(200e6 / total)
            less = resolve_micro_batch(
                auto(*changes, "clip.size=112", "model.size=vits"), None, runtime, notes, builder
            )
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)

    assert whole.train.micro_batch == 64
    assert isinstance(less.train.micro_batch, int) and less.train.micro_batch < 64
