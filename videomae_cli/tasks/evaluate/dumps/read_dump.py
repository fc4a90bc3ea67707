"""Read the scores of an evaluation from a file or a directory, whoever wrote it."""

import zipfile
from pathlib import Path

import numpy as np

from videomae_cli.errors import DataError
from videomae_cli.tasks.evaluate.dumps.mmaction2 import SUFFIXES, read_mmaction2
from videomae_cli.tasks.evaluate.dumps.score_table import ScoreTable, check_labels
from videomae_cli.tasks.evaluate.dumps.v1_merge import read_v1_text
from videomae_cli.tasks.evaluate.dumps.v1_text import RANK_FILE

SCORES = "scores.npz"
KINDS = (
    "give MMAction2's --dump FILE.pkl, the directory with VideoMAE's 0.txt, 1.txt, ..., or the"
    f" {SCORES} of videomae eval"
)


def read_dump(path: Path) -> ScoreTable:
    """Read MMAction2's pickle, the directory of VideoMAE's text files, or `scores.npz`.

    A directory with `scores.npz` is one that `videomae eval` wrote.

    Raises:
        DataError: It does not exist, is none of them, or is damaged.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist", KINDS)
    if path.is_dir():
        return _read_scores(path / SCORES) if (path / SCORES).is_file() else read_v1_text(path)
    if RANK_FILE.fullmatch(path.name):
        raise DataError(
            f"{path} has the views of one rank only", f"give its directory, {path.parent}"
        )
    with path.open("rb") as file:
        head = file.read(4)
    if head == b"PK\x03\x04" and path.suffix == ".npz":
        return _read_scores(path)
    if head[:1] == b"\x80" or path.suffix in SUFFIXES:
        return read_mmaction2(path)
    raise DataError(f"{path} is no file of scores (it begins with {head!r})", KINDS)


def _read_scores(path: Path) -> ScoreTable:
    """Read the scores that `videomae eval` wrote."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is damaged: {error}", "evaluate again") from error
    score_VK = arrays.get("probability", arrays.get("output"))
    target = arrays.get("label", arrays.get("target"))
    if score_VK is None or target is None or score_VK.ndim != 2 or len(target) != len(score_VK):
        raise DataError(
            f"{path} has no scores with labels, only {', '.join(arrays) or 'nothing'}", KINDS
        )
    classes = arrays.get("classes", score_VK[0] if len(score_VK) else ())
    if (
        not score_VK.size
        or len(classes) != score_VK.shape[1]
        or (target.shape != score_VK.shape if target.ndim == 2 else target.dtype.kind not in "iu")
    ):
        raise DataError(f"{path}: its scores, labels and classes do not fit each other", KINDS)
    table = ScoreTable(
        score_VK.astype(np.float32),
        names=tuple(arrays["path"].tolist()) if "path" in arrays else None,
        classes=tuple(arrays["classes"].tolist()) if "classes" in arrays else None,
        is_regression="output" in arrays,
        unreadable=tuple(arrays["unreadable"].tolist()) if "unreadable" in arrays else (),
    )
    if target.ndim == 2:
        return table._replace(target_VK=target.astype(np.float64))
    check_labels(target.astype(np.int64), score_VK.shape[1], str(path))
    return table._replace(label_V=target.astype(np.int64))
