"""Write the result files of VideoMAE and VideoMAE V2: one line of logits per view, a file per rank.

    top-1, top-5
    video_id [logit, logit, ...] label clip crop

`video_id` is the base name of a video up to its first dot. The numbers are a Python list of the
float64 values of the logits, so float32 logits are read back exactly; the original runs in half
precision, so its files have 11 significant bits. The first line of the original has the accuracy of
its last batch, in per cent, and is ignored by its merger; here it is that of all views.

Source: VideoMAE, `engine_for_finetuning.py` (`final_test` and `merge`).

Shapes: V videos, N views per video, K classes.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from videomae_cli import atomic
from videomae_cli.errors import DataError, UsageError

RANK_FILE = re.compile(r"(0|[1-9][0-9]*)\.txt")
MAX_LISTED = 3
# the original parses a line by its brackets and blanks
_MISREAD = re.compile(r"[\[\]\s\x00-\x1f]")


def video_id(path: str) -> str:
    """Return the base name of a video up to its first dot, by which V1 names it."""
    return PurePath(path.replace("\\", "/")).name.split(".")[0]


def check_names(paths: Sequence[str]) -> None:
    """Check that V1's merger would read the names of videos, and would not mix two of them.

    Raises:
        DataError: A base name is empty or contains brackets or blanks, or two videos have the same
            up to the first dot. The message gives the first of them.
    """
    hint = "rename them, or write MMAction2's file, which contains no names: --dump FILE.pkl"
    ids = [video_id(path) for path in paths]
    misread = [path for path, name in zip(paths, ids, strict=True) if _is_misread(name)]
    if misread:
        raise DataError(
            f"VideoMAE's result files cannot name {_list(misread)}: base names without blanks and"
            " brackets are needed",
            hint,
        )
    counts = Counter(ids)
    equal = [path for path, name in zip(paths, ids, strict=True) if counts[name] > 1]
    if equal:
        raise DataError(
            f"VideoMAE's result files name a video by its base name up to the first dot, which is"
            f" the same for {_list(equal)}: they would be merged into one",
            hint,
        )


def _is_misread(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return not name or _MISREAD.search(name) is not None


def _list(paths: Sequence[str]) -> str:
    shown = ", ".join(map(repr, paths[:MAX_LISTED]))
    return shown + (f", ... ({len(paths):,} videos)" if len(paths) > MAX_LISTED else "")


def check_directory(directory: Path, rank: int = 0) -> None:
    """Check that a directory has no result files of another evaluation; a UsageError if it has."""
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file", "give a directory")
    others = [
        file.name
        for file in sorted(directory.glob("*.txt"))
        if RANK_FILE.fullmatch(file.name) and file.name != f"{rank}.txt"
    ]
    if others:
        raise UsageError(
            f"{directory} contains {others[0]} of another evaluation, which VideoMAE would merge",
            "give an empty directory",
        )


def write_v1_text(
    directory: Path,
    names: Sequence[str],
    label_V: NDArray[np.int64],
    logits: Sequence[NDArray[np.float32]],
    crops: int,
) -> Path:
    """Write the logits of all views as `0.txt`, and return its path.

    Args:
        directory: The directory; it is created.
        names: Paths of the videos.
        label_V: Their labels.
        logits: For each video the logits (N, K) of its views, clip by clip, and crop by crop
            within a clip.
        crops: Crops of a clip.

    Raises:
        DataError: V1's merger would misread the names.
        UsageError: The directory has files of another evaluation, or cannot be written.
    """
    check_names(names)
    check_directory(directory)
    path = directory / "0.txt"
    try:
        with (
            atomic.replacing(path) as partial,
            partial.open("w", encoding="utf-8", newline="\n") as file,
        ):
            file.write(f"{_format_accuracies(label_V, logits)}\n")
            for name, label, logit_NK in zip(names, label_V.tolist(), logits, strict=True):
                for view, values in enumerate(logit_NK.astype(np.float32).tolist()):
                    place = f"{view // crops} {view % crops}"
                    file.write(f"{video_id(name)} {values} {label} {place}\n")
    except OSError as error:
        raise UsageError(
            f"{error.filename or path} cannot be written: {error.strerror or error}",
            "choose another place",
        ) from error
    return path


def _format_accuracies(label_V: NDArray[np.int64], logits: Sequence[NDArray[np.float32]]) -> str:
    """Return top-1 and top-5 accuracy of all views in per cent, as the first line."""
    labels = np.repeat(label_V, [len(logit_NK) for logit_NK in logits])
    order = np.argsort(-np.concatenate(logits), axis=1, kind="stable")
    is_hit = order == labels[:, None]
    return ", ".join(str(100 * float(is_hit[:, :k].any(axis=1).mean())) for k in (1, 5))
