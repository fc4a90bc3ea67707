"""The result of `videomae eval --baselines`, for people and as JSON."""

import math
from typing import Any, NamedTuple

from videomae_cli.config.model import Task
from videomae_cli.tasks.probe.baselines import BaselineScore
from videomae_cli.tasks.probe.measures import NAMES, Interval, Measure


class BaselineReport(NamedTuple):
    """The measures of all baselines, and of the model if there is one."""

    task: Task
    split: str
    scores: tuple[BaselineScore, ...]
    folds: str
    """How the folds were made, for people."""
    warnings: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    """One message for each video that could not be read."""
    model: Measure | None = None
    difference: Interval | None = None
    """Model minus the best baseline on the split, on the same videos."""

    @property
    def best(self) -> BaselineScore:
        """The baseline with the highest measure, on the split if there is one."""
        measured = [score for score in self.scores if score.main is not None]
        return max(measured, key=lambda score: _value(score.main))

    def as_json(self) -> dict[str, Any]:
        """Return the report as a JSON document."""
        return {
            "task": self.task,
            "split": self.split,
            "folds": self.folds,
            "baselines": {score.key: score.as_json() for score in self.scores},
            "best_baseline": self.best.key,
            "model": self.model and self.model.as_json(),
            "model_minus_best": self.difference and self.difference._asdict(),
            "sentence": self.sentence(),
            "warnings": list(self.warnings),
            "unreadable": list(self.unreadable),
        }

    def sentence(self) -> str:
        """Return the one line to print beside every result."""
        name = self.best.name[0].upper() + self.best.name[1:]
        alone = f"{name} alone: {_short(self.best.main)}."
        if self.model is None or self.difference is None:
            return alone
        text = f"Your model: {_short(self.model)}. {alone}"
        difference = self.difference.format_difference(self.task)
        if self.difference.is_positive:
            return f"{text} The model is better ({difference})."
        if self.difference.is_negative:
            return f"{text} The model is worse than this shortcut ({difference})."
        return f"{text} No difference can be shown ({difference})."

    def rows(self) -> list[tuple[str, ...]]:
        """Return the rows of the table: name, cross-validated with AUC, on the split."""
        rows: list[tuple[str, ...]] = [
            (score.name, *_cells(score.cross_validated), *_cells(score.on_split)[:1])
            for score in self.scores
        ]
        if self.model is not None:
            rows.append(("your model", "", "", *_cells(self.model)[:1]))
        return rows

    def columns(self) -> tuple[str, ...]:
        """Return the heads of the columns of the table."""
        measure = NAMES[self.task]
        return "", f"{measure}, cross-validated", "AUC", f"{measure} on {self.split}"


def _value(measure: Measure | None) -> float:
    return -math.inf if measure is None else measure.interval.value


def _short(measure: Measure | None) -> str:
    value = _value(measure)
    is_percent = measure is None or measure.task != "regression"
    return f"{100 * value:.1f} %" if is_percent else f"{value:.2f}"


def _cells(measure: Measure | None) -> tuple[str, str]:
    """Return measure and AUC as text."""
    if measure is None:
        return "", ""
    auc = "" if measure.auc is None else f"{100 * measure.auc:.1f}"
    return measure.interval.format(measure.task), auc
