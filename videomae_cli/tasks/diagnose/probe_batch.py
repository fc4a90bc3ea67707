"""Measure a model now and then during training, on the same few training clips, without training.

Nothing here draws random numbers or changes a gradient, so training gives the same weights, to the
bit, with and without probes.

Shapes: B clips, C channels, T frames, H W pixels, M target tokens, R rows of targets,
P values per target token, D embedding dimension, K classes.
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

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
from videomae_cli.models.targets import patchify, unpatchify

if TYPE_CHECKING:
    from videomae_cli.models.autoencoder import Autoencoder
    from videomae_cli.models.classifier import Classifier

CLIPS = 32  # clips in the probe batch
MIN_STEPS_BETWEEN = 50  # steps of CLIPS clips between two probes; one costs about a third of a step
PROBES_PER_RUN = 20  # in a long run
FLAT_STD = 2 / 255  # a clip whose pixels have a smaller standard deviation is one flat colour
Probe = Callable[[Any], tuple[Tensor, Tensor]]
"""Maps a micro-batch on the device to features_BD and target_RP, the targets of the loss."""


def autoencoder_probe(model: "Autoencoder") -> Probe:
    """Return a probe of the mean latents, with one mask for all clips, and of the pixel targets."""

    def probe(batch: AnyBatch) -> tuple[Tensor, Tensor]:
        noise_B2N = batch.noise[:1].expand_as(batch.noise)
        clip_BCTHW = unpatchify(model.cut(batch.clip, noise_B2N[:, 1]), model.grid)
        content = Content(patchify(clip_BCTHW, model.grid), model.encoder.embed)
        mask = model.masker(noise_B2N[:, :, : model.grid.tokens], content)
        latents_BVD = model.encode(clip_BCTHW, mask)
        return latents_BVD.mean(dim=1), model.target(clip_BCTHW, mask).flatten(0, 1)

    return probe


def classifier_probe(model: "Classifier") -> Probe:
    """Return a probe of the features before the head; it has no targets."""

    def probe(batch: AnyBatch) -> tuple[Tensor, Tensor]:
        features_BD = model.features(batch.clip)
        return features_BD, features_BD.new_zeros(0)

    return probe


class ProbeBatch:
    """The first `CLIPS` clips of a batch, and the steps at which the model is measured on them.

    `probe` calls `model`, which is put into evaluation mode for it. `clip` has the mean and the
    standard deviation of the normalisation. The object is called every `log_every` steps.
    `trivial_loss` is the loss of a prediction that ignores the clip; None where `probe` returns the
    targets.
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
        self._pixels = pixel_statistics(self._batch.clip, clip)
        least = math.ceil(MIN_STEPS_BETWEEN * len(self._batch.clip) / plan.batch / plan.repeats)
        self._every = max(least, plan.steps // PROBES_PER_RUN, 1)

    def __call__(self, step: int) -> dict[str, float]:
        """Return the measurements if they are due before the line of this step, else nothing.

        Only rank 0 measures; a sharded model needs all processes, so all must call this.
        """
        before = step - self._log_every
        is_due = before <= 0 or step // self._every > before // self._every
        if not (is_due or step == self._plan.steps):
            return {}
        with gather_weights(self._model):
            return self.measure() if self._runtime.is_main else {}

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Return `trivial_loss`, `rank`, `spread` and pixel statistics, those that are finite."""
        self._model.eval()
        features, targets = [], RunningVariance()
        with self._runtime.accelerator.autocast():
            for first in range(0, len(self._batch.clip), self._plan.micro_batch):
                last = first + self._plan.micro_batch
                part = _slice(self._batch, first, last)
                features_BD, target_RP = self._probe(self._runtime.to_device(part))
                features.append(features_BD.cpu().double())
                targets.add(target_RP)
        rank, spread = rank_and_spread(torch.cat(features))
        trivial = targets.variance() if self._trivial is None else self._trivial
        figures = {"trivial_loss": trivial, "rank": rank, "spread": spread, **self._pixels}
        return {n: float(f"{v:.5g}") for n, v in figures.items() if math.isfinite(v)}


class RunningVariance:
    """The mean variance of columns whose rows are added in parts, in double precision."""

    def __init__(self) -> None:
        self._rows = 0
        self._sum = self._squares = torch.zeros((), dtype=torch.float64)

    def add(self, rows_RP: Tensor) -> None:
        """Add some rows."""
        if not rows_RP.numel():
            return
        self._rows += len(rows_RP)
        self._sum = self._sum + rows_RP.sum(dim=0).cpu().double()
        self._squares = self._squares + rows_RP.square().sum(dim=0).cpu().double()

    def variance(self) -> float:
        """Return the mean squared error of predicting each column's mean; 0 without rows."""
        if not self._rows:
            return 0.0
        variance_P = self._squares / self._rows - (self._sum / self._rows).square()
        return max(0.0, float(variance_P.mean()))


def rank_and_spread(features_BD: Tensor) -> tuple[float, float]:
    """Return effective rank and spread of features.

    The rank is the exponential of the entropy of the normalised singular values of the centred
    features, so it is at most B - 1; equal features have rank 0. The spread is the norm of the
    centred features divided by the norm of the features: 0 for equal features, at most 1. Both are
    nan if a feature is not finite.

    Source: effective rank as in RankMe, arXiv 2210.02885, which does not centre.
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


def pixel_statistics(clip_BCTHW: Tensor, clip: ClipSpec) -> dict[str, float]:
    """Return `brightness`, `flat`, `input_mean` and `input_std` of clips of uint8 pixels.

    `brightness` is the mean of pixels in 0..1, `flat` the fraction of clips of one colour. The last
    two are of normalised pixels, in the channel that is furthest from 0 and from 1, respectively.
    """
    pixels_BCX = clip_BCTHW.flatten(2).float() / 255
    mean_C, std_C = (torch.tensor(x) for x in (clip.channel_mean, clip.channel_std))
    input_mean_C = (pixels_BCX.mean(dim=(0, 2)) - mean_C) / std_C
    input_std_C = pixels_BCX.std(dim=(0, 2)) / std_C
    furthest = input_std_C.clamp(min=1e-9).log().abs().argmax()
    flat_B = pixels_BCX.std(dim=2).amax(dim=1) < FLAT_STD
    return {
        "brightness": float(pixels_BCX.mean()),
        "flat": float(flat_B.float().mean()),
        "input_mean": float(input_mean_C[input_mean_C.abs().argmax()]),
        "input_std": float(input_std_C[furthest]),
    }


def class_frequency_loss(labels: Sequence[int], classes: int, smoothing: float) -> float:
    """Return the cross entropy of predicting the class frequencies, with smoothed labels."""
    counts_K = torch.bincount(torch.tensor(labels), minlength=classes).double()
    target_K = (1 - smoothing) * counts_K / counts_K.sum() + smoothing / classes
    return float(torch.special.entr(target_K).sum())


def read_clips(clips: Clips, samples: Sequence[SampleKey], *, workers: int) -> AnyBatch:
    """Read the clips of some samples, as training does."""
    batch: AnyBatch = collate(list(load_each(clips, samples, workers=workers)))
    return batch


def _slice(batch: AnyBatch, first: int, last: int) -> AnyBatch:
    part: AnyBatch = type(batch)(*(tensor[first:last] for tensor in batch))
    return part
