"""`read_dump` recognises the three kinds of files, and the metrics of all of them agree."""

from pathlib import Path

import numpy as np
import pytest

from videomae_cli.errors import DataError
from videomae_cli.tasks.evaluate.dumps.mmaction2 import write_mmaction2
from videomae_cli.tasks.evaluate.dumps.read_dump import read_dump
from videomae_cli.tasks.evaluate.dumps.score_table import ScoreTable
from videomae_cli.tasks.evaluate.dumps.v1_text import write_v1_text
from videomae_cli.tasks.evaluate.scores import Scores
from videomae_cli.tasks.evaluate.scoring import average_probabilities

VIDEOS, CLASSES, CLIPS, CROPS = 40, 7, 2, 2


def write_all(folder: Path) -> tuple[ScoreTable, list[Path]]:
    """Write the same scores in each form, and return them and the places."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((VIDEOS, CLIPS * CROPS, CLASSES)).astype(np.float32)
    names = [f"clip{n}.mp4" for n in range(VIDEOS)]
    label_V = rng.integers(0, CLASSES, VIDEOS)
    table = ScoreTable(np.stack([*map(average_probabilities, logits)]), label_V=label_V)
    write_v1_text(folder / "v1", names, label_V, [*logits], CROPS)
    write_mmaction2(folder / "result.pkl", table, (224, 224))
    (folder / "eval").mkdir()
    np.savez_compressed(
        folder / "eval" / "scores.npz",
        path=np.array(names),
        label=label_V,
        probability=table.probability_VK,
        classes=np.array(list("abcdefg")),
    )
    return table, [folder / name for name in ("v1", "result.pkl", "eval", "eval/scores.npz")]


def metrics(table: ScoreTable) -> dict[str, float]:
    assert table.label_V is not None
    return Scores(np.arange(VIDEOS), table.label_V, table.probability_VK).metrics()


def test_every_form_gives_the_same_probabilities_and_metrics(tmp_path: Path) -> None:
    table, paths = write_all(tmp_path)

    results = [read_dump(path) for path in paths]

    assert [r.probability_VK.tobytes() == table.probability_VK.tobytes() for r in results] == (
        [True] * 4
    )
    assert [metrics(result) for result in results] == [metrics(table)] * 4
    assert [result.classes for result in results] == [None, None, *[tuple("abcdefg")] * 2]


def test_what_is_no_file_of_scores_is_refused(tmp_path: Path) -> None:
    write_all(tmp_path)
    (tmp_path / "notes.md").write_text("# notes")
    (tmp_path / "empty.npz").write_bytes(b"PK\x03\x04 not a zip archive")
    np.savez(tmp_path / "other.npz", features=np.zeros(3))
    np.savez(tmp_path / "objects.npz", label=np.array([{}], dtype=object))
    refused = {
        "absent": "does not exist",
        "notes.md": "no file of scores",
        "v1/0.txt": "the views of one rank only",
        "empty.npz": "is damaged",
        "other.npz": "has no scores with labels, only features",
        "objects.npz": "is damaged",
    }

    for name, words in refused.items():
        with pytest.raises(DataError, match=words):
            read_dump(tmp_path / name)
