"""VideoMAE's result files: written for its merger, read back to the bit, merged by the rule."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from videomae_cli.errors import DataError, UsageError
from videomae_cli.tasks.evaluate.dumps.score_table import ScoreTable
from videomae_cli.tasks.evaluate.dumps.v1_merge import read_v1_text
from videomae_cli.tasks.evaluate.dumps.v1_text import write_v1_text
from videomae_cli.tasks.evaluate.scores import Scores
from videomae_cli.tasks.evaluate.scoring import average_probabilities

CROPS = 3
HEADER = "50.0, 100.0"


def softmax(logits: list[float]) -> NDArray[np.float64]:
    power_K: NDArray[np.float64] = np.exp(np.array(logits))
    return np.asarray(power_K / power_K.sum())


def write(folder: Path, *ranks: list[str]) -> Path:
    for rank, lines in enumerate(ranks):
        text = "\n".join([HEADER, *lines]) + "\n"
        (folder / f"{rank}.txt").write_text(text, encoding="utf-8")
    return folder


def metrics(table: ScoreTable) -> dict[str, float]:
    assert table.label_V is not None
    numbers = np.arange(len(table.label_V))
    return Scores(numbers, table.label_V, table.probability_VK).metrics()


def test_a_file_has_the_lines_of_the_original(tmp_path: Path) -> None:
    logits = [np.array(values, dtype="f4") for values in ([[0.1, 2.0], [1, 0]], [[-1.5, 1e-8]])]

    path = write_v1_text(tmp_path, ["a/one.mp4", "b/two.x.avi"], np.array([1, 0]), logits, 1)

    assert path == tmp_path / "0.txt"
    assert path.read_text().splitlines() == [
        "33.33333333333333, 100.0",
        "one [0.10000000149011612, 2.0] 1 0 0",
        "one [1.0, 0.0] 1 1 0",
        "two [-1.5, 9.99999993922529e-09] 0 0 0",
    ]


def test_probabilities_and_metrics_are_read_back_to_the_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    logit_VNK = (4 * rng.standard_normal((50, 6, 11))).astype(np.float32)
    label_V = rng.integers(0, 11, 50)
    written = ScoreTable(np.stack([*map(average_probabilities, logit_VNK)]), label_V=label_V)
    write_v1_text(tmp_path, [f"{n}.mp4" for n in range(50)], label_V, [*logit_VNK], CROPS)

    result = read_v1_text(tmp_path)

    assert result.names == tuple(str(n) for n in range(50))
    assert result.probability_VK.tobytes() == written.probability_VK.tobytes()
    assert metrics(result) == metrics(written)
    assert result.view_count_V is not None and set(result.view_count_V.tolist()) == {6}
    assert (result.duplicates, result.remarks) == (0, ())


def test_views_are_averaged_after_the_softmax(tmp_path: Path) -> None:
    # the mean of the logits favours class 0: 3 to 2.67; that of the probabilities favours class 1
    logits = [[9.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 4.0, 0.0]]
    lines = [f"v {view} 1 {clip} 0" for clip, view in enumerate(logits)]

    result = read_v1_text(write(tmp_path, lines))

    expected = np.mean([softmax(view) for view in logits], axis=0)
    assert int(np.mean(logits, axis=0).argmax()) == 0
    assert int(result.probability_VK[0].argmax()) == int(expected.argmax()) == 1
    assert result.probability_VK[0] == pytest.approx(expected, abs=1e-6)


def test_ranks_are_merged_and_repeated_views_dropped(tmp_path: Path) -> None:
    first = ["a [1.0, 0.0] 0 0 0", "b [0.0, 3.0] 1 0 0"]
    second = ["a [0.0, 2.0] 0 1 0", "b [0.0, 1.0] 1 1 0", "a [1.0, 0.001] 0 0 0"]

    result = read_v1_text(write(tmp_path, first, second))

    assert result.names == ("a", "b")
    assert result.duplicates == 1
    assert result.view_count_V is not None and result.view_count_V.tolist() == [2, 2]
    expected = (softmax([1, 0]) + softmax([0, 2])) / 2
    assert result.probability_VK[0] == pytest.approx(expected, abs=1e-6)
    assert result.remarks == ()


def test_ten_clips_and_more_are_different_views(tmp_path: Path) -> None:
    lines = [f"v [{clip}.0, 0.0] 0 {clip} {crop}" for clip in range(12) for crop in range(3)]

    result = read_v1_text(write(tmp_path, lines))

    assert result.view_count_V is not None and result.view_count_V.tolist() == [36]


def test_names_with_brackets_and_blanks_are_read(tmp_path: Path) -> None:
    names = ["a b", "x [1, 2] 3 4 5", "]", "run [take 2]", "ünï"]

    result = read_v1_text(write(tmp_path, [f"{name} [0.5, 1.0] 1 0 0" for name in names]))

    assert result.names == tuple(names)


def test_equal_names_with_other_labels_are_kept_apart(tmp_path: Path) -> None:
    lines = ["clip [5.0, 0.0] 0 0 0", "clip [0.0, 5.0] 1 0 0", "other [0.0, 1.0] 1 0 0"]

    result = read_v1_text(write(tmp_path, lines))

    assert result.names == ("clip", "clip", "other")
    assert metrics(result)["top1"] == 1
    assert result.remarks == (
        "1 names occur with several labels, as different videos (clip); VideoMAE's own merger"
        " mixes them",
    )


def test_different_scores_for_one_view_are_reported(tmp_path: Path) -> None:
    lines = ["clip [5.0, 0.0] 0 0 0", "clip [0.0, 5.0] 0 0 0", "b [1.0, 0.0] 0 0 0"]

    result = read_v1_text(write(tmp_path, [*lines, "b [1.0, 0.0] 0 0 1"]))

    assert result.duplicates == 1
    few, differing = result.remarks
    assert few == "1 of 2 videos have fewer than 2 views (clip)"
    assert differing.startswith("1 video has different scores for the same view")


def test_logits_that_are_not_finite_give_no_probabilities(tmp_path: Path) -> None:
    lines = ["a [nan, 1e99] 0 0 0", "a [1.0, 0.0] 0 0 1", "b [1.0, 0.0] 0 0 0", "b [1, 0] 0 0 1"]

    result = read_v1_text(write(tmp_path, lines))

    assert np.isnan(result.probability_VK[0]).all()
    assert np.isfinite(result.probability_VK[1]).all()


def test_files_of_windows_and_other_files_are_no_problem(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("{}")
    (tmp_path / "0.txt").write_bytes(b"80.0, 90.0\r\na [1.0, 0.0] 0 0 0\r\n\r\n")

    assert read_v1_text(tmp_path).names == ("a",)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a [1.0, x] 0 0 0", r"0\.txt:3: .*could not convert"),
        ("a [] 0 0 0", r"0\.txt:3: .*no logits"),
        ("a 1.0, 2.0 0 0 0", r"0\.txt:3: .*is not `video_id \[logits\] label clip crop`"),
        ("a [1.0, 2.0] 0 0", r"0\.txt:3: .*is not"),
        ("a [1.0, 2.0, 3.0] 0 0 0", r"0\.txt:3: 3 logits, but .*0\.txt:2 has 2"),
        ("a [1.0, 2.0] 2 0 0", "label of video 2 is 2, but there are scores of 2 classes"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_v1_text(write(tmp_path, ["first [1.0, 2.0] 0 0 0", line]))


def test_missing_ranks_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="contains no result files of VideoMAE"):
        read_v1_text(tmp_path)
    (tmp_path / "0.txt").write_text(HEADER)
    with pytest.raises(DataError, match="contain no views"):
        read_v1_text(tmp_path)
    (tmp_path / "2.txt").write_text(HEADER)
    with pytest.raises(DataError, match=r"contains 2\.txt but no 1\.txt"):
        read_v1_text(tmp_path)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a b.mp4", "c.mp4"], "cannot name 'a b.mp4'"),
        (["a.mp4", "x[1].mp4"], r"cannot name 'x\[1\]\.mp4'"),
        (["a.mp4", ".mp4"], r"cannot name '\.mp4'"),
        (["a/clip.mp4", "b/clip.mp4"], "the same for 'a/clip.mp4', 'b/clip.mp4'"),
        (["take.1.mp4", "take.2.mp4"], "the same for 'take.1.mp4', 'take.2.mp4'"),
    ],
)
def test_names_that_the_original_would_misread_are_not_written(
    tmp_path: Path, names: list[str], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        write_v1_text(
            tmp_path / "out", names, np.array([0, 1]), [*np.zeros((2, 6, 2), "f4")], CROPS
        )

    assert not (tmp_path / "out").exists()


def test_files_of_another_evaluation_are_not_mixed_with_the_new_one(tmp_path: Path) -> None:
    write(tmp_path, [], [])

    with pytest.raises(UsageError, match=r"contains 1\.txt of another evaluation"):
        write_v1_text(tmp_path, ["a"], np.array([0]), [*np.zeros((1, 6, 2), "f4")], CROPS)
