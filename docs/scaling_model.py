"""What a training step takes on many GPUs: arithmetic, gradients sent around, clips read.

The GPUs compute and exchange gradients while the processor cores read the next clips; the slower
side sets the pace. What a recipe asks for is counted on the real model; what a machine gives is in
`scaling_machine.py`. Seconds, bytes and operations throughout.

Not covered: stragglers, congestion, a file system shared with others, saves, stops.
"""

import math
import re
from contextlib import nullcontext
from functools import cache
from typing import NamedTuple

from scaling_machine import Machine

from videomae_cli.config import recipe_paths as library
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model import AutoencoderSpec, MaskSpec, TargetSpec
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.engine.plan import TrainingPlan, make_training_plan

BACKWARD = 3  # a forward and a backward pass, in forward passes; as `--dry-run` has it
NODE = 8  # GPUs of a node
BUCKET = 25 * 2**20  # bytes of gradients in a message, DistributedDataParallel's default
FLOAT = 4  # bytes: weights, gradients and AdamW's two averages are fp32
ADAMW = 7 * FLOAT  # bytes moved per parameter: it reads four numbers and writes three


class Work(NamedTuple):
    """What a recipe asks of any machine."""

    recipe: PretrainRecipe
    videos: int
    macs: int
    """Multiply-accumulates of a forward pass of one clip, as our code runs it."""
    published: int
    """The same with every token embedded, as the originals run it."""
    parameters: int
    blocks: int

    @property
    def passes(self) -> int:
        """What a step costs in forward passes; computing blocks again on the way back is one."""
        return BACKWARD + int(self.recipe.train.recompute)

    def plan(self, gpus: int) -> TrainingPlan:
        """Cut the recipe's batch among the GPUs, by the code that cuts it for a run."""
        recipe = self.recipe
        return make_training_plan(
            recipe.schedule,
            recipe.train,
            recipe.optim,
            steps_per_epoch=self.videos // recipe.train.batch,
            world=gpus,
            repeats=recipe.augment.repeats,
        )


def work(name: str, *changes: str, videos: int | None = None) -> Work:
    """Count what a recipe asks for, on the real model.

    Args:
        name: Of a built-in recipe for pretraining.
        changes: As in `--set`.
        videos: Of another data set than the recipe's.
    """
    recipe = load_recipe(name, list(changes), "pretrain")
    # the stride changes nothing that is counted: what is alike is counted once
    clip = recipe.clip.model_copy(update={"stride_frames": 1})
    counted = _count(recipe.model, recipe.mask, recipe.target, clip)
    return Work(recipe, videos or videos_of(name), *counted)


@cache
def _count(
    spec: AutoencoderSpec, mask: MaskSpec, target: TargetSpec, clip: ClipSpec
) -> tuple[int, int, int, int]:
    """Count on tensors that have shapes and no numbers, unless the mask depends on the numbers."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    from videomae_cli.config.model_config import autoencoder_config
    from videomae_cli.models.build import build_autoencoder
    from videomae_cli.models.macs import forward_cost
    from videomae_cli.tasks.recipes.check import model_of

    parts = {"model": spec, "mask": mask, "target": target, "clip": clip}
    recipe = load_recipe("k400-vitb", [], "pretrain").model_copy(update=parts)
    has_numbers = mask.strategy == "motion"
    model = build_autoencoder(autoencoder_config(recipe)) if has_numbers else model_of(recipe)
    with nullcontext() if has_numbers else FakeTensorMode(allow_non_fake_inputs=True):
        if not has_numbers:
            model = model.to_empty(device="cpu")
        pixels = torch.zeros(1, 3, clip.frames, clip.size, clip.size, dtype=torch.uint8)
        cost = forward_cost(model, pixels, torch.rand(1, 2, clip.grid().tokens))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    blocks = len(model.encoder.blocks) + len(model.decoder.blocks)
    return cost.executed, cost.published, parameters, blocks


def videos_of(name: str) -> int:
    """Return how many training videos a recipe's comment says its data set has."""
    text = (library.builtin_dir() / f"{name}.yaml").read_text(encoding="utf-8")
    found = re.search(r"epochs? of (?:about )?([\d.,]+)( million)? videos", text)
    assert found is not None, name
    number = float(found[1].replace(",", ""))
    return round(number * 1e6 if found[2] else number)


class Step(NamedTuple):
    """Seconds of one optimizer step by what they go to."""

    arithmetic: float
    launching: float
    updating: float
    """AdamW."""
    waiting: float
    """For messages that the backward pass does not hide."""
    reading: float
    """What the cores need for the clips of a step; at the same time as all of the above."""

    @property
    def seconds(self) -> float:
        """The slower side."""
        return max(self.reading, self.arithmetic + self.launching + self.updating + self.waiting)

    @property
    def busy(self) -> float:
        """Share of the step in which a GPU does the model's arithmetic."""
        return self.arithmetic / self.seconds

    @property
    def binds(self) -> str:
        """What sets the pace: decoding, or the longest part of the GPU's side."""
        if self.reading >= self.seconds:
            return "decode"
        parts = {
            "compute": self.arithmetic,
            "launch": self.launching + self.updating,
            "network": self.waiting,
        }
        return max(parts, key=lambda name: parts[name])


def all_reduce_bytes(parameters: int, gpus: int) -> float:
    """Return what each GPU sends in a step of DDP: a ring passes all gradients around twice."""
    return 2 * (gpus - 1) / gpus * FLOAT * parameters


def sharded_bytes(parameters: int, gpus: int, accumulation: int) -> float:
    """Return what each GPU sends in a step of FSDP2, weights and gradients in fp32.

    For each micro-batch the weights are gathered twice, on the way forward and back; gradients are
    summed and scattered once a step.
    """
    return (gpus - 1) / gpus * FLOAT * parameters * (2 * accumulation + 1)


def exchange_seconds(sent: float, messages: int, machine: Machine, gpus: int) -> float:
    """Return how long it takes to send so many bytes in so many messages.

    A ring crosses every border between nodes, so the narrowest link counts. Latency is that of a
    tree, up and down, which NCCL takes where a ring would be slower.
    """
    bandwidth = machine.link if gpus <= NODE else min(machine.link, machine.network)
    return sent / bandwidth + messages * 2 * math.ceil(math.log2(gpus)) * machine.hop


def step(
    job: Work, machine: Machine, gpus: int, *, macs: int | None = None, sharded: bool = False
) -> Step:
    """Predict one optimizer step.

    Args:
        job: What is trained.
        machine: On what.
        gpus: How many.
        macs: For each clip, where not those of our code.
        sharded: FSDP2 instead of DDP.
    """
    plan = job.plan(gpus)
    videos = plan.micro_batch * plan.accumulation
    operations = 2 * (macs or job.macs) * job.passes * videos * plan.repeats
    arithmetic = operations / (machine.peak * machine.utilisation)
    if sharded:
        sent = sharded_bytes(job.parameters, gpus, plan.accumulation)
        messages, hidden_behind = job.blocks * (2 * plan.accumulation + 1), arithmetic
    else:
        sent = all_reduce_bytes(job.parameters, gpus)
        messages = math.ceil(FLOAT * job.parameters / BUCKET)
        hidden_behind = arithmetic / plan.accumulation * (job.passes - 1) / job.passes
    exchange = exchange_seconds(sent, messages, machine, gpus)
    return Step(
        arithmetic=arithmetic,
        launching=job.blocks * plan.accumulation * machine.launch,
        updating=ADAMW * job.parameters / (gpus if sharded else 1) / machine.memory,
        waiting=max(0.0, exchange - machine.overlap * hidden_behind),
        reading=videos * (machine.opening + plan.repeats * machine.reading) / machine.cores,
    )


def hours(job: Work, machine: Machine, gpus: int, *, macs: int | None = None) -> float:
    """Return the hours of a whole recipe."""
    return step(job, machine, gpus, macs=macs).seconds * job.plan(gpus).steps / 3600
