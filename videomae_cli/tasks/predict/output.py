"""Print predictions, and write them as JSON lines, a table and pictures of time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from videomae_cli import atomic
from videomae_cli.data.executors.share import Share
from videomae_cli.data.manifest import csv_text
from videomae_cli.errors import TrainingError, UsageError
from videomae_cli.report import Report, format_json, printable
from videomae_cli.tasks.predict.result import Label, Prediction, PredictResult

LINES, TABLE = "predictions.jsonl", "predictions.csv"
ALONE = Share()
MAX_NAME = 100  # characters of the name of a picture
Draw = Callable[[Path, Sequence[Prediction]], None]
"""Draws the windows of one video as a PNG."""


def describe_prediction(result: PredictResult, prediction: Prediction) -> list[str]:
    """Return the lines to print for a prediction."""
    labels = result.labels(prediction)
    if prediction.start is not None and prediction.end is not None:
        listed = ", ".join(f"{one.name} {_format(one, result)}" for one in labels)
        return [f"  {prediction.start:9.2f} - {prediction.end:9.2f} s  {listed}"]
    lines = [f"  {_format(one, result):>9}  {one.name}" for one in labels]
    return [prediction.video, *lines]


def _format(label: Label, result: PredictResult) -> str:
    return f"{label.score:.4g}" if result.task == "regression" else f"{100 * label.score:.1f} %"


def show_prediction(
    result: PredictResult, one: Prediction, report: Report, *, is_first: bool
) -> None:
    """Print a prediction, the first window of a video below its name."""
    if one.start is not None and is_first:
        report.say(one.video)
    for line in describe_prediction(result, one):
        report.say(line)


def add_share(path: Path, share: Share) -> Path:
    """Return the name of a file for the results of one job: `predictions-0-of-4.jsonl`."""
    return path.with_name(f"{path.stem}-{share.name}{path.suffix}")


def plan_files(
    out: Path | None, videos: Sequence[str], *, has_windows: bool, share: Share = ALONE
) -> dict[str, Path]:
    """Return which files are written: `jsonl`, `csv`, and a picture for each video by its name.

    Args:
        out: A directory, or one file; None: nothing is written.
        videos: The names of all videos, those of other jobs too.
        has_windows: Whether pictures are drawn.
        share: The job; lines and table are its own, pictures have the names that one run gives.

    Raises:
        UsageError: One picture is asked for, of several videos.
    """
    if out is None:
        return {}
    suffix = out.suffix.lower()
    if suffix == ".png":
        if len(videos) > 1:
            raise UsageError(
                f"--out {out}: one picture, but {len(videos):,} videos",
                "give a directory: it gets one picture for each video, and the predictions",
            )
        return {f"png {name}": out for name in videos}
    files = {suffix[1:]: out} if suffix else {"jsonl": out / LINES, "csv": out / TABLE}
    if share != ALONE:
        files = {kind: add_share(path, share) for kind, path in files.items()}
    if has_windows and not suffix:
        files |= {
            f"png {name}": out / file for name, file in zip(videos, _names(videos), strict=True)
        }
    return files


def _names(videos: Sequence[str]) -> Iterator[str]:
    """Return a file name for each video, never the same one twice."""
    used: set[str] = set()
    for video in videos:
        stem = printable(Path(video).stem).replace("/", "_")[:MAX_NAME] or "video"
        name, number = stem, 1
        while name.lower() in used:
            number += 1
            name = f"{stem}-{number}"
        used.add(name.lower())
        yield f"{name}.png"


def write_files(result: PredictResult, files: dict[str, Path], draw: Draw) -> list[Path]:
    """Write the files of `plan_files`, each atomically; return those written.

    Raises:
        TrainingError: The disk refuses.
    """
    written = []
    for kind, path in files.items():
        with writing(path):
            if kind == "jsonl":
                rows = [*map(result.row, result.predictions), *result.rejected_rows()]
                text = "".join(format_json(row, ensure_ascii=True) + "\n" for row in rows)
                atomic.write_text(path, text)
            elif kind == "csv":
                atomic.write_text(path, _table(result), errors="surrogateescape")
            else:
                name = kind.removeprefix("png ")
                windows = [one for one in result.predictions if one.video == name]
                if not windows:
                    continue
                draw(path, windows)
        written.append(path)
    return written


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an `OSError` in this block into a `TrainingError` that names the file."""
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"{error.filename or path} cannot be written: {error.strerror or error}",
            "free some space, make it writable, or choose another --out",
        ) from error


def _table(result: PredictResult) -> str:
    """Return one row for each label of each prediction."""
    header = ("video", "start", "end", "rank", "class", result.score_name)
    rows = [
        (one.video, one.start, one.end, rank, label.name, label.score)
        for one in result.predictions
        for rank, label in enumerate(result.labels(one), 1)
    ]
    return csv_text(header, rows)
