"""The tables of docs/science.md, from the results of `benchmarks/science.py`."""

import re
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from lab.claims import ARMS, CLAIMS, Arm, Claim

BLOCK = re.compile(r"<!-- table: ([\w-]+) -->\n.*?<!-- end -->", re.DOTALL)
MISSING = "not measured yet"
PLOTS = {
    "science-claims.png": "The effect of each claim with its 95 % interval",
    "science-masking.png": "Probed top-1 by masking strategy and ratio",
    "science-labels.png": "Top-1 after fine-tuning by the number of labels",
}
Content = Mapping[str, Any]


def render(name: str, content: Content | None) -> str:
    """Return a block with its markers; without results it says that nothing was measured."""
    text = MISSING if content is None and name != "claims" else BLOCKS[name](content or {})
    return f"<!-- table: {name} -->\n\n{text}\n\n<!-- end -->"


def updated(page: str, content: Content | None) -> str:
    """Return the page with all blocks written anew."""
    return BLOCK.sub(lambda found: render(found[1], content), page)


def describe_claims(content: Content) -> str:
    """Return one row for each claim; those without results are not measured yet."""
    head = (
        "claim",
        "paper and its figures, top-1 %",
        "effect here, points (95 %)",
        "verdict",
        "command",
    )
    rows = [_claim_row(claim, content.get("claims", {}).get(claim.name)) for claim in CLAIMS]
    return _table(head, rows)


def _claim_row(claim: Claim, result: Content | None) -> tuple[str, ...]:
    command = f"`science.py --claims {claim.name}`"
    effect, verdict = "", MISSING
    if result is not None and result["effect"] is not None:
        low, high = result["interval"]
        effect = f"{result['effect']:+.1f} [{low:+.1f}, {high:+.1f}]"
        effect += f", {len(result['differences'])} seeds"
        verdict = f"**{result['verdict']}**"
    return claim.sentence, claim.source, effect, verdict, command


def describe_conditions(content: Content) -> str:
    """Return date, machine, versions and time in a paragraph."""
    machine, settings = content["machine"], content["settings"]
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    dates = sorted(row["date"][:10] for row in content["rows"])
    hours = sum(row["cpu_seconds"] for row in content["rows"]) / 3600
    seeds = ", ".join(map(str, settings["seeds"]))
    return (
        f"{dates[0]} to {dates[-1]}, {machine['processor']}, {machine['cores']} cores, workers of"
        f" one thread, training in fp32; {versions}; seeds {seeds}; {hours:.1f} hours of CPU for"
        f" the training of {len(content['rows'])} models."
        + (" A quick run, which proves nothing." if settings["is_quick"] else "")
    )


def describe_arms(content: Content) -> str:
    """Return one row for each pretraining, with the means over seeds."""
    head = "arm", "changes", "steps", "forward GMAC", "CPU s", "loss / loss of the mean", "top-1 %"
    rows = []
    for arm in ARMS:
        found = rows_of(content, arm.name)
        if found:
            means = {
                name: fmean(row[name] for row in found)
                for name in ("steps", "forward_macs", "cpu_seconds", "top1")
            }
            shares = [row["loss"] / row["mean_loss"] for row in found]
            rows.append(
                (
                    f"`{arm.name}`",
                    _describe_changes(arm),
                    f"{means['steps']:,.0f}",
                    f"{means['forward_macs'] / 1e9:,.0f}",
                    f"{means['cpu_seconds']:.0f}",
                    f"{fmean(shares):.2f}",
                    f"{means['top1']:.1f}",
                )
            )
    return _table(head, rows) if rows else MISSING


def describe_finetuning(content: Content) -> str:
    """Return one row for each number of labels, with the means over seeds."""
    cells: dict[int, dict[str, str]] = {}
    for score in dict.fromkeys(row["score"] for row in content["rows"]):
        arm, _, labels = score.partition("@")
        if labels:
            top1 = [row["top1"] for row in rows_of(content, score)]
            column = "scratch" if arm == "scratch" else "pretrained"
            cells.setdefault(int(labels), {})[column] = f"{fmean(top1):.1f}"
    rows = [
        (f"{labels:,}", found.get("pretrained", ""), found.get("scratch", ""))
        for labels, found in sorted(cells.items())
    ]
    return _table(("labels", "pretrained, top-1 %", "from scratch"), rows) if rows else MISSING


def show_plots(content: Content) -> str:
    """Return the pictures as Markdown."""
    return "\n\n".join(f"![{text}]({name})" for name, text in PLOTS.items())


def rows_of(content: Content, score: str) -> list[Content]:
    """Return the rows of a score, of all seeds."""
    return [row for row in content["rows"] if row["score"] == score]


def _describe_changes(arm: Arm) -> str:
    parts = [f"`{change}`" for change in arm.changes]
    parts += [f"videos `{arm.data}`"] if arm.data != "unlabelled" else []
    if arm.equal is not None:
        unit, other = arm.equal
        parts.append(f"{'FLOP' if unit == 'flop' else 'seconds'} of `{other}`")
    return ", ".join(parts) or "the recipe"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


BLOCKS = {
    "claims": describe_claims,
    "conditions": describe_conditions,
    "arms": describe_arms,
    "finetuning": describe_finetuning,
    "plots": show_plots,
}
