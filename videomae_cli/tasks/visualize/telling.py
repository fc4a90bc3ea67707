"""What `visualize-mask` says: in sentences to a report, as plain data to a program."""

import math
from collections.abc import Sequence
from typing import Any

from videomae_cli.config.model import Source
from videomae_cli.report import Report
from videomae_cli.tasks.visualize.captions import figures, notice_of, span_of
from videomae_cli.tasks.visualize.masked_clip import Look, Motion, Take
from videomae_cli.tasks.visualize.reconstruct import Reconstruction
from videomae_cli.tasks.visualize.setup import MOST_FILLED_IN, Scene, Wish
from videomae_cli.tasks.visualize.strategies import name_of
from videomae_cli.tasks.visualize.token_states import counts_of

SOURCES: dict[Source, str] = {
    "pixels": "no model: motion measured on pixels",
    "online": "motion measured by the model's embedding",
}


def tell(
    take: Take, scene: Scene, looks: Sequence[Look], motion: Motion | None, report: Report
) -> None:
    """Say which frames were cut, and how many tokens each mask treats in which way."""
    grid = scene.grid
    cut = (
        f"{take.path.name}: frames {take.indices[0]} to {take.indices[-1]} of {take.info.frames},"
        f" {span_of(take, scene)}; {grid.height} x {grid.width} pixels"
    )
    told = [_mask_words(look, scene) for look in looks]
    for line in [f"{cut}; {told[0]}"] if len(looks) == 1 else [cut, *told]:
        report.say(line)
    if motion is not None:
        report.say(SOURCES[motion.source])
    distinct = len(set(take.indices))
    if distinct < grid.frames:
        report.warn(
            f"the video is short: the clip has {distinct} different frames, the rest are repeats"
        )
    if scene.model is not None and not scene.fills_in:
        report.warn(f"masks alone: with more than {MOST_FILLED_IN} no reconstruction is drawn")


def tell_results(scene: Scene, looks: Sequence[Look], wish: Wish, report: Report) -> None:
    """Say how good the reconstructions are, if there are any."""
    results = [(look.spec, look.result) for look in looks if look.result is not None]
    for spec, result in results:
        name = f"{name_of(spec)}: " if len(results) > 1 else ""
        report.say(f"{name}{figures(result)}")
    if not results:
        return
    first = results[0][1]
    report.say(notice_of(first, scene.grid))
    if wish.target_stats and first.statistics == "none":
        report.warn("--target-stats changes nothing: this model predicts pixels directly")


def look_json(look: Look, scene: Scene) -> dict[str, Any]:
    """Return one mask's counts, and how well it was filled in, as plain data."""
    counts = counts_of(look.mask, look.spec, scene.grid)
    return {
        "strategy": name_of(look.spec),
        "mask": look.spec.model_dump(mode="json"),
        "hidden": counts.hidden,
        **counts._asdict(),
        **(_result_json(look.result, scene) if look.result is not None else {}),
    }


def _result_json(result: Reconstruction, scene: Scene) -> dict[str, Any]:
    return {
        "statistics": result.statistics,
        "notice": notice_of(result, scene.grid),
        "loss": result.loss,
        "psnr": _finite(result.psnr),
        "plain_psnr": _finite(result.plain_psnr),
        "ceiling_psnr": _finite(result.ceiling_psnr),
    }


def _mask_words(look: Look, scene: Scene) -> str:
    counts = counts_of(look.mask, look.spec, scene.grid)
    text = (
        f"{name_of(look.spec)} mask, ratio {look.spec.ratio:g},"
        f" hides {counts.hidden:,} of {counts.tokens:,} tokens"
    )
    return text if counts.is_plain else f"{text}: {', '.join(counts.lines())}"


def _finite(figure: float | None) -> float | None:
    return figure if figure is not None and math.isfinite(figure) else None
