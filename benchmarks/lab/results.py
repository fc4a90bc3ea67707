"""The results: the effect of each claim from the rows of all seeds, as one JSON document."""

from collections.abc import Iterable, Sequence
from typing import Any

from measuring.machine import describe_machine, installed_versions, now

from lab.claims import Claim
from lab.paired import LEAST_EFFECT, decide, estimate_effect
from lab.training import Row

Rows = dict[tuple[str, int], Row]
"""Rows by score and seed."""


def paired_differences(claim: Claim, rows: Rows, seeds: Iterable[int]) -> dict[int, float]:
    """Return the difference of each seed that has all scores of a claim, in points."""
    found = {}
    for seed in seeds:
        if all((score, seed) in rows for score in claim.scores):
            plus, minus = (
                sum(rows[score, seed]["top1"] for score in scores)
                for scores in (claim.plus, claim.minus)
            )
            found[seed] = plus - minus
    return found


def summarize_claim(claim: Claim, rows: Rows, seeds: Iterable[int]) -> dict[str, Any]:
    """Return the effect of a claim with its verdict, as a JSON document."""
    differences = paired_differences(claim, rows, seeds)
    effect = estimate_effect(list(differences.values()))
    numbers = None if effect is None else [round(value, 3) for value in effect]
    return {
        "effect": numbers and numbers[0],
        "interval": numbers and numbers[1:],
        "differences": {str(seed): round(value, 3) for seed, value in differences.items()},
        "verdict": decide(effect),
    }


def make_document(
    claims: Sequence[Claim], rows: Rows, seeds: Sequence[int], *, is_quick: bool, workers: int
) -> dict[str, Any]:
    """Return all results as a JSON document."""
    return {
        "benchmark": "science",
        "date": now(),
        "machine": describe_machine(threads=1),
        "versions": installed_versions("torch", "numpy", "scikit-learn"),
        "settings": {"seeds": list(seeds), "workers": workers, "is_quick": is_quick},
        "least_effect": LEAST_EFFECT,
        "claims": {claim.name: summarize_claim(claim, rows, seeds) for claim in claims},
        "rows": [shorten(row) for row in rows.values()],
    }


def shorten(row: Row) -> Row:
    """Return a row without its settings and versions, which the recipes and the document give."""
    hidden = ("settings", "versions", "processor")
    return {name: _round(value) for name, value in row.items() if name not in hidden}


def _round(value: object) -> object:
    return round(value, 5) if isinstance(value, float) else value
