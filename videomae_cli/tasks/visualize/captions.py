"""The words on a picture: what was cut, hidden, predicted, and what must be known to read it."""

import math
from collections.abc import Sequence
from typing import Any

from videomae_cli.config.model import Source
from videomae_cli.grid import TokenGrid
from videomae_cli.report import Report
from videomae_cli.tasks.visualize.layout import Caption
from videomae_cli.tasks.visualize.masked_clip import ClipView, MaskedClip, MotionMap
from videomae_cli.tasks.visualize.panels import find_legend_states
from videomae_cli.tasks.visualize.reconstruct import Reconstruction, StatisticsSource
from videomae_cli.tasks.visualize.setup import MAX_RECONSTRUCTIONS, Options, Setup
from videomae_cli.tasks.visualize.strategies import format_name
from videomae_cli.tasks.visualize.token_states import count_tokens

DEFAULT_FPS = 25.0  # where a file does not say
MIN_PLAYBACK_FPS = 4.0  # of a film: below, motion falls apart into pictures

NOTICES: dict[StatisticsSource, str] = {
    "visible": "Patch statistics estimated from visible tokens: no hidden pixel was used.",
    "target": "Uses ground-truth patch statistics: brightness and contrast of each hidden patch are"
    " the original's.",
    "none": "The model predicts pixels directly: no patch statistics were used.",
}
MOTION_SOURCES: dict[Source, str] = {
    "pixels": "no model: motion measured on pixels",
    "online": "motion measured by the model's embedding",
}


def write_caption(
    clip: ClipView, setup: Setup, masked_clips: Sequence[MaskedClip], *, seed: int
) -> Caption:
    """Say what clip, mask and model this is, and where the reconstruction's brightness is from."""
    grid, first = setup.grid, masked_clips[0]
    select_masks = f"  ·  {format_name(first.spec)} mask, ratio {first.spec.ratio:g}"
    lines = [
        f"{grid.frames} frames, {describe_sampling(clip, setup)}"
        f"{select_masks if len(masked_clips) == 1 else ''}, seed {seed}"
        f"  ·  tokens of {grid.tubelet} x {grid.patch} x {grid.patch} pixels"
    ]
    reconstruction = first.reconstruction
    if setup.model is not None:
        figured = (
            f"  ·  {describe_quality(reconstruction)}"
            if reconstruction is not None and len(masked_clips) == 1
            else ""
        )
        lines.append(f"{setup.description}{figured}")
    if reconstruction is not None and reconstruction.predicted_frames < grid.tubelet:
        lines.append(describe_repeated_frames(reconstruction, grid))
    states = tuple(find_legend_states(setup, masked_clips))
    if reconstruction is None:
        return Caption(clip.path.name, tuple(lines), "", is_warning=False, states=states)
    return Caption(
        clip.path.name,
        tuple(lines),
        NOTICES[reconstruction.statistics],
        is_warning=reconstruction.statistics == "target",
        states=states,
    )


def write_notice(reconstruction: Reconstruction, grid: TokenGrid) -> str:
    """Say what must be known to read a reconstruction: borrowed brightness, repeated frames."""
    notice = NOTICES[reconstruction.statistics]
    if reconstruction.predicted_frames == grid.tubelet:
        return notice
    return f"{notice} {describe_repeated_frames(reconstruction, grid)}"


def describe_repeated_frames(reconstruction: Reconstruction, grid: TokenGrid) -> str:
    """Say that not every frame shown was predicted."""
    return (
        f"Of the {grid.tubelet} frames of a hidden token the model predicts"
        f" {reconstruction.predicted_frames}; the rest repeat it and are in no figure."
    )


def describe_quality(reconstruction: Reconstruction) -> str:
    """Return how good a reconstruction is, beside what needs no model."""
    best = reconstruction.ceiling_psnr
    bound = "" if best is None else f", with a perfect pattern {best:.1f} dB"
    return (
        f"loss {reconstruction.loss:.3f}, hidden pixels {reconstruction.psnr:.1f} dB"
        f" (flat patches guessed from visible ones {reconstruction.plain_psnr:.1f} dB{bound})"
    )


def format_heading(clip: ClipView, place: int) -> str:
    """Name one frame of the clip by its number and time in the video."""
    index = clip.indices[place]
    return f"frame {index}  ·  {index / get_fps(clip):.2f} s"


def describe_sampling(clip: ClipView, setup: Setup) -> str:
    """Say how the frames of a clip were chosen, and how long a time they cover."""
    seconds = (clip.indices[-1] - clip.indices[0]) / get_fps(clip)
    choice = "evenly spread" if setup.sampling == "segment" else f"every {_ordinal(setup.stride)}"
    if setup.frame_choice is not None:
        choice = f"chosen by their motion from {setup.frame_choice.candidates.frames}, {choice}"
    repeats = "" if len(set(clip.indices)) == len(clip.indices) else ", the last repeated"
    return f"{choice}{repeats} ({seconds:.1f} s)"


def compute_playback_fps(clip: ClipView, setup: Setup) -> float:
    """Return the frames per second at which the clip moves as fast as its video, or 4 at least."""
    steps: float = setup.stride
    if setup.sampling == "segment":
        steps = max(1, clip.indices[-1] - clip.indices[0]) / max(1, len(clip.indices) - 1)
    return max(MIN_PLAYBACK_FPS, get_fps(clip) / steps)


def get_fps(clip: ClipView) -> float:
    """Return the video's frames per second, or a guess where the file does not say."""
    return clip.info.fps or DEFAULT_FPS


def _ordinal(number: int) -> str:
    if number == 1:
        return "frame"
    ends = {1: "st", 2: "nd", 3: "rd"}
    end = "th" if 10 <= number % 100 <= 20 else ends.get(number % 10, "th")
    return f"{number}{end} frame"


def report_setup(setup: Setup, report: Report) -> None:
    """Report the checkpoint, how its weights were loaded, and its known defects."""
    for line in (setup.description, *setup.load_messages):
        report.say(line)
    if setup.warning:
        report.warn(setup.warning)


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
