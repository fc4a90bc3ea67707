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
from videomae_cli.data.video_info import probe_video
from videomae_cli.errors import UsageError
from videomae_cli.report import Report
from videomae_cli.tasks.visualize.captions import caption_of, film_fps, heading
from videomae_cli.tasks.visualize.html import write_page
from videomae_cli.tasks.visualize.layout import Caption, draw_sheet, draw_strip
from videomae_cli.tasks.visualize.masked_clip import (
    Look,
    Motion,
    Take,
    look_at,
    motion_in,
    take_from,
)
from videomae_cli.tasks.visualize.movie import write_gif, write_mp4
from videomae_cli.tasks.visualize.panels import Panel
from videomae_cli.tasks.visualize.rows import panels_of
from videomae_cli.tasks.visualize.setup import Scene, Wish, scene_for
from videomae_cli.tasks.visualize.telling import look_json, tell, tell_results

OUT = Path("runs") / "visualize-mask"
SUFFIXES = (".png", ".gif", ".mp4")
PAGE = ".html"
NO_WISH = Wish()


class Visualised(NamedTuple):
    """What was made."""

    files: tuple[Path, ...]
    scene: Scene
    take: Take
    looks: tuple[Look, ...]
    motion: Motion | None

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain data; what belongs to one mask stands at the top too."""
        grid = self.scene.grid
        strategies = [look_json(look, self.scene) for look in self.looks]
        alone = strategies[0] if len(strategies) == 1 else {}
        return {
            "files": [str(file) for file in self.files],
            "source": self.scene.about,
            "frames": self.take.indices,
            "stride_frames": self.scene.stride,
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
    wish: Wish = NO_WISH,
) -> Visualised:
    """Mask a clip of a video in one way or several, fill it in where there is a model, draw it.

    Args:
        video: A video file.
        report: Who is told.
        checkpoint: A pretrained model; None shows the mask alone.
        out: A directory for picture and films, or one `.png`, `.gif`, `.mp4` or `.html`.
        wish: What to look at.

    Raises:
        DataError: The video cannot be read.
        CheckpointError: The weights cannot be read, or are a classifier's.
        UsageError: A wish contradicts the checkpoint, or names no strategy.
        RecipeError: Sizes that do not divide, or a mask that cannot be on this grid.
    """
    files = _files(video, out)
    info = probe_video(video)
    scene = scene_for(checkpoint, wish)
    for line in (scene.about, *scene.remarks):
        report.say(line)
    if scene.warning:
        report.warn(scene.warning)
    take = take_from(video, info, scene, seed=wish.seed)
    looks = tuple(
        look_at(take, scene, spec, target_stats=wish.target_stats) for spec in scene.masks
    )
    made = Visualised(files, scene, take, looks, motion_in(take, scene))
    tell(take, scene, looks, made.motion, report)
    tell_results(scene, looks, wish, report)
    if wish.error and files[0].suffix.lower() == PAGE:
        report.warn("--error adds nothing to a page: for a row of errors name a .png, .gif or .mp4")
    for file in files:
        with replacing(file) as partial:
            _write(partial, made, wish)
        report.say(f"wrote {file}")
    return made


def _files(video: Path, out: Path | None) -> tuple[Path, ...]:
    if out is not None and out.suffix.lower() in (*SUFFIXES, PAGE):
        return (out,)
    if out is not None and out.suffix and not out.is_dir():
        raise UsageError(
            f"--out {out}: cannot draw a {out.suffix} file",
            f"name a directory, or a file that ends in {', '.join((*SUFFIXES, PAGE))}",
        )
    return tuple((out or OUT) / f"{video.stem}{suffix}" for suffix in SUFFIXES)


def _write(path: Path, made: Visualised, wish: Wish) -> None:
    take, scene, looks = made.take, made.scene, made.looks
    caption = caption_of(take, scene, looks, seed=wish.seed)
    if path.suffix.lower() == PAGE:
        write_page(path, caption, take, scene, looks, made.motion, target_stats=wish.target_stats)
        return
    panels = panels_of(take, scene, looks, made.motion, error=wish.error)
    if path.suffix.lower() == ".png":
        _write_sheet(path, panels, caption, take, wish.columns)
    else:
        _write_film(path, panels, caption, take, film_fps(take, scene))


def _write_sheet(
    path: Path, panels: Sequence[Panel], caption: Caption, take: Take, columns: int
) -> None:
    frames = len(take.indices)
    shown = min(columns, frames)
    places = [column * frames // shown for column in range(shown)]
    sheet = draw_sheet(panels, caption, places, [heading(take, place) for place in places])
    notes = PngInfo()
    notes.add_text("Title", caption.title)
    notes.add_text("Description", " ".join((*caption.lines, caption.notice)).strip())
    sheet.save(path, pnginfo=notes, optimize=True)


def _write_film(
    path: Path, panels: Sequence[Panel], caption: Caption, take: Take, fps: float
) -> None:
    places = range(len(take.indices))
    images = [draw_strip(panels, caption, place, heading(take, place)) for place in places]
    if path.suffix.lower() == ".gif":
        write_gif(path, images, fps)
    else:
        write_mp4(path, images, fps, comment=" ".join((*caption.lines, caption.notice)).strip())
