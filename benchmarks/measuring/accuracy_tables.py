"""Accuracies of `benchmarks/real_clips.py` as Markdown: how measured, rows, differences."""

from collections.abc import Mapping, Sequence
from typing import Any

NAMES = {"linear": "linear probe", "knn": "kNN"}
Value = Mapping[str, float]


def describe_accuracies(content: Mapping[str, Any]) -> str:
    """Return a result as text and two tables."""
    rows = [
        (_name(name), _percent(row["top1"]), _each(row["top1_seeds"]), _percent(row["auc"]))
        for name, row in content["accuracies"].items()
    ]
    pairs = [
        (
            f"{_name(pair['first'])} minus {_name(pair['second'])}",
            *(_difference(pair[key]) for key in ("top1", "auc")),
            _claim(pair),
        )
        for pair in content["comparisons"]
    ]
    head = ("", "top-1 % [95 %]", "each seed", "AUC [95 %]")
    differences = ("difference, points", "top-1 [95 %]", "AUC [95 %]", "claim")
    return "\n\n".join([_conditions(content), table(head, rows), table(differences, pairs)])


def _conditions(content: Mapping[str, Any]) -> str:
    machine, settings, minutes = (content[key] for key in ("machine", "settings", "minutes"))
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    instructions = ", ".join(machine["instruction_sets"]) or "none of interest"
    column = settings["group_column"]
    sources = f"by `{column}`" if column else "each clip counts as one"
    loss = content["pretraining"]
    seeds = ", ".join(map(str, settings["seeds"]))
    return (
        f"{content['date'][:10]}, `{content['benchmark']}`, {content['clips']} clips of"
        f" {content['sources']} sources ({sources}), {settings['folds']} folds by source, seeds"
        f" {seeds}; {machine['processor']}, {machine['threads']} thread, {instructions};"
        f" {versions}. Clips of 8 frames of {settings['size']} pixels at 10 Hz, batches of"
        f" {settings['batch']}: {settings['pretrain_steps']:,} steps of pretraining"
        f" ({minutes['pretraining']:.1f} minutes of the processor for each fold; loss"
        f" {loss['loss']:.4f}, predicting the mean of each frame {loss['frame_mean_loss']:.4f}),"
        f" {settings['finetune_steps']:,} of fine-tuning"
        f" ({minutes['fine-tuned, pretrained']:.1f} minutes); {minutes['all']:.0f} minutes in all."
    )


def _name(name: str) -> str:
    return ", ".join(NAMES.get(part, part) for part in name.split(", "))


def _percent(value: Value) -> str:
    return f"{_number(value['value'])} [{_number(value['low'])}, {_number(value['high'])}]"


def _difference(value: Value) -> str:
    return f"{100 * value['value']:+.1f} [{_number(value['low'])}, {_number(value['high'])}]"


def _number(share: float) -> str:
    return f"{round(100 * share, 1) + 0.0:.1f}"  # adding 0 turns a rounded -0.0 into 0.0


def _each(values: Sequence[float]) -> str:
    return ", ".join(_number(value) for value in values)


def _claim(pair: Mapping[str, Any]) -> str:
    """Return what may be said of the first side."""
    found = [
        f"{pair[f'{key}_claim']} by {name}"
        for key, name in (("top1", "top-1"), ("auc", "AUC"))
        if pair[f"{key}_claim"] != "none"
    ]
    return "; ".join(found) or "none: the intervals of the rows overlap"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
