"""Write what an evaluation found: `result.json`, `scores.npz`, `report.html`, and dumps.

Shapes: V videos, K classes or values, T frames, H W pixels, C channels.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from videomae_cli import atomic
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model import Task
from videomae_cli.data.decoding.channels import show_as_rgb
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.manifest import Manifest, Video
from videomae_cli.errors import UsageError
from videomae_cli.tasks.evaluate.dumps.mmaction2 import check_name, write_mmaction2
from videomae_cli.tasks.evaluate.dumps.score_table import ScoreTable
from videomae_cli.tasks.evaluate.dumps.v1_text import check_directory, check_names, write_v1_text
from videomae_cli.tasks.evaluate.html.page import Baseline, Counts, EvalPage, select_examples
from videomae_cli.tasks.evaluate.html.report import write_report
from videomae_cli.tasks.evaluate.options import EvalOptions
from videomae_cli.tasks.evaluate.result import EvalResult, StoredResult
from videomae_cli.tasks.evaluate.scores import Scores

RESULT, SCORES, REPORT = "result.json", "scores.npz", "report.html"
DETAILS = ("weights", "scores", "data", "precision", "device", "software")
_KEPT = ("weights", "data", "precision", "software")


class Sections(NamedTuple):
    """What the report shows beside the result."""

    baselines: Sequence[Baseline] = ()
    baseline_note: str = ""


class Extras(NamedTuple):
    """What else is measured on the videos of an evaluation, and their sources."""

    measure: Callable[[Scores, Manifest, Path, str], Sections]
    """Measures something beside a result: scores, data, output directory, split."""
    read_groups: Callable[[Manifest, str], NDArray[Any] | None]
    """Returns the source of each video of a split (V,); None if sources are not known."""


def check_output(options: EvalOptions, videos: Sequence[Video], task: Task) -> None:
    """Check, before anything is computed, that the dumps can be written.

    Raises:
        UsageError: A name or a directory is wrong, or the format has no place for this task.
        DataError: VideoMAE's merger would misread the names of videos.
    """
    if options.dump is not None:
        check_name(options.dump)
        if task == "regression":
            raise UsageError(
                "MMAction2's file has classes, and this model predicts values",
                "leave out --dump: scores.npz contains the values",
            )
    if options.dump_v1 is not None:
        check_directory(options.dump_v1)
        if task != "single-label":
            raise UsageError(
                f"VideoMAE's files are for one label per video, and this model is {task}",
                "leave out --dump-v1: scores.npz contains the outputs",
            )
        check_names([video.name for video in videos])


def write_output(
    result: EvalResult,
    scores: Scores,
    views: EvalViews,
    facts: Mapping[str, Any],
    options: EvalOptions,
    sections: Sections,
) -> None:
    """Write all files of an evaluation, `result.json` last.

    Args:
        result: The metrics.
        scores: The outputs for all videos.
        views: Their test views, for pictures.
        facts: What the scores depend on.
        options: Which dumps are asked for.
        sections: What else the report shows.

    Raises:
        UsageError: A dump cannot be written.
        OSError: Another file cannot be written.
    """
    paths = [views.videos[index].name for index in scores.indices]
    _write_scores(result.folder / SCORES, scores, paths)
    if options.dump is not None:
        size = views.clip.grid().height, views.clip.grid().width
        write_mmaction2(options.dump, to_table(scores), size)
    if options.dump_v1 is not None and scores.views is not None:
        crops = result.protocol.crops
        write_v1_text(options.dump_v1, paths, scores.target, scores.views, crops)
    page = make_page(result, scores, paths, facts, views)
    page = page._replace(baselines=sections.baselines, baseline_note=sections.baseline_note)
    write_report(result.folder / REPORT, page)
    kept = {name: facts[name] for name in _KEPT}
    atomic.write_json(result.folder / RESULT, {**result.as_json(), **kept})


def _write_scores(file: Path, scores: Scores, paths: Sequence[str]) -> None:
    arrays: dict[str, Any] = {
        "index": scores.indices,
        "path": np.array(paths),
        "label" if scores.task == "single-label" else "target": scores.target,
        "output" if scores.task == "regression" else "probability": scores.output_VK,
        "classes": np.array(scores.names),
    }
    if scores.failures:
        arrays["unreadable"] = np.array([failure.path for failure in scores.failures])
    with atomic.replacing(file) as partial:
        np.savez_compressed(partial, **arrays)


def to_table(scores: Scores) -> ScoreTable:
    """Return scores in the form of dumps."""
    if scores.task == "single-label":
        return ScoreTable(scores.output_VK, label_V=scores.target, classes=scores.names)
    return ScoreTable(scores.output_VK, target_VK=scores.target, classes=scores.names)


def make_page(
    result: EvalResult | StoredResult,
    scores: Scores,
    paths: Sequence[str],
    facts: Mapping[str, Any],
    views: EvalViews | None = None,
) -> EvalPage:
    """Return the content of the report; clips are shown if there are `views`."""
    title = result.source if isinstance(result, StoredResult) else str(facts["weights"])
    nonfinite, decoded = len(scores.nonfinite), len(scores.target)
    failed = len(scores.failures)
    return EvalPage(
        title=title,
        headline=result.headline(),
        task=scores.task,
        names=scores.names,
        paths=paths,
        target=scores.target,
        output_VK=scores.output_VK,
        counts=Counts(decoded + failed, decoded, failed, nonfinite),
        metrics=result.metrics,
        intervals=result.intervals,
        details=[(name, str(facts[name])) for name in DETAILS if name in facts],
        thumbnails={} if views is None else _read_thumbnails(scores, views),
        failures=scores.failures,
    )


def _read_thumbnails(scores: Scores, views: EvalViews) -> dict[int, NDArray[np.uint8]]:
    """Return the frames (T, H, W, C) of the middle view of the best and the worst videos."""
    worst, best = select_examples(scores.task, scores.target, scores.output_VK)
    frames = {}
    for row in (*worst, *best):
        item = views[int(scores.indices[row])]
        if not item.error:
            clips, crops = views.protocol.clips, views.protocol.crops
            frames[row] = _to_pixels(item.views[clips // 2 * crops + crops // 2], views.clip)
    return frames


def _to_pixels(view_CTHW: Tensor, clip: ClipSpec) -> NDArray[np.uint8]:
    """Return frames as they are shown: of other channels than RGB, the first three or one."""
    view_THWC: NDArray[Any] = view_CTHW.permute(1, 2, 3, 0).numpy()
    if view_THWC.dtype != np.uint8:
        view_THWC = 255 * (view_THWC * np.array(clip.channel_std) + np.array(clip.channel_mean))
    pixels_THWC: NDArray[np.uint8] = view_THWC.round().clip(0, 255).astype(np.uint8)
    return show_as_rgb(pixels_THWC)
