"""`videomae visualize-mask`: draw original, masked clip and reconstruction as picture and movie.

The authors' demonstration of VideoMAE adds the true mean and standard deviation of each hidden
patch to its prediction, and its users mistook the result for generated pixels. Here this requires
`target_stats`, and the picture is labelled.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL.PngImagePlugin import PngInfo

from videomae_cli.checkpoints.destination import replacing
from videomae_cli.data.decode import FRAMES, reference_decoder
from videomae_cli.data.decoding.video_info import probe_video
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
    """A masked clip and the files that show it."""

    files: tuple[Path, ...]
    setup: Setup
    clip: ClipView
    masked_clips: tuple[MaskedClip, ...]
    motion: MotionMap | None

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain data; with one mask, its entries are also at the top level."""
        grid = self.setup.grid
        strategies = [mask_to_json(masked_clip, self.setup) for masked_clip in self.masked_clips]
        single = strategies[0] if len(strategies) == 1 else {}
        return {
            "files": [str(file) for file in self.files],
            "source": self.setup.description,
            "frames": self.clip.indices,
            "stride_frames": self.setup.clip.stride_frames,
            "size": grid.size,
            "tokens": grid.tokens,
            "motion_source": self.motion.source if self.motion else None,
            **{key: value for key, value in single.items() if key != "strategy"},
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
    """Mask a clip of a video, reconstruct it if there is a checkpoint, and draw both.

    The video is a file or a folder of frames. `out` is a directory for a PNG, a GIF and an MP4, or
    one `.png`, `.gif`, `.mp4` or `.html`.

    Raises:
        DataError: The video cannot be read.
        CheckpointError: The weights cannot be read, or are those of a classifier.
        UsageError: An option contradicts the checkpoint, or a strategy is unknown.
        RecipeError: Sizes do not divide, or a mask is impossible on this token grid.
    """
    if video.name in ("", ".."):  # a folder of frames without a name of its own
        video = video.resolve()
    files = _resolve_outputs(video, out)
    info = probe_video(video)
    setup = build_setup(checkpoint, options)
    for line in (setup.description, *setup.load_messages):
        report.say(line)
    if setup.warning:
        report.warn(setup.warning)
    clip = read_clip(video, info, setup, seed=options.seed)
    masked_clips = tuple(mask_clip(clip, setup, spec) for spec in setup.masks)
    motion = measure_motion(clip, setup)
    report_masks(clip, setup, masked_clips, motion, report)
    report_reconstructions(setup, masked_clips, report)
    result = Visualisation(files, setup, clip, masked_clips, motion)
    _write_files(result, options, report)
    return result


def _resolve_outputs(video: Path, out: Path | None) -> tuple[Path, ...]:
    suffixes = (*DEFAULT_SUFFIXES, HTML_SUFFIX)
    if out is not None and out.suffix.lower() in suffixes:
        return (out,)
    if out is not None and out.suffix and not out.is_dir():
        raise UsageError(
            f"--out {out}: {out.suffix} files are not supported",
            f"use a directory, or a file that ends in {', '.join(suffixes)}",
        )
    name = video.name if reference_decoder(video) == FRAMES else video.stem
    return tuple((out or DEFAULT_OUT) / f"{name}{suffix}" for suffix in DEFAULT_SUFFIXES)


def _write_files(result: Visualisation, options: Options, report: Report) -> None:
    if options.error and result.files[0].suffix.lower() == HTML_SUFFIX:
        report.warn("--error has no effect on an HTML page: use it with .png, .gif or .mp4")
    for file in result.files:
        with replacing(file) as partial:
            _write_file(partial, result, options)
        report.say(f"wrote {file}")


def _write_file(path: Path, result: Visualisation, options: Options) -> None:
    _, setup, clip, masked_clips, motion = result
    caption = write_caption(clip, setup, masked_clips, seed=options.seed)
    if path.suffix.lower() == HTML_SUFFIX:
        write_html(path, caption, clip, setup, masked_clips, motion)
        return
    panels = build_panels(clip, setup, masked_clips, motion, error=options.error)
    if path.suffix.lower() == ".png":
        _write_sheet(path, panels, caption, clip, options.columns)
    else:
        _write_movie(path, panels, caption, clip, compute_playback_fps(clip, setup))


def _write_sheet(
    path: Path, panels: Sequence[Panel], caption: Caption, clip: ClipView, columns: int
) -> None:
    frames = len(clip.indices)
    count = min(columns, frames)
    positions = [column * frames // count for column in range(count)]
    headings = [format_heading(clip, position) for position in positions]
    sheet = draw_sheet(panels, caption, positions, headings)
    metadata = PngInfo()
    metadata.add_text("Title", caption.title)
    metadata.add_text("Description", caption.plain_text)
    sheet.save(path, pnginfo=metadata, optimize=True)


def _write_movie(
    path: Path, panels: Sequence[Panel], caption: Caption, clip: ClipView, fps: float
) -> None:
    images = [
        draw_strip(panels, caption, position, format_heading(clip, position))
        for position in range(len(clip.indices))
    ]
    if path.suffix.lower() == ".gif":
        write_gif(path, images, fps)
    else:
        write_mp4(path, images, fps, comment=caption.plain_text)
