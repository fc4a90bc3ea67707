"""`videomae visualize-mask`: original | masked | reconstruction of one video, as picture and film.

Source of the honesty rule: the original's demonstration adds each hidden patch's true mean and
deviation back, and its users took the result for generation. Here that needs `target_stats`, and
the picture says so.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL.PngImagePlugin import PngInfo

from videomae_cli.checkpoints.atomic import replacing
from videomae_cli.data.decode import probe_video
from videomae_cli.engine.report import Report
from videomae_cli.errors import UsageError
from videomae_cli.tasks.captions import (
    caption_of,
    figures,
    film_fps,
    heading,
    notice_of,
    panels_of,
    span_of,
)
from videomae_cli.tasks.movies import write_gif, write_mp4
from videomae_cli.tasks.panels import Panel
from videomae_cli.tasks.pictures import Caption, draw_sheet, draw_strip
from videomae_cli.tasks.takes import Scene, Take, Wish, scene_for, take_from

OUT = Path("runs") / "visualize-mask"
SUFFIXES = (".png", ".gif", ".mp4")
NO_WISH = Wish()


class Visualised(NamedTuple):
    """What was made."""

    files: tuple[Path, ...]
    scene: Scene
    take: Take

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        result, grid = self.take.result, self.scene.grid
        made: dict[str, Any] = {}
        if result is not None:
            made = {
                "statistics": result.statistics,
                "notice": notice_of(result, grid),
                "loss": result.loss,
                "psnr": _finite(result.psnr),
                "plain_psnr": _finite(result.plain_psnr),
                "ceiling_psnr": _finite(result.ceiling_psnr),
            }
        return {
            "files": [str(file) for file in self.files],
            "source": self.scene.about,
            "frames": self.take.indices,
            "stride_frames": self.scene.stride,
            "size": grid.height,
            "tokens": grid.tokens,
            "hidden": grid.tokens - self.take.mask.visible_BV.shape[1],
            "mask": self.scene.mask.model_dump(mode="json"),
            **made,
        }


def run(
    video: Path,
    report: Report,
    *,
    checkpoint: Path | None = None,
    out: Path | None = None,
    wish: Wish = NO_WISH,
) -> Visualised:
    """Mask a clip of a video, fill it in where there is a model, and draw it.

    Args:
        video: A video file.
        report: Who is told.
        checkpoint: A pretrained model; None shows the mask alone.
        out: A directory for all three files, or one `.png`, `.gif` or `.mp4`.
        wish: What to look at.

    Raises:
        DataError: The video cannot be read.
        CheckpointError: The weights cannot be read, or are a classifier's.
        UsageError: A wish contradicts the checkpoint.
        RecipeError: Sizes that do not divide, or a ratio that hides nothing or everything.
    """
    files = _files(video, out)
    info = probe_video(video)
    scene = scene_for(checkpoint, wish)
    for line in (scene.about, *scene.remarks):
        report.say(line)
    if scene.warning:
        report.warn(scene.warning)
    take = take_from(video, info, scene, wish)
    _tell(take, scene, wish, report)
    panels = panels_of(take, scene, error=wish.error)
    caption = caption_of(take, scene, seed=wish.seed)
    for file in files:
        with replacing(file) as partial:
            if file.suffix.lower() == ".png":
                _write_sheet(partial, panels, caption, take, wish.columns)
            else:
                _write_film(partial, panels, caption, take, film_fps(take, scene))
        report.say(f"wrote {file}")
    return Visualised(files, scene, take)


def _finite(figure: float | None) -> float | None:
    return figure if figure is not None and math.isfinite(figure) else None


def _files(video: Path, out: Path | None) -> tuple[Path, ...]:
    if out is not None and out.suffix.lower() in SUFFIXES:
        return (out,)
    if out is not None and out.suffix and not out.is_dir():
        raise UsageError(
            f"--out {out}: cannot draw a {out.suffix} file",
            f"name a directory, or a file that ends in {', '.join(SUFFIXES)}",
        )
    return tuple((out or OUT) / f"{video.stem}{suffix}" for suffix in SUFFIXES)


def _tell(take: Take, scene: Scene, wish: Wish, report: Report) -> None:
    grid, mask = scene.grid, scene.mask
    hidden = grid.tokens - take.mask.visible_BV.shape[1]
    report.say(
        f"{take.path.name}: frames {take.indices[0]} to {take.indices[-1]} of {take.info.frames},"
        f" {span_of(take, scene)}; {grid.height} x {grid.width} pixels;"
        f" {mask.strategy} mask, ratio {mask.ratio:g}, hides {hidden:,} of {grid.tokens:,} tokens"
    )
    distinct = len(set(take.indices))
    if distinct < grid.frames:
        report.warn(
            f"the video is short: the clip has {distinct} different frames, the rest are repeats"
        )
    if take.result is None:
        return
    report.say(figures(take.result))
    report.say(notice_of(take.result, grid))
    if wish.target_stats and take.result.statistics == "none":
        report.warn("--target-stats changes nothing: this model predicts pixels directly")


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
