"""`videomae visualize-mask`: original | masked | reconstruction of one video, as picture and film.

Source of the honesty rule: the original's demonstration adds each hidden patch's true mean and
deviation back, and its users took the result for generation. Here that needs `target_stats`, and
the picture says so.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL.PngImagePlugin import PngInfo

from videomae_cli.checkpoints.destination import replacing
from videomae_cli.data.decode import probe_video
from videomae_cli.errors import UsageError
from videomae_cli.report import Report
from videomae_cli.tasks.visualize.captions import (
    compute_playback_fps,
    format_heading,
    mask_to_json,
    report_masks,
    report_reconstructions,
    write_caption,
)
from videomae_cli.tasks.visualize.html import write_html
from videomae_cli.tasks.visualize.layout import Caption, draw_sheet, draw_strip
from videomae_cli.tasks.visualize.masked_clip import (
    ClipView,
    MaskedClip,
    MotionMap,
    mask_clip,
    measure_motion,
    read_clip,
)
from videomae_cli.tasks.visualize.movie import write_gif, write_mp4
from videomae_cli.tasks.visualize.panels import Panel, build_panels
from videomae_cli.tasks.visualize.setup import Options, Setup, build_setup

DEFAULT_OUT = Path("runs") / "visualize-mask"
DEFAULT_SUFFIXES = (".png", ".gif", ".mp4")
HTML_SUFFIX = ".html"
DEFAULTS = Options()


class Visualisation(NamedTuple):
    """What was made."""

    files: tuple[Path, ...]
    setup: Setup
    clip: ClipView
    masked_clips: tuple[MaskedClip, ...]
    motion: MotionMap | None

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain data; what belongs to one mask stands at the top too."""
        grid = self.setup.grid
        strategies = [mask_to_json(masked_clip, self.setup) for masked_clip in self.masked_clips]
        alone = strategies[0] if len(strategies) == 1 else {}
        return {
            "files": [str(file) for file in self.files],
            "source": self.setup.description,
            "frames": self.clip.indices,
            "stride_frames": self.setup.stride,
            "size": grid.height,
            "tokens": grid.tokens,
            "motion_source": self.motion.source if self.motion else None,
            **{key: value for key, value in alone.items() if key != "strategy"},
            "strategies": strategies,
        }


def run(
    video: Path,
    report: Report,
    *,
    checkpoint: Path | None = None,
    out: Path | None = None,
    options: Options = DEFAULTS,
) -> Visualisation:
    """Mask a clip of a video in one way or several, fill it in where there is a model, draw it.

    Args:
        video: A video file.
        report: Who is told.
        checkpoint: A pretrained model; None shows the mask alone.
        out: A directory for picture and films, or one `.png`, `.gif`, `.mp4` or `.html`.
        options: What to look at.

    Raises:
        DataError: The video cannot be read.
        CheckpointError: The weights cannot be read, or are a classifier's.
        UsageError: A wish contradicts the checkpoint, or names no strategy.
        RecipeError: Sizes that do not divide, or a mask that cannot be on this grid.
    """
    files = _resolve_outputs(video, out)
    info = probe_video(video)
    setup = build_setup(checkpoint, options)
    for line in (setup.description, *setup.load_messages):
        report.say(line)
    if setup.warning:
        report.warn(setup.warning)
    clip = read_clip(video, info, setup, seed=options.seed)
    masked_clips = tuple(
        mask_clip(clip, setup, spec, target_stats=options.target_stats) for spec in setup.masks
    )
    result = Visualisation(files, setup, clip, masked_clips, measure_motion(clip, setup))
    report_masks(clip, setup, masked_clips, result.motion, report)
    report_reconstructions(setup, masked_clips, options, report)
    if options.error and files[0].suffix.lower() == HTML_SUFFIX:
        report.warn("--error adds nothing to a page: for a row of errors name a .png, .gif or .mp4")
    for file in files:
        with replacing(file) as partial:
            _write(partial, result, options)
        report.say(f"wrote {file}")
    return result


def _resolve_outputs(video: Path, out: Path | None) -> tuple[Path, ...]:
    if out is not None and out.suffix.lower() in (*DEFAULT_SUFFIXES, HTML_SUFFIX):
        return (out,)
    if out is not None and out.suffix and not out.is_dir():
        raise UsageError(
            f"--out {out}: cannot draw a {out.suffix} file",
            "name a directory, or a file that ends in "
            + ", ".join((*DEFAULT_SUFFIXES, HTML_SUFFIX)),
        )
    return tuple((out or DEFAULT_OUT) / f"{video.stem}{suffix}" for suffix in DEFAULT_SUFFIXES)


def _write(path: Path, result: Visualisation, options: Options) -> None:
    clip, setup, masked_clips = result.clip, result.setup, result.masked_clips
    caption = write_caption(clip, setup, masked_clips, seed=options.seed)
    if path.suffix.lower() == HTML_SUFFIX:
        write_html(
            path,
            caption,
            clip,
            setup,
            masked_clips,
            result.motion,
            target_stats=options.target_stats,
        )
        return
    panels = build_panels(clip, setup, masked_clips, result.motion, error=options.error)
    if path.suffix.lower() == ".png":
        _write_sheet(path, panels, caption, clip, options.columns)
    else:
        _write_movie(path, panels, caption, clip, compute_playback_fps(clip, setup))


def _write_sheet(
    path: Path, panels: Sequence[Panel], caption: Caption, clip: ClipView, columns: int
) -> None:
    frames = len(clip.indices)
    shown = min(columns, frames)
    places = [column * frames // shown for column in range(shown)]
    sheet = draw_sheet(panels, caption, places, [format_heading(clip, place) for place in places])
    notes = PngInfo()
    notes.add_text("Title", caption.title)
    notes.add_text("Description", " ".join((*caption.lines, caption.notice)).strip())
    sheet.save(path, pnginfo=notes, optimize=True)


def _write_movie(
    path: Path, panels: Sequence[Panel], caption: Caption, clip: ClipView, fps: float
) -> None:
    places = range(len(clip.indices))
    images = [draw_strip(panels, caption, place, format_heading(clip, place)) for place in places]
    if path.suffix.lower() == ".gif":
        write_gif(path, images, fps)
    else:
        write_mp4(path, images, fps, comment=" ".join((*caption.lines, caption.notice)).strip())
