"""Write and read MMAction2's `--dump` file: the mean scores of every video as a pickle.

The pickle is a list in the order of the annotation file, with one dict per video: `pred_score` (C,)
float32, `pred_label` (1,) int64, `gt_label` (1,) or (k,) int64, `num_classes`, and `img_shape`, all
but the last two torch tensors. It contains no names. Also read: `pred_scores` and `gt_labels` with
an `item`, as MMAction2 1.0 wrote them, and the list of arrays without labels of MMAction2 0.x.

Source: mmengine, `DumpResults`; MMAction2, `ActionDataSample`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videomae_cli.errors import DataError, UsageError
from videomae_cli.tasks.evaluate.dumps.plain_pickle import PickledArray, read_plain_pickle
from videomae_cli.tasks.evaluate.dumps.score_table import ScoreTable, check_labels
from videomae_cli.tasks.evaluate.dumps.tensor_pickle import write_tensor_pickle

SUFFIXES = (".pkl", ".pickle")
NO_LABEL = -1  # in an annotation file without labels
WRITE_AGAIN = "write it with MMAction2's tools/test.py --dump FILE.pkl"


def check_name(path: Path) -> None:
    """Check the name of a file to write; a UsageError if MMAction2 would not accept it."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path} does not end in {' or '.join(SUFFIXES)}", "rename it")


def write_mmaction2(path: Path, table: ScoreTable, image_shape: tuple[int, int]) -> None:
    """Write scores as MMAction2 does; the same table gives the same bytes.

    MMAction2 matches row and annotation by their position alone: videos that could not be decoded
    have no row, so the list of the file is without them too.

    Args:
        path: The file, `.pkl` or `.pickle`.
        table: Scores of the videos, in the order of the list; labels, or 0/1 targets.
        image_shape: Height and width of the crops.

    Raises:
        UsageError: The file has another suffix, cannot be written, or the table has no classes.
    """
    check_name(path)
    labels = _list_labels(table, path)
    rows = [
        {
            "pred_score": score_K,
            "pred_label": np.array([score_K.argmax()]),
            "gt_label": label,
            "num_classes": len(score_K),
            "img_shape": image_shape,
        }
        for score_K, label in zip(table.probability_VK.astype(np.float32), labels, strict=True)
    ]
    try:
        write_tensor_pickle(path, rows)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}", "choose another place"
        ) from error


def describe_missing_rows(path: Path, names: Sequence[str]) -> str:
    """Return a warning that videos without scores have no row, so that rows follow no longer.

    Args:
        path: The file.
        names: Paths of these videos, at least one.
    """
    count, verb = len(names), "has" if len(names) == 1 else "have"
    return (
        f"{path}: {count:,} undecodable video{'' if count == 1 else 's'} {verb} no row"
        f" ({', '.join(names[:3])}{', ...' if count > 3 else ''}): MMAction2 matches rows and the"
        " lines of its list by their position, so remove these lines from its list first"
    )


def _list_labels(table: ScoreTable, path: Path) -> Sequence[NDArray[np.int64]]:
    """Return the numbers of the classes of each video."""
    if table.label_V is not None:
        return [np.array([label], dtype=np.int64) for label in table.label_V]
    if table.target_VK is None or not np.isin(table.target_VK, (0, 1)).all():
        raise UsageError(
            f"{path}: MMAction2's files contain classes, but the videos have none",
            "its files are for classification, with one or several labels per video",
        )
    return [np.flatnonzero(target_K).astype(np.int64) for target_K in table.target_VK]


def read_mmaction2(path: Path) -> ScoreTable:
    """Read a `--dump` file; no code in it is run.

    Raises:
        DataError: It is damaged, needs something that could run code, or is no list of scores; the
            message gives the number of the video.
    """
    rows = read_plain_pickle(path)
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{path} is not a list of scores, one entry per video", WRITE_AGAIN)
    score_VK = _stack(path, [_read_score(path, number, row) for number, row in _number(rows)])
    classes = score_VK.shape[1]
    for number, row in _number(rows):
        declared = row.get("num_classes", classes) if isinstance(row, dict) else classes
        if declared != classes:
            raise DataError(f"{path}: video {number} has {classes} scores of {declared} classes")
    labels = [_read_label(path, number, row) for number, row in _number(rows)]
    is_absent = [label is None or label.tolist() == [NO_LABEL] for label in labels]
    remarks = ("its scores are not probabilities; their order gives the accuracy",)
    table = ScoreTable(score_VK)
    if not table.is_probability:
        table = table._replace(remarks=remarks)
    if all(is_absent):
        return table
    if any(is_absent):
        raise DataError(f"{path}: video {is_absent.index(True) + 1} has no label, others have one")
    return _add_labels(path, table, [label for label in labels if label is not None])


def _add_labels(path: Path, table: ScoreTable, labels: Sequence[NDArray[np.int64]]) -> ScoreTable:
    """Return the table with one label per video, or with 0/1 targets."""
    classes = table.probability_VK.shape[1]
    check_labels(np.concatenate(labels), classes, str(path))
    if all(len(label) == 1 for label in labels):
        return table._replace(label_V=np.concatenate(labels))
    target_VK = np.zeros(table.probability_VK.shape)
    for target_K, label in zip(target_VK, labels, strict=True):
        target_K[label] = 1
    return table._replace(target_VK=target_VK, remarks=())


def _number(rows: Sequence[object]) -> enumerate[object]:
    return enumerate(rows, start=1)


def _read_entry(row: Mapping[str, object], name: str) -> object:
    """Return an entry of a row; MMAction2 1.0 wrote `pred_scores` with `item`."""
    if name in row:
        return row[name]
    match row.get(f"{name}s"):
        case {"item": value}:
            return value
    return None


def _read_score(path: Path, number: int, row: object) -> NDArray[np.generic]:
    value = _read_entry(row, "pred_score") if isinstance(row, dict) else row
    if not isinstance(value, PickledArray) or value.values.dtype.kind != "f":
        raise DataError(f"{path}: video {number} has no scores", WRITE_AGAIN)
    if value.values.ndim != 1 or not value.values.size:
        raise DataError(
            f"{path}: the scores of video {number} have the shape {value.values.shape}, not one"
            " score per class",
            "average the views in MMAction2's test: average_clips='prob'",
        )
    return value.values


def _stack(path: Path, scores: Sequence[NDArray[np.generic]]) -> NDArray[np.float32]:
    for number, score_K in enumerate(scores, start=1):
        if len(score_K) != len(scores[0]):
            raise DataError(
                f"{path}: video {number} has {len(score_K)} scores, video 1 has {len(scores[0])}"
            )
    return np.stack(scores).astype(np.float32)


def _read_label(path: Path, number: int, row: object) -> NDArray[np.int64] | None:
    """Return the numbers of the classes of a video; None if it has no label."""
    value = _read_entry(row, "gt_label") if isinstance(row, dict) else None
    if value is None:
        return None
    if isinstance(value, int):
        return np.array([value], dtype=np.int64)
    if not isinstance(value, PickledArray) or value.values.ndim > 1:
        raise DataError(f"{path}: the label of video {number} is no number of a class")
    label = np.atleast_1d(value.values)
    is_one_hot = label.dtype.kind == "f" and bool(np.isin(label, (0, 1)).all())
    if not is_one_hot and label.dtype.kind not in "iu" and label.size:
        raise DataError(f"{path}: the label of video {number} is no number of a class")
    return np.flatnonzero(label) if is_one_hot else label.astype(np.int64)
