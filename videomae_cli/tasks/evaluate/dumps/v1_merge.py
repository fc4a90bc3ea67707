"""Read the result files of VideoMAE and VideoMAE V2 and merge the views of each video.

The probabilities of all different (clip, crop) of a video are averaged, as in an evaluation. Of a
view that occurs twice, the first is kept: the original's sampler pads the last share, and replaces
a video that it cannot decode by a random one.

Names may contain blanks and brackets. Two videos of one base name are kept apart if their labels
differ; if not, their views cannot be told apart, and a remark names them.

Shapes: V videos, N views per video, K classes.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.errors import DataError
from videomae_cli.tasks.evaluate.dumps.score_table import ScoreTable, check_labels
from videomae_cli.tasks.evaluate.dumps.v1_text import RANK_FILE
from videomae_cli.tasks.evaluate.scoring import average_probabilities, view_probabilities
from videomae_cli.units import plural

_LINE = re.compile(
    r"(?P<name>.*) \[(?P<logits>[^\[\]]*)\] (?P<label>\d+) (?P<clip>\d+) (?P<crop>\d+)"
)
_ACCURACIES = re.compile(r"[^\s,]+, [^\s,]+")
SAME_VIEW = 0.05  # largest difference of two probabilities of one view, from half precision
_Key = tuple[str, int]


class _View(NamedTuple):
    """One line of a file."""

    where: str
    key: _Key
    """Name and label of the video."""
    place: tuple[int, int]
    """Clip and crop."""
    logit_K: NDArray[np.float32]


class _Views(NamedTuple):
    """The different views of all videos, and how many lines repeat one."""

    by_video: dict[_Key, dict[tuple[int, int], NDArray[np.float32]]]
    duplicates: int
    differing: tuple[str, ...]
    """Names of videos with two different views of the same number."""


def read_v1_text(directory: Path) -> ScoreTable:
    """Read the result files `0.txt`, `1.txt`, ... of a directory; other files are not read.

    Returns:
        The videos in the order in which they first occur, rank after rank.

    Raises:
        DataError: There are no such files, the file of a rank is missing, or a line is wrong; the
            message gives file and line.
    """
    views = _collect(view for file in find_rank_files(directory) for view in _read_file(file))
    keys = list(views.by_video)
    count_V = np.array([len(views.by_video[key]) for key in keys], dtype=np.int64)
    classes = len(next(iter(views.by_video[keys[0]].values())))
    label_V = np.array([label for _, label in keys], dtype=np.int64)
    check_labels(label_V, classes, str(directory))
    logits = [np.stack([*of_video.values()]) for of_video in views.by_video.values()]
    return ScoreTable(
        np.stack([average_probabilities(logit_NK) for logit_NK in logits]),
        label_V=label_V,
        names=tuple(name for name, _ in keys),
        view_count_V=count_V,
        duplicates=views.duplicates,
        remarks=tuple(_describe(views, count_V)),
    )


def find_rank_files(directory: Path) -> list[Path]:
    """Return `0.txt`, `1.txt`, ... of a directory; a DataError if there is none, or a gap."""
    found = [file for file in directory.glob("*.txt") if RANK_FILE.fullmatch(file.name)]
    files = sorted(found, key=lambda file: int(file.stem))
    if not files:
        raise DataError(
            f"{directory} contains no result files of VideoMAE (0.txt, 1.txt, ...)",
            "give the directory that VideoMAE's --output_dir or --dump-v1 wrote",
        )
    for rank, file in enumerate(files):
        if int(file.stem) != rank:
            raise DataError(
                f"{directory} contains {file.name} but no {rank}.txt: the views of rank {rank} are"
                " missing",
                "copy the files of all ranks",
            )
    return files


def _read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file, which may have gigabytes, without their ends."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            yield from (line.rstrip("\r\n") for line in file)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "check the path") from error


def _read_file(path: Path) -> Iterator[_View]:
    for number, line in enumerate(_read_lines(path), start=1):
        is_header = number == 1 and _ACCURACIES.fullmatch(line.strip())
        if is_header or not line.strip():
            continue
        match = _LINE.fullmatch(line.rstrip())
        try:
            if match is None:
                raise ValueError("it is not `video_id [logits] label clip crop`")
            texts = match["logits"].replace(",", " ").split()
            with np.errstate(over="ignore"):  # infinite logits give no probabilities
                logit_K = np.array([float(text) for text in texts], dtype=np.float32)
            if not len(logit_K):
                raise ValueError("it has no logits")
        except ValueError as error:
            raise DataError(f"{path}:{number}: {line[:60]!r}: {error}", "write it again") from error
        place = int(match["clip"]), int(match["crop"])
        yield _View(f"{path}:{number}", (match["name"], int(match["label"])), place, logit_K)


def _collect(views: Iterator[_View]) -> _Views:
    """Group the views by video, and keep the first of each clip and crop."""
    by_video: dict[_Key, dict[tuple[int, int], NDArray[np.float32]]] = {}
    duplicates, differing, first = 0, dict[str, None](), None
    for view in views:
        first = first or view
        if len(view.logit_K) != len(first.logit_K):
            raise DataError(
                f"{view.where}: {len(view.logit_K)} logits, but {first.where} has"
                f" {len(first.logit_K)}",
                "the files must be of one evaluation",
            )
        known = by_video.setdefault(view.key, {}).setdefault(view.place, view.logit_K)
        if known is not view.logit_K:
            duplicates += 1
            pair = view_probabilities(np.stack([known, view.logit_K]))
            if np.abs(pair[0] - pair[1]).max() > SAME_VIEW:
                differing[view.key[0]] = None
    if first is None:
        raise DataError("the result files contain no views", "write them again")
    return _Views(by_video, duplicates, tuple(differing))


def _describe(views: _Views, count_V: NDArray[np.int64]) -> Iterator[str]:
    """Yield sentences about what may be wrong with the evaluation."""
    names = [name for name, _ in views.by_video]
    few = [name for name, count in zip(names, count_V, strict=True) if count < count_V.max()]
    if few:
        yield (
            f"{len(few):,} of {len(names):,} videos have fewer than {count_V.max()} views"
            f" ({_list(few)})"
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        yield (
            f"{len(twice):,} names occur with several labels, as different videos"
            f" ({_list(twice)}); VideoMAE's own merger mixes them"
        )
    if views.differing:
        verb = "has" if len(views.differing) == 1 else "have"
        yield (
            f"{plural(len(views.differing))} {verb} different scores for the same view; the first"
            f" is used, but these may be two videos of one name ({_list(views.differing)})"
        )


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
