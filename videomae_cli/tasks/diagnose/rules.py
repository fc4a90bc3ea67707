"""The rules of the diagnosis: each finds one known fault in the metrics of a run.

The thresholds are wide: they find what is broken, not what could be better. They were set on
healthy small runs and on runs with a planted fault.
"""

import math
from collections.abc import Callable
from statistics import median
from typing import Literal, NamedTuple

from videomae_cli.tasks.diagnose.loss_spike import find_spike
from videomae_cli.tasks.diagnose.training_curve import TrainingCurve

Word = Literal["normal", "suspicious", "diverged"]
MIN_STEPS = 100  # steps after warm-up, before a loss that has not fallen is a fault
MIN_LINES = 8
MAX_FLAT_FRACTION = 0.25
MIN_SPREAD = 1e-3
MIN_RANK = 1.5
WEIGHTS = "train longer, or start from published weights (docs/small-data.md)"
LONGER = "train longer, or try another optim.base_lr"


class Finding(NamedTuple):
    """One fault of a run."""

    reason: str
    """One sentence: the observation, with values, and what to do."""
    word: Word = "suspicious"


def _nonfinite_loss(curve: TrainingCurve) -> Finding | None:
    for line in curve.lines:
        if not math.isfinite(line.get("loss", 0.0)):
            return Finding(f"the loss was {line['loss']} at step {line['step']:,.0f}", "diverged")
    return None


def _skipped_steps(curve: TrainingCurve) -> Finding | None:
    skipped = curve.last("skipped")
    if not skipped:
        return None
    return Finding(
        f"{skipped:.0f} steps were skipped because their loss or gradient was not finite: "
        f"{_lr_advice(curve)}"
    )


def _rising_loss(curve: TrainingCurve) -> Finding | None:
    if len(curve.column("loss")) < MIN_LINES:
        return None
    end, best, trivial = curve.end_loss, curve.best_loss, curve.last("trivial_loss")
    scale = trivial or curve.column("loss")[0]
    is_worse_than_baseline = trivial is not None and end > 1.2 * trivial
    if end < 1.25 * best or end - best < 0.1 * scale:
        return None
    reason = f"the loss rose from {best:.3g} to {end:.3g}"
    if is_worse_than_baseline:
        reason += f" ({curve.baseline} gives {trivial:.3g})"
    return Finding(
        f"{reason}: {_lr_advice(curve)}",
        "diverged" if is_worse_than_baseline or end > 2 * best else "suspicious",
    )


def _loss_spike(curve: TrainingCurve) -> Finding | None:
    spike = find_spike(curve)
    if spike is None:
        return None
    trivial = curve.last("trivial_loss")
    return Finding(
        f"the loss jumped from {spike.before:.3g} to {spike.peak:.3g} by step {spike.step:,.0f}: "
        f"{_lr_advice(curve)}",
        "diverged" if trivial and spike.peak > 5 * trivial else "suspicious",
    )


def _no_better_than_baseline(curve: TrainingCurve) -> Finding | None:
    trivial = curve.last("trivial_loss")
    is_half_done = curve.step >= curve.steps / 2
    is_long = curve.step - curve.warmup >= MIN_STEPS
    if not (trivial and is_half_done and (is_long or curve.has_excessive_lr)):
        return None
    if curve.end_loss < (0.98 if curve.kind == "pretrain" else 0.995) * trivial:
        return None
    advice = (
        _lr_advice(curve)
        if curve.has_excessive_lr
        else f"the model has learned nothing yet; {curve.plateau or LONGER}"
    )
    return Finding(
        f"the loss {curve.end_loss:.3g} is no better than {curve.baseline}, {trivial:.3g}: "
        f"{advice}",
        "diverged" if curve.has_excessive_lr else "suspicious",
    )


def _abnormal_gradient(curve: TrainingCurve) -> Finding | None:
    norms = curve.column("grad_norm")
    if norms and max(norms[-3:]) < 1e-8:
        return Finding(
            f"the gradient norm is {norms[-1]:.3g}: the model can learn nothing from these clips"
        )
    after_warmup = [
        line["grad_norm"]
        for line in curve.lines
        if "grad_norm" in line and line["step"] > curve.warmup
    ]
    if len(after_warmup) < 2 * MIN_LINES:
        return None
    quarter = len(after_warmup) // 4
    early, late = median(after_warmup[:quarter]), median(after_warmup[-quarter:])
    if late < 10 * early:
        return None
    return Finding(f"the gradient norm grew from {early:.3g} to {late:.3g}: {_lr_advice(curve)}")


def _collapsed_features(curve: TrainingCurve) -> Finding | None:
    rank, spread = curve.last("rank"), curve.last("spread")
    if rank is None or spread is None or _flat_clips(curve) or _wrong_normalisation(curve):
        return None  # not measured, or the cause is reported already
    if spread >= MIN_SPREAD and rank >= min(MIN_RANK, curve.least_rank):
        return None
    if curve.separates_classes:
        return None
    return Finding(
        f"the features have collapsed: effective rank {rank:.2g}, and only {spread:.2g} of their "
        f"norm differs between clips: {_lr_advice(curve)}"
    )


def _chance_accuracy(curve: TrainingCurve) -> Finding | None:
    top1, chance = curve.last("val_top1"), curve.chance
    if top1 is None or chance is None or chance.classes < 2 or not _is_trained(curve):
        return None
    if top1 > chance.limit:
        return None
    return Finding(
        f"validation accuracy {top1:.0%} is chance for {chance.classes:,} classes: always giving"
        f" the most frequent one is right for {chance.top1:.0%} of {chance.videos:,} videos; check"
        " the labels of both splits, and that the clips show what decides"
    )


def _no_better_than_mean(curve: TrainingCurve) -> Finding | None:
    r2 = curve.last("val_r2")
    if r2 is None or r2 > 0 or not _is_trained(curve):
        return None
    return Finding(
        f"validation R2 {r2:.2f}: no better than giving the mean for all videos; check the labels"
        " of both splits, and that the clips show what decides"
    )


def _useless_features(curve: TrainingCurve) -> Finding | None:
    probe = curve.last_probe
    if curve.kind != "pretrain" or probe is None or not _is_trained(curve):
        return None
    if probe.value > probe.limit:
        return None
    return Finding(
        f"the last probe of the features, {probe.describe(probe.value)}, is no better than the best"
        f" constant answer, {probe.describe(probe.constant)} of {probe.videos:,.0f} videos: the"
        f" features do not tell these labels apart; {curve.plateau or WEIGHTS}"
    )


def _is_trained(curve: TrainingCurve) -> bool:
    """Return whether a run has had enough steps after warm-up, and learns no more."""
    is_at_end = 0 < curve.steps <= curve.step
    return curve.step - curve.warmup >= MIN_STEPS and (is_at_end or curve.is_flat)


def _flat_clips(curve: TrainingCurve) -> Finding | None:
    flat = curve.last("flat") or 0.0
    if flat < MAX_FLAT_FRACTION:
        return None
    brightness = curve.last("brightness") or 0.0
    colour = "black" if brightness < 0.05 else "of one colour"
    return Finding(
        f"{flat:.0%} of the probed clips are entirely {colour}: check the videos and their decoding"
    )


def _wrong_normalisation(curve: TrainingCurve) -> Finding | None:
    mean, std = curve.last("input_mean"), curve.last("input_std")
    if mean is None or std is None or _flat_clips(curve):
        return None
    if 0.1 <= std <= 3 and abs(mean) <= 3:
        return None
    return Finding(
        f"normalised pixels have mean {mean:.3g} and standard deviation {std:.3g} instead of "
        "about 0 and 1: clip.mean and clip.std are for pixels from 0 to 1"
    )


def _repeated_order(curve: TrainingCurve) -> Finding | None:
    marks = curve.column("order")
    if len(marks) < 3 or len(set(marks)) > 1:
        return None
    return Finding(
        f"all {len(marks)} epochs began with the same videos in the same order: the data are not "
        "shuffled anew each epoch"
    )


RULES: tuple[Callable[[TrainingCurve], Finding | None], ...] = (
    _nonfinite_loss,
    _skipped_steps,
    _rising_loss,
    _loss_spike,
    _no_better_than_baseline,
    _abnormal_gradient,
    _collapsed_features,
    _chance_accuracy,
    _no_better_than_mean,
    _useless_features,
    _flat_clips,
    _wrong_normalisation,
    _repeated_order,
)


def _lr_advice(curve: TrainingCurve) -> str:
    peak = f"the learning rate (up to {curve.peak_lr:.3g})"
    if curve.has_excessive_lr:
        return f"{peak} is far too high; lower optim.base_lr"
    return f"{peak} may be too high; lower optim.base_lr or clip gradients"
