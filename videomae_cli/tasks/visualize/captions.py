"""The words on a picture: what was cut, hidden, predicted, and what must be known to read it."""

from collections.abc import Sequence

from videomae_cli.grid import TokenGrid
from videomae_cli.tasks.visualize.layout import Caption
from videomae_cli.tasks.visualize.masked_clip import ClipView, MaskedClip
from videomae_cli.tasks.visualize.reconstruct import Reconstruction, StatisticsSource
from videomae_cli.tasks.visualize.rows import find_legend_states
from videomae_cli.tasks.visualize.setup import Setup
from videomae_cli.tasks.visualize.strategies import format_name

DEFAULT_FPS = 25.0  # where a file does not say
MIN_PLAYBACK_FPS = 4.0  # of a film: below, motion falls apart into pictures

NOTICES: dict[StatisticsSource, str] = {
    "visible": "Patch statistics estimated from visible tokens: no hidden pixel was used.",
    "target": "Uses ground-truth patch statistics: brightness and contrast of each hidden patch are"
    " the original's.",
    "none": "The model predicts pixels directly: no patch statistics were used.",
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
