"""What `visualize-mask` says: in sentences to a report, as plain data to a program."""

import math
from collections.abc import Sequence
from typing import Any

from videomae_cli.config.model import Source
from videomae_cli.report import Report
from videomae_cli.tasks.visualize.captions import describe_quality, describe_sampling, write_notice
from videomae_cli.tasks.visualize.masked_clip import ClipView, MaskedClip, MotionMap
from videomae_cli.tasks.visualize.reconstruct import Reconstruction
from videomae_cli.tasks.visualize.setup import MAX_RECONSTRUCTIONS, Options, Setup
from videomae_cli.tasks.visualize.strategies import format_name
from videomae_cli.tasks.visualize.token_states import count_tokens

MOTION_SOURCES: dict[Source, str] = {
    "pixels": "no model: motion measured on pixels",
    "online": "motion measured by the model's embedding",
}


def report_masks(
    clip: ClipView,
    setup: Setup,
    masked_clips: Sequence[MaskedClip],
    motion: MotionMap | None,
    report: Report,
) -> None:
    """Say which frames were cut, and how many tokens each mask treats in which way."""
    grid = setup.grid
    cut = (
        f"{clip.path.name}: frames {clip.indices[0]} to {clip.indices[-1]} of {clip.info.frames},"
        f" {describe_sampling(clip, setup)}; {grid.height} x {grid.width} pixels"
    )
    given = [_describe_masked_clip(masked_clip, setup) for masked_clip in masked_clips]
    for line in [f"{cut}; {given[0]}"] if len(masked_clips) == 1 else [cut, *given]:
        report.say(line)
    if motion is not None:
        report.say(MOTION_SOURCES[motion.source])
    distinct = len(set(clip.indices))
    if distinct < grid.frames:
        report.warn(
            f"the video is short: the clip has {distinct} different frames, the rest are repeats"
        )
    if setup.model is not None and not setup.reconstructs:
        report.warn(f"masks alone: with more than {MAX_RECONSTRUCTIONS} no reconstruction is drawn")


def report_reconstructions(
    setup: Setup, masked_clips: Sequence[MaskedClip], options: Options, report: Report
) -> None:
    """Say how good the reconstructions are, if there are any."""
    results = [
        (masked_clip.spec, masked_clip.reconstruction)
        for masked_clip in masked_clips
        if masked_clip.reconstruction is not None
    ]
    for spec, reconstruction in results:
        name = f"{format_name(spec)}: " if len(results) > 1 else ""
        report.say(f"{name}{describe_quality(reconstruction)}")
    if not results:
        return
    first = results[0][1]
    report.say(write_notice(first, setup.grid))
    if options.target_stats and first.statistics == "none":
        report.warn("--target-stats changes nothing: this model predicts pixels directly")


def mask_to_json(masked_clip: MaskedClip, setup: Setup) -> dict[str, Any]:
    """Return one mask's counts, and how well it was filled in, as plain data."""
    counts = count_tokens(masked_clip.mask, masked_clip.spec, setup.grid)
    return {
        "strategy": format_name(masked_clip.spec),
        "mask": masked_clip.spec.model_dump(mode="json"),
        "hidden": counts.hidden,
        **counts._asdict(),
        **(
            _reconstruction_to_json(masked_clip.reconstruction, setup)
            if masked_clip.reconstruction is not None
            else {}
        ),
    }


def _reconstruction_to_json(reconstruction: Reconstruction, setup: Setup) -> dict[str, Any]:
    return {
        "statistics": reconstruction.statistics,
        "notice": write_notice(reconstruction, setup.grid),
        "loss": reconstruction.loss,
        "psnr": _finite_or_none(reconstruction.psnr),
        "plain_psnr": _finite_or_none(reconstruction.plain_psnr),
        "ceiling_psnr": _finite_or_none(reconstruction.ceiling_psnr),
    }


def _describe_masked_clip(masked_clip: MaskedClip, setup: Setup) -> str:
    counts = count_tokens(masked_clip.mask, masked_clip.spec, setup.grid)
    text = (
        f"{format_name(masked_clip.spec)} mask, ratio {masked_clip.spec.ratio:g},"
        f" hides {counts.hidden:,} of {counts.tokens:,} tokens"
    )
    return text if counts.predicts_all_hidden else f"{text}: {', '.join(counts.describe())}"


def _finite_or_none(figure: float | None) -> float | None:
    return figure if figure is not None and math.isfinite(figure) else None
