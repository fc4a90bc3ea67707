"""Which labels are listed, how they are printed, and how their picture is drawn."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from videomae_cli.config.model import Task
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.ingest.input_videos import RejectedInput
from videomae_cli.errors import CheckpointError, DataError, UsageError
from videomae_cli.tasks.predict.output import describe_prediction, plan_files
from videomae_cli.tasks.predict.picture import draw_timeline
from videomae_cli.tasks.predict.result import (
    NOT_FINITE,
    Prediction,
    PredictResult,
    select_labels,
)

CLASSES = ("a", "b", "c")


def result(*rejected: RejectedInput, task: Task = "single-label") -> PredictResult:
    return PredictResult(Path("w"), Protocol(1, 1), CLASSES, task, 2, [], list(rejected))


def row(*values: float) -> Prediction:
    return Prediction("x.mp4", np.array(values, dtype=np.float32))


@pytest.mark.parametrize(
    ("task", "values", "names"),
    [
        ("single-label", (0.2, 0.5, 0.3), "bc"),
        ("single-label", (0.25, 0.25, 0.5), "ca"),
        ("multi-label", (0.6, 0.9, 0.7), "bca"),
        ("multi-label", (0.1, 0.2, 0.5), "cb"),
        ("regression", (1.5, -2.0, 30.0), "abc"),
    ],
)
def test_the_labels_follow_from_the_task(task: Task, values: tuple[float, ...], names: str) -> None:
    labels = select_labels(row(*values).score_K, CLASSES, task, 2)

    assert "".join(label.name for label in labels) == names


def test_predictions_are_printed_as_blocks_and_windows_as_lines() -> None:
    whole, window = row(0.2, 0.5, 0.3), row(0.2, 0.5, 0.3)._replace(start=0.0, end=2.5)

    assert describe_prediction(result(), whole) == ["x.mp4", "     50.0 %  b", "     30.0 %  c"]
    assert describe_prediction(result(), window) == [
        "       0.00 -      2.50 s  b 50.0 %, c 30.0 %"
    ]
    values = describe_prediction(result(task="regression"), row(1.25, -2, 30))
    assert values == ["x.mp4", "       1.25  a", "         -2  b", "         30  c"]


def test_outputs_that_are_never_finite_blame_the_checkpoint_and_other_faults_the_data() -> None:
    infinite, bad = RejectedInput("x.mp4", NOT_FINITE), RejectedInput("y.mp4", "empty")

    result().require_all()
    with pytest.raises(CheckpointError, match="not finite for any of 1 videos"):
        result(infinite).require_all()
    with pytest.raises(DataError, match=r"no result for 2 of 2 inputs: x.mp4: .*; y.mp4: empty"):
        result(infinite, bad).require_all()


def test_each_video_has_its_own_picture() -> None:
    videos = ["a/clip.mp4", "b/clip.mkv", "b/Clip.avi"]

    files = plan_files(Path("out"), videos, has_windows=True)

    pictures = [path.name for kind, path in files.items() if kind.startswith("png")]
    assert pictures == ["clip.png", "clip-2.png", "Clip-3.png"]
    assert set(plan_files(Path("out"), videos, has_windows=False)) == {"jsonl", "csv"}
    with pytest.raises(UsageError, match="one picture, but 3 videos"):
        plan_files(Path("out.png"), videos, has_windows=True)


def test_the_picture_of_many_classes_marks_the_most_probable_one(tmp_path: Path) -> None:
    names = [f"class ${k}$" for k in range(400)]
    score_WK = np.full((8, 400), 0.001, dtype=np.float32)
    score_WK[:4, 7], score_WK[4:, 399] = 0.9, 0.6
    windows = [Prediction("a $b$.mp4", score_WK[w], w * 1.0, w + 1.0) for w in range(8)]
    pictures = []
    for task, kept in (("single-label", windows), ("regression", windows[:2])):
        draw_timeline(tmp_path / "x.png", kept, names, task)  # type: ignore[arg-type]
        with Image.open(tmp_path / "x.png") as image:
            pictures.append(np.asarray(image.convert("RGB")).astype(int))

    is_red = (np.abs(pictures[0] - (0xDC, 0x26, 0x26)) < 8).all(axis=2)
    bars = np.flatnonzero(is_red.sum(axis=1) > 300).tolist()
    assert len(bars) >= 4 and max(bars) - min(bars) < 200  # two rows with marks, one above another
    assert pictures[0].shape[1] == pictures[1].shape[1] == 1430


def test_a_name_with_a_line_break_stays_in_one_line_of_the_error() -> None:
    with pytest.raises(DataError) as error:
        result(RejectedInput("a\n\x1b[2Jb.mp4", "a control character in the path")).require_all()
    assert r"a\n\x1b[2Jb.mp4" in error.value.message
