"""Diagnose a run from its logged metrics: normal, suspicious or diverged, with reasons.

The diagnosis is a pure function of the lines of `metrics.jsonl`. A normal run may still have
learned little that is useful; only an evaluation shows that.
"""

import math
from typing import NamedTuple

from videomae_cli.tasks.diagnose.rules import MIN_STEPS, RULES, Word
from videomae_cli.tasks.diagnose.training_curve import PROBES, TrainingCurve


class Verdict(NamedTuple):
    """The result of a diagnosis, with at least one reason."""

    word: Word
    reasons: tuple[str, ...]

    def headline(self) -> str:
        """Format the verdict as one line."""
        return f"verdict: {self.word}: {'; '.join(self.reasons)}"


def diagnose(curve: TrainingCurve) -> Verdict:
    """Decide whether a run is normal, suspicious or diverged; the note is the last reason."""
    verdict = _judge(curve)
    return verdict._replace(reasons=(*verdict.reasons, curve.note)) if curve.note else verdict


def _judge(curve: TrainingCurve) -> Verdict:
    is_empty = not curve.column("loss")
    findings = [] if is_empty else [found for rule in RULES if (found := rule(curve)) is not None]
    reasons = tuple(finding.reason for finding in findings)
    if curve.failure:
        return Verdict("diverged", (curve.failure, *reasons))
    if is_empty:
        return Verdict("normal", ("nothing has been logged yet",))
    if findings:
        is_diverged = any(finding.word == "diverged" for finding in findings)
        return Verdict("diverged" if is_diverged else "suspicious", reasons)
    return Verdict("normal", (_summarize(curve),))


def _summarize_probes(curve: TrainingCurve) -> list[str]:
    """Return the first and the last probe of the features, if there are any."""
    parts = []
    for column, name in PROBES.items():
        values = [value for value in curve.column(column) if math.isfinite(value)]
        if values:
            form = ".3f" if column == "probe_r2" else ".1%"
            between = [format(value, form) for value in (values[0], values[-1])]
            parts.append(f"probe {name} {' to '.join(between[: len(values)])}")
    return parts


def _summarize(curve: TrainingCurve) -> str:
    """Summarise the metrics of a run without faults."""
    losses, trivial, rank = curve.column("loss"), curve.last("trivial_loss"), curve.last("rank")
    parts = [f"loss {losses[0]:.3g} to {curve.end_loss:.3g}"]
    if trivial:
        parts.append(f"{curve.baseline} gives {trivial:.3g}")
    if (top1 := curve.last("val_top1")) is not None:
        parts.append(f"validation accuracy {top1:.1%}")
    if (mean_precision := curve.last("val_map")) is not None:
        parts.append(f"validation mAP {mean_precision:.1%}")
    if (error := curve.last("val_mae")) is not None:
        r2 = curve.last("val_r2")
        parts.append(f"validation mean absolute error {error:.3g}")
        parts += [f"validation R2 {r2:.3f}"] * (r2 is not None)
    parts += _summarize_probes(curve)
    parts.append(f"gradient norm {curve.column('grad_norm')[-1]:.3g}")
    if rank is not None:
        parts.append(f"effective rank of the features {rank:.1f}")
    summary = ", ".join(parts)
    if curve.step - curve.warmup < MIN_STEPS:
        summary += "; too few steps after warm-up for a full diagnosis"
    return summary
