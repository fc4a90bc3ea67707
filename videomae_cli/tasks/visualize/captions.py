"""The words on a picture: what was cut, hidden, predicted, and what must be known to read it."""

from collections.abc import Sequence

from videomae_cli.grid import TokenGrid
from videomae_cli.tasks.visualize.layout import Caption
from videomae_cli.tasks.visualize.masked_clip import Look, Take
from videomae_cli.tasks.visualize.reconstruct import Reconstruction, Statistics
from videomae_cli.tasks.visualize.rows import states_shown
from videomae_cli.tasks.visualize.setup import Scene
from videomae_cli.tasks.visualize.strategies import name_of

UNKNOWN_FPS = 25.0  # where a file does not say
SLOWEST_FPS = 4.0  # of a film: below, motion falls apart into pictures

NOTICES: dict[Statistics, str] = {
    "visible": "Patch statistics estimated from visible tokens: no hidden pixel was used.",
    "target": "Uses ground-truth patch statistics: brightness and contrast of each hidden patch are"
    " the original's.",
    "none": "The model predicts pixels directly: no patch statistics were used.",
}


def caption_of(take: Take, scene: Scene, looks: Sequence[Look], *, seed: int) -> Caption:
    """Say what clip, mask and model this is, and where the reconstruction's brightness is from."""
    grid, first = scene.grid, looks[0]
    chosen = f"  ·  {name_of(first.spec)} mask, ratio {first.spec.ratio:g}"
    lines = [
        f"{grid.frames} frames, {span_of(take, scene)}"
        f"{chosen if len(looks) == 1 else ''}, seed {seed}"
        f"  ·  tokens of {grid.tubelet} x {grid.patch} x {grid.patch} pixels"
    ]
    result = first.result
    if scene.model is not None:
        figured = f"  ·  {figures(result)}" if result is not None and len(looks) == 1 else ""
        lines.append(f"{scene.about}{figured}")
    if result is not None and result.predicted_frames < grid.tubelet:
        lines.append(repeated_frames(result, grid))
    states = tuple(states_shown(scene, looks))
    if result is None:
        return Caption(take.path.name, tuple(lines), "", is_warning=False, states=states)
    return Caption(
        take.path.name,
        tuple(lines),
        NOTICES[result.statistics],
        is_warning=result.statistics == "target",
        states=states,
    )


def notice_of(result: Reconstruction, grid: TokenGrid) -> str:
    """Say what must be known to read a reconstruction: borrowed brightness, repeated frames."""
    notice = NOTICES[result.statistics]
    if result.predicted_frames == grid.tubelet:
        return notice
    return f"{notice} {repeated_frames(result, grid)}"


def repeated_frames(result: Reconstruction, grid: TokenGrid) -> str:
    """Say that not every frame shown was predicted."""
    return (
        f"Of the {grid.tubelet} frames of a hidden token the model predicts"
        f" {result.predicted_frames}; the rest repeat it and are in no figure."
    )


def figures(result: Reconstruction) -> str:
    """Return how good a reconstruction is, beside what needs no model."""
    best = result.ceiling_psnr
    bound = "" if best is None else f", with a perfect pattern {best:.1f} dB"
    return (
        f"loss {result.loss:.3f}, hidden pixels {result.psnr:.1f} dB"
        f" (flat patches guessed from visible ones {result.plain_psnr:.1f} dB{bound})"
    )


def heading(take: Take, place: int) -> str:
    """Name one frame of the clip by its number and time in the video."""
    index = take.indices[place]
    return f"frame {index}  ·  {index / fps_of(take):.2f} s"


def span_of(take: Take, scene: Scene) -> str:
    """Say how the frames of a clip were chosen, and how long a time they cover."""
    seconds = (take.indices[-1] - take.indices[0]) / fps_of(take)
    choice = "evenly spread" if scene.sampling == "segment" else f"every {_ordinal(scene.stride)}"
    if scene.frame_choice is not None:
        choice = f"chosen by their motion from {scene.frame_choice.candidates.frames}, {choice}"
    repeats = "" if len(set(take.indices)) == len(take.indices) else ", the last repeated"
    return f"{choice}{repeats} ({seconds:.1f} s)"


def film_fps(take: Take, scene: Scene) -> float:
    """Return the frames per second at which the clip moves as fast as its video, or 4 at least."""
    steps: float = scene.stride
    if scene.sampling == "segment":
        steps = max(1, take.indices[-1] - take.indices[0]) / max(1, len(take.indices) - 1)
    return max(SLOWEST_FPS, fps_of(take) / steps)


def fps_of(take: Take) -> float:
    """Return the video's frames per second, or a guess where the file does not say."""
    return take.info.fps or UNKNOWN_FPS


def _ordinal(number: int) -> str:
    if number == 1:
        return "frame"
    ends = {1: "st", 2: "nd", 3: "rd"}
    end = "th" if 10 <= number % 100 <= 20 else ends.get(number % 10, "th")
    return f"{number}{end} frame"
