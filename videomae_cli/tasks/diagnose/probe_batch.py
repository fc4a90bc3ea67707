"""A look at the model now and then, on the same few training clips, without training on them.

Recorded are what the loss is to be compared with, how varied the features are, and what the pixels
look like before and after normalisation: what `tasks/verdict.py` needs beside loss and gradient.
Nothing here draws random numbers or touches a gradient, so training goes on to the bit as without.

Shapes: B clips, C channels, T frames, H W pixels, N tokens, M targets, P numbers in a tubelet,
D width, K classes.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from videomae_cli.config.clip import ClipSpec
from videomae_cli.data.batches import AnyBatch, collate
from videomae_cli.data.dataset import SampleKey
from videomae_cli.data.loader import load_each
from videomae_cli.data.workers import Clips
from videomae_cli.engine.distributed.fsdp import gather_weights
from videomae_cli.engine.plan import TrainingPlan
from videomae_cli.engine.runtime import Runtime
from videomae_cli.masking.clip_content import Content
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.targets import patchify, unpatchify

CLIPS = 32  # looked at
LEAST_STEPS = 50  # between two looks, for a batch of CLIPS; a look costs about a third of a step
LOOKS = 20  # of a long run
FLAT = 2 / 255  # a clip whose pixels deviate less is one flat colour
Probe = Callable[[Any], tuple[Tensor, Tensor]]
"""Micro-batch on the device to features_BD and what the loss is measured against, rows of it."""


def autoencoder_probe(model: Autoencoder) -> Probe:
    """Look at mean latents, all clips masked alike, and at the pixels that are targets."""

    def probe(batch: AnyBatch) -> tuple[Tensor, Tensor]:
        noise_B2N = batch.noise[:1].expand_as(batch.noise)
        clip_BCTHW = unpatchify(model.cut(batch.clip, noise_B2N[:, 1]), model.grid)
        content = Content(patchify(clip_BCTHW, model.grid), model.encoder.embed)
        mask = model.masker(noise_B2N[:, :, : model.grid.tokens], content)
        latents_BVD = model.encode(clip_BCTHW, mask)
        return latents_BVD.mean(dim=1), model.target(clip_BCTHW, mask).flatten(0, 1)

    return probe


def classifier_probe(model: Classifier) -> Probe:
    """Look at the features before the head; labels are compared elsewhere."""

    def probe(batch: AnyBatch) -> tuple[Tensor, Tensor]:
        features_BD = model.features(batch.clip)
        return features_BD, features_BD.new_zeros(0)

    return probe


class ProbeBatch:
    """The fixed clips, and when to look.

    Args:
        batch: The clips, as the data set gives them.
        look: What is looked at.
        model: What `look` looks through; put into evaluation mode for it.
        clip: Says how pixels are normalised.
        plan: Length of the run and batch.
        runtime: Where the model is.
        log_every: Steps between two logged lines, which is when we are asked.
        trivial_loss: Loss of a guess that has seen no clip; None where `look` gives the targets.
    """

    def __init__(
        self,
        batch: AnyBatch,
        probe: Probe,
        model: torch.nn.Module,
        *,
        clip: ClipSpec,
        plan: TrainingPlan,
        runtime: Runtime,
        log_every: int,
        trivial_loss: float | None = None,
    ) -> None:
        self._batch = _slice(batch, 0, CLIPS)
        self._probe, self._model, self._runtime = probe, model, runtime
        self._plan, self._trivial, self._log_every = plan, trivial_loss, log_every
        self._pixels = pixel_figures(self._batch.clip, clip)
        scarce = math.ceil(LEAST_STEPS * len(self._batch.clip) / plan.batch / plan.repeats)
        self._every = max(scarce, plan.steps // LOOKS, 1)

    def __call__(self, step: int) -> dict[str, float]:
        """Return the figures of a look if one is due before the line of this step, else nothing.

        The main process looks; a sharded model is there on all, so all are to call.
        """
        before = step - self._log_every
        is_due = before <= 0 or step // self._every > before // self._every
        if not (is_due or step == self._plan.steps):
            return {}
        with gather_weights(self._model):
            return self.figures() if self._runtime.is_main else {}

    @torch.no_grad()
    def figures(self) -> dict[str, float]:
        """Look; return `trivial_loss`, `rank`, `spread` and what the pixels are like."""
        self._model.eval()
        features, targets = [], RunningVariance()
        with self._runtime.accelerator.autocast():
            for first in range(0, len(self._batch.clip), self._plan.micro_batch):
                last = first + self._plan.micro_batch
                part = _slice(self._batch, first, last)
                features_BD, target_RP = self._probe(self._runtime.to_device(part))
                features.append(features_BD.cpu().double())
                targets.add(target_RP)
        rank, spread = variety(torch.cat(features))
        trivial = targets.variance() if self._trivial is None else self._trivial
        figures = {"trivial_loss": trivial, "rank": rank, "spread": spread, **self._pixels}
        return {n: float(f"{v:.5g}") for n, v in figures.items() if math.isfinite(v)}


class RunningVariance:
    """The mean variance of columns whose rows come in parts, in double precision."""

    def __init__(self) -> None:
        self._rows = 0
        self._sum: Tensor | float = 0.0
        self._squares: Tensor | float = 0.0

    def add(self, rows_RP: Tensor) -> None:
        """Take in some rows."""
        if not rows_RP.numel():
            return
        self._rows += len(rows_RP)
        self._sum = self._sum + rows_RP.sum(dim=0).cpu().double()
        self._squares = self._squares + rows_RP.square().sum(dim=0).cpu().double()

    def variance(self) -> float:
        """Return the loss of predicting each column's mean; 0 without rows."""
        if not isinstance(self._sum, Tensor) or not isinstance(self._squares, Tensor):
            return 0.0
        variance_P = self._squares / self._rows - (self._sum / self._rows).square()
        return max(0.0, float(variance_P.mean()))


def variety(features_BD: Tensor) -> tuple[float, float]:
    """Return effective rank and spread of features.

    The rank is the exponential of the entropy of the normalised singular values, features centred,
    so at most B - 1; equal features have rank 0. The spread is the share of the features' length
    that differs from clip to clip: 0 for equal features, at most 1. Features that are not finite
    have neither: nan.

    Source: effective rank as in RankMe, arXiv 2210.02885, there without centring.
    """
    if not bool(torch.isfinite(features_BD).all()):
        return math.nan, math.nan
    centred_BD = features_BD - features_BD.mean(dim=0)
    length = float(features_BD.norm())
    spread = float(centred_BD.norm()) / length if length else 0.0
    values = torch.linalg.svdvals(centred_BD)
    if spread < 1e-9:
        return 0.0, spread
    share = values / values.sum()
    return float(torch.special.entr(share).sum().exp()), spread


def pixel_figures(clip_BCTHW: Tensor, clip: ClipSpec) -> dict[str, float]:
    """Say what pixels are like: `brightness`, `flat`, and `input_mean`, `input_std` normalised.

    The last two are those of the channel that is furthest from 0 and from 1.
    """
    pixels_BCX = clip_BCTHW.flatten(2).float() / 255
    mean_C, std_C = (torch.tensor(x) for x in (clip.mean, clip.std))
    input_mean_C = (pixels_BCX.mean(dim=(0, 2)) - mean_C) / std_C
    input_std_C = pixels_BCX.std(dim=(0, 2)) / std_C
    furthest = input_std_C.clamp(min=1e-9).log().abs().argmax()
    flat_B = pixels_BCX.std(dim=2).amax(dim=1) < FLAT
    return {
        "brightness": float(pixels_BCX.mean()),
        "flat": float(flat_B.float().mean()),
        "input_mean": float(input_mean_C[input_mean_C.abs().argmax()]),
        "input_std": float(input_std_C[furthest]),
    }


def label_guess_loss(labels: Sequence[int], classes: int, smoothing: float) -> float:
    """Return the cross entropy of guessing each class as often as it occurs, labels smoothed."""
    counts_K = torch.bincount(torch.tensor(labels), minlength=classes).double()
    target_K = (1 - smoothing) * counts_K / counts_K.sum() + smoothing / classes
    return float(torch.special.entr(target_K).sum())


def _slice(batch: AnyBatch, first: int, last: int) -> AnyBatch:
    part: AnyBatch = type(batch)(*(tensor[first:last] for tensor in batch))
    return part


def read_clips(clips: Clips, samples: Sequence[SampleKey], *, workers: int) -> AnyBatch:
    """Read the clips to look at, as training reads them."""
    batch: AnyBatch = collate(list(load_each(clips, samples, workers=workers)))
    return batch
