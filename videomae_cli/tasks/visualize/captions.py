"""Write the texts of `visualize-mask`: captions on pictures, messages to the user, JSON."""

import math
from collections.abc import Sequence
from typing import Any

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model import MotionSource
from videomae_cli.grid import TokenGrid
from videomae_cli.report import Report, printable
from videomae_cli.tasks.visualize.layout import Caption
from videomae_cli.tasks.visualize.masked_clip import ClipView, MaskedClip, MotionMap
from videomae_cli.tasks.visualize.panels import find_legend_states
from videomae_cli.tasks.visualize.reconstruct import Reconstruction, StatisticsSource
from videomae_cli.tasks.visualize.setup import MAX_RECONSTRUCTIONS, Setup
from videomae_cli.tasks.visualize.strategies import format_name
from videomae_cli.tasks.visualize.token_states import count_tokens

DEFAULT_FPS = 25.0  # for playing a video whose frame rate is unknown
MIN_PLAYBACK_FPS = 4.0  # slower clips no longer look like motion

NOTICES: dict[StatisticsSource, str] = {
    "visible": "Patch statistics (mean and std) estimated from visible tokens;"
    " no hidden pixel was used.",
    "target": "Uses ground-truth patch statistics: mean and std of each hidden patch are those of"
    " the original.",
    "none": "The model predicts pixels directly; no patch statistics were used.",
}
MOTION_SOURCES: dict[MotionSource, str] = {
    "pixels": "motion measured on pixels (no model)",
    "online": "motion measured on the embeddings of the model",
}


def write_caption(
    clip: ClipView, setup: Setup, masked_clips: Sequence[MaskedClip], *, seed: int
) -> Caption:
    """Describe clip, mask and model, and name the source of the patch statistics."""
    grid, is_single = setup.grid, len(masked_clips) == 1
    spec, _, reconstruction = masked_clips[0]
    notice, is_warning = "", False
    mask = f"  ·  {format_name(spec)} mask, ratio {spec.ratio:g}" if is_single else ""
    lines = [
        f"{grid.frames} frames, {describe_sampling(clip, setup)}{mask}, seed {seed}"
        f"  ·  token: {grid.tubelet} frames x {grid.patch} x {grid.patch} pixels"
    ]
    if setup.model is not None:
        lines.append(setup.description)
    if reconstruction is not None:
        notice = NOTICES[reconstruction.statistics]
        is_warning = reconstruction.statistics == "target"
        if is_single:
            lines[-1] += f"  ·  {describe_quality(reconstruction)}"
        if reconstruction.predicted_frames < grid.tubelet:
            lines.append(describe_repeated_frames(reconstruction, grid))
    states = tuple(find_legend_states(setup, masked_clips))
    title, *texts = (printable(text) for text in (clip.path.name, *lines))
    return Caption(title, tuple(texts), notice, is_warning, states)


def write_notice(reconstruction: Reconstruction, grid: TokenGrid) -> str:
    """Return what a viewer must know: the source of the patch statistics, repeated frames."""
    notice = NOTICES[reconstruction.statistics]
    if reconstruction.predicted_frames == grid.tubelet:
        return notice
    return f"{notice} {describe_repeated_frames(reconstruction, grid)}"


def describe_repeated_frames(reconstruction: Reconstruction, grid: TokenGrid) -> str:
    """State how many frames of a hidden token are predicted."""
    return (
        f"The model predicts {reconstruction.predicted_frames} of the {grid.tubelet} frames of a"
        " hidden token; the others repeat the nearest one and are not counted in loss and PSNR."
    )


def describe_quality(reconstruction: Reconstruction) -> str:
    """Return loss and PSNR, with a baseline that needs no model and the upper bound."""
    best = reconstruction.ceiling_psnr
    bound = "" if best is None else f", upper bound with estimated statistics {best:.1f} dB"
    return (
        f"loss {reconstruction.loss:.3f}, PSNR of hidden pixels {reconstruction.psnr:.1f} dB"
        f" (baseline without a model {reconstruction.plain_psnr:.1f} dB{bound})"
    )


def format_heading(clip: ClipView, position: int) -> str:
    """Return index, and time if known, in the video of the frame at `position` in the clip."""
    index = clip.indices[position]
    time = f"  ·  {index / clip.info.fps:.2f} s" if clip.info.fps else ""
    return f"frame {index}{time}"


def describe_sampling(clip: ClipView, setup: Setup) -> str:
    """Describe the selection of the frames of a clip, and its duration."""
    sampling = _describe_step(setup.clip)
    if setup.frame_choice is not None:
        sampling = f"selected by motion from {setup.frame_choice.candidates.frames}, {sampling}"
    repeats = "" if len(set(clip.indices)) == len(clip.indices) else ", some repeated"
    if not clip.info.fps:
        return f"{sampling}{repeats} (frame rate unknown)"
    seconds = (clip.indices[-1] - clip.indices[0]) / clip.info.fps
    return f"{sampling}{repeats} ({seconds:.1f} s)"


def _describe_step(clip: ClipSpec) -> str:
    if clip.sampling == "segment":
        return "evenly spread"
    if clip.step_seconds is not None:
        return f"{1 / clip.step_seconds:g} frames per second"
    return f"stride {clip.stride_frames}"


def compute_playback_fps(clip: ClipView, setup: Setup) -> float:
    """Return the frames per second for original speed, but at least `MIN_PLAYBACK_FPS`."""
    clip_spec = setup.clip
    if clip_spec.step_seconds is not None:
        return max(MIN_PLAYBACK_FPS, 1 / clip_spec.step_seconds)
    stride: float = clip_spec.stride_frames or 1
    if clip_spec.sampling == "segment":
        stride = max(1, clip.indices[-1] - clip.indices[0]) / max(1, len(clip.indices) - 1)
    return max(MIN_PLAYBACK_FPS, (clip.info.fps or DEFAULT_FPS) / stride)


def report_masks(
    clip: ClipView,
    setup: Setup,
    masked_clips: Sequence[MaskedClip],
    motion: MotionMap | None,
    report: Report,
) -> None:
    """Report the frames of the clip, and the token counts of each mask."""
    grid = setup.grid
    frames = (
        f"{clip.path.name}: frames {clip.indices[0]} to {clip.indices[-1]} of {clip.info.frames},"
        f" {describe_sampling(clip, setup)}; {grid.height} x {grid.width} pixels"
    )
    masks = [_describe_mask(masked_clip, grid) for masked_clip in masked_clips]
    for line in [f"{frames}; {masks[0]}"] if len(masks) == 1 else [frames, *masks]:
        report.say(line)
    if motion is not None:
        report.say(MOTION_SOURCES[motion.source])
    distinct = len(set(clip.indices))
    if distinct < grid.frames:
        report.warn(
            f"the video is short: {grid.frames - distinct} of the {grid.frames} frames of the clip"
            " are repeats"
        )
    if setup.model is not None and not setup.reconstructs:
        report.warn(
            f"more than {MAX_RECONSTRUCTIONS} strategies: showing the masks only, without"
            " reconstructions"
        )


def report_reconstructions(
    setup: Setup, masked_clips: Sequence[MaskedClip], report: Report
) -> None:
    """Report the quality of the reconstructions, if there are any."""
    first = masked_clips[0].reconstruction
    if first is None:
        return
    for spec, _, reconstruction in masked_clips:
        assert reconstruction is not None
        name = f"{format_name(spec)}: " if len(masked_clips) > 1 else ""
        report.say(f"{name}{describe_quality(reconstruction)}")
    report.say(write_notice(first, setup.grid))
    if setup.target_stats and first.statistics == "none":
        report.warn("--target-stats has no effect: this model predicts pixels directly")


def mask_to_json(masked_clip: MaskedClip, setup: Setup) -> dict[str, Any]:
    """Return the counts of a mask and the quality of its reconstruction as plain data."""
    spec, mask, reconstruction = masked_clip
    counts = count_tokens(mask, spec, setup.grid)
    data = {
        "strategy": format_name(spec),
        "mask": spec.model_dump(mode="json"),
        "hidden": counts.hidden,
        **counts._asdict(),
    }
    if reconstruction is not None:
        data["statistics"] = reconstruction.statistics
        data["notice"] = write_notice(reconstruction, setup.grid)
        data["loss"] = reconstruction.loss
        for name in ("psnr", "plain_psnr", "ceiling_psnr"):
            value: float | None = getattr(reconstruction, name)
            data[name] = value if value is not None and math.isfinite(value) else None
    return data


def _describe_mask(masked_clip: MaskedClip, grid: TokenGrid) -> str:
    spec, mask, _ = masked_clip
    counts = count_tokens(mask, spec, grid)
    text = (
        f"{format_name(spec)} mask, ratio {spec.ratio:g},"
        f" hides {counts.hidden:,} of {counts.tokens:,} tokens"
    )
    return text if counts.predicts_all_hidden else f"{text}: {', '.join(counts.describe())}"
