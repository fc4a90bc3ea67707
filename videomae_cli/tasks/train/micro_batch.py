"""`train.micro_batch: auto`: find how many clips fit into GPU memory per backward pass.

On CUDA a device's whole share of the batch is halved until two training steps run without an
out-of-memory error. On other devices `DEFAULT` is used: larger micro-batches are not faster on a
CPU. A resumed run reads the number from its `recipe.yaml`.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import AnyRecipe, Recipe, with_train
from videomae_cli.data.batches import collate
from videomae_cli.engine.optim import adamw
from videomae_cli.engine.plan import share_of
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import TrainingError
from videomae_cli.report import Report
from videomae_cli.tasks.run_dir import RECIPE
from videomae_cli.tasks.train.job import Job

DEFAULT = 4  # where there is no search


def resolve_micro_batch(
    recipe: AnyRecipe,
    run_dir: Path | None,
    runtime: Runtime,
    report: Report,
    build: Callable[[AnyRecipe], Job],
) -> AnyRecipe:
    """Return the recipe with a number for `train.micro_batch`; `build` is used for the search only.

    Raises a `TrainingError` if not even one clip fits.
    """
    if recipe.train.micro_batch != "auto":
        return recipe
    size = runtime.run_on_rank0(lambda: saved_micro_batch(run_dir))
    if size is None and runtime.device.type == "cuda":
        share = share_of(recipe.train.batch, runtime.world)
        size = halve_until_fit(share, lambda size: _fits(recipe, size, runtime, build))
        report.say(f"train.micro_batch: auto: {size} clips per device fit into memory")
    elif size is None:
        size = DEFAULT
        report.say(
            f"train.micro_batch: auto: {size}; only CUDA devices are searched for more"
            " (--set train.micro_batch=N sets another number)"
        )
    return with_train(recipe, micro_batch=size)


def saved_micro_batch(run_dir: Path | None) -> int | None:
    """Return the micro-batch that a run was started with; None if it has not started."""
    if run_dir is None or not (run_dir / RECIPE).is_file():
        return None
    saved = load_recipe(str(run_dir / RECIPE)).train.micro_batch
    return saved if isinstance(saved, int) else None


def halve_until_fit(size: int, fits: Callable[[int], bool]) -> int:
    """Return the first of `size`, half of it, ... that fits; a `TrainingError` if 1 does not."""
    while not fits(size):
        if size == 1:
            raise TrainingError(
                "train.micro_batch: auto: one clip per device does not fit into memory",
                "--set train.recompute=true, or a smaller model.size, clip.size or clip.frames",
            )
        size //= 2
    return size


def _fits(
    recipe: AnyRecipe, size: int, runtime: Runtime, build: Callable[[AnyRecipe], Job]
) -> bool:
    """Take two training steps; return whether they fit into memory on all processes."""
    with torch.random.fork_rng([runtime.device]):
        try:
            _take_two_steps(build(with_train(recipe, micro_batch=size)), runtime)
            fits = True
        except (RuntimeError, MemoryError) as error:
            if not (isinstance(error, MemoryError) or should_reduce_batch_size(error)):
                raise
            fits = False
    clear_device_cache(garbage_collection=True)
    return all(runtime.gather([fits]))


def _take_two_steps(job: Job, runtime: Runtime) -> None:
    """Train on copies of one clip; the second step has the optimizer's moments in memory too."""
    recipe: Recipe = job.recipe
    objective = job.objective.to(runtime.device).train()
    if recipe.train.recompute:
        from videomae_cli.models.transformer.activation_checkpointing import checkpoint_activations

        checkpoint_activations(objective, recipe.train.recompute)
    optimizer = adamw(job.groups, betas=recipe.optim.betas, eps=recipe.optim.eps)
    # for evaluation: in the run's precision, without exchanging gradients
    model = runtime.accelerator.prepare_model(
        objective, device_placement=False, evaluation_mode=True
    )
    ema = None
    if recipe.train.ema:
        from videomae_cli.engine.ema import EMA

        ema = EMA(objective, recipe.train.ema)
    # data-parallel training also needs buckets as large as the gradients
    trained = [p for group in job.groups for p in group["params"]] if runtime.world > 1 else []
    buckets = [torch.empty_like(parameter) for parameter in trained]
    sample = job.clips[job.order.step_samples(0)[0]]
    batch = runtime.to_device(collate([sample] * job.plan.micro_batch))
    for number in range(2):
        model(**job.prepare(batch, 0, number)).loss.backward()
        optimizer.step()
    del ema, buckets
