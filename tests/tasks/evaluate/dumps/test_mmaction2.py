"""MMAction2's pickle: what it contains, and that it is read back to the bit, without any code."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from videomae_cli.errors import DataError, UsageError
from videomae_cli.tasks.evaluate.dumps.mmaction2 import (
    describe_missing_rows,
    read_mmaction2,
    write_mmaction2,
)
from videomae_cli.tasks.evaluate.dumps.score_table import ScoreTable

SCORES = torch.tensor([[0.1, 0.2, 0.7], [0.3, 0.6, 0.1]]).softmax(dim=-1)
LABELS = [2, 0]


def table(videos: int = 7, classes: int = 5) -> ScoreTable:
    rng = np.random.default_rng(0)
    score_VK = rng.random((videos, classes)).astype(np.float32)
    probability_VK = score_VK / score_VK.sum(axis=1, keepdims=True)
    return ScoreTable(probability_VK, label_V=rng.integers(0, classes, videos))


def save(path: Path, value: object, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


def rows(**changes: object) -> list[dict[str, object]]:
    """Return rows as MMAction2 writes them: tensors that are views of a batch."""
    return [
        {
            "pred_score": score,
            "pred_label": score.argmax(dim=-1, keepdim=True),
            "gt_label": torch.tensor([label]),
            "num_classes": 3,
            "img_shape": (224, 224),
            **changes,
        }
        for score, label in zip(SCORES, LABELS, strict=True)
    ]


def test_a_file_is_what_mmaction2_writes(tmp_path: Path) -> None:
    scores = table()
    write_mmaction2(tmp_path / "ours.pkl", scores, (224, 224))

    loaded = pickle.loads((tmp_path / "ours.pkl").read_bytes())

    assert type(loaded) is list and len(loaded) == 7
    assert scores.label_V is not None
    for row, probability_K, label in zip(
        loaded, scores.probability_VK, scores.label_V, strict=True
    ):
        assert list(row) == ["pred_score", "pred_label", "gt_label", "num_classes", "img_shape"]
        assert row["pred_score"].dtype == torch.float32
        assert row["pred_score"].tolist() == probability_K.tolist()
        assert row["pred_label"].dtype == row["gt_label"].dtype == torch.int64
        assert row["pred_label"].tolist() == [probability_K.argmax()]
        assert row["gt_label"].tolist() == [label]
        assert (row["num_classes"], row["img_shape"]) == (5, (224, 224))


def test_the_same_scores_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.pkl", "b.pickle"):
        write_mmaction2(tmp_path / name, table(), (224, 224))

    assert (tmp_path / "a.pkl").read_bytes() == (tmp_path / "b.pickle").read_bytes()


def test_scores_are_read_back_to_the_bit(tmp_path: Path) -> None:
    scores = table()
    scores.probability_VK[3] = np.nan  # a video without finite outputs
    write_mmaction2(tmp_path / "ours.pkl", scores, (224, 224))

    result = read_mmaction2(tmp_path / "ours.pkl")

    assert result.probability_VK.dtype == np.float32
    assert result.probability_VK.tobytes() == scores.probability_VK.tobytes()
    assert result.label_V is not None and scores.label_V is not None
    assert result.label_V.tolist() == scores.label_V.tolist()
    assert (result.names, result.remarks, result.is_probability) == (None, (), True)


def test_videos_without_a_row_are_named() -> None:
    text = describe_missing_rows(Path("result.pkl"), ["a.mp4", "b.mp4"])

    assert text.startswith("result.pkl: 2 undecodable videos have no row (a.mp4, b.mp4): ")


def test_several_labels_per_video_are_read_back(tmp_path: Path) -> None:
    target_VK = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], dtype=np.float64)
    score_VK = np.array([[0.9, 0.1, 0.8], [0.2, 0.3, 0.1], [0.5, 0.5, 0.5]], dtype=np.float32)
    write_mmaction2(tmp_path / "ours.pkl", ScoreTable(score_VK, target_VK=target_VK), (96, 96))

    result = read_mmaction2(tmp_path / "ours.pkl")

    assert result.target_VK is not None and result.label_V is None
    assert result.target_VK.tolist() == target_VK.tolist()
    assert result.probability_VK.tolist() == score_VK.tolist()
    assert pickle.loads((tmp_path / "ours.pkl").read_bytes())[0]["gt_label"].tolist() == [0, 2]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_torch_tensors_are_read_to_the_bit(tmp_path: Path, protocol: int) -> None:
    result = read_mmaction2(save(tmp_path / "mm.pkl", rows(), protocol))

    assert result.probability_VK.tobytes() == SCORES.numpy().tobytes()
    assert result.label_V is not None and result.label_V.tolist() == LABELS


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_scores_of_another_precision_are_read(tmp_path: Path, dtype: torch.dtype) -> None:
    values = [{**row, "pred_score": SCORES[n].to(dtype)} for n, row in enumerate(rows())]

    result = read_mmaction2(save(tmp_path / "mm.pkl", values))

    assert result.probability_VK.tolist() == SCORES.to(dtype).float().tolist()


def test_tensors_with_strides_and_offsets_are_read(tmp_path: Path) -> None:
    values = [{**row, "pred_score": SCORES.T[:, n]} for n, row in enumerate(rows())]
    columns = [{"pred_score": SCORES.T[n], "gt_label": torch.tensor(n % 2)} for n in range(3)]

    assert read_mmaction2(save(tmp_path / "a.pkl", values)).probability_VK.tolist() == (
        SCORES.tolist()
    )
    assert read_mmaction2(save(tmp_path / "b.pkl", columns)).probability_VK.tolist() == (
        SCORES.T.tolist()
    )


def test_rows_of_mmaction2_1_0_are_read(tmp_path: Path) -> None:
    values = [
        {"pred_scores": {"item": SCORES[n]}, "gt_labels": {"item": torch.tensor([LABELS[n]])}}
        for n in range(2)
    ]

    result = read_mmaction2(save(tmp_path / "mm.pkl", values))

    assert result.label_V is not None and result.label_V.tolist() == LABELS


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_of_mmaction2_0_are_read_and_get_the_labels_of_a_list(
    tmp_path: Path, protocol: int
) -> None:
    path = save(tmp_path / "old.pkl", [score.numpy() for score in SCORES], protocol)

    result = read_mmaction2(path)

    assert result.label_V is None
    assert result.probability_VK.tolist() == SCORES.tolist()
    labelled = result.with_labels(LABELS, "val.txt")
    assert labelled.label_V is not None and labelled.label_V.tolist() == LABELS
    with pytest.raises(DataError, match=r"val\.txt lists 3 videos, but there are scores of 2"):
        result.with_labels([0, 1, 2], "val.txt")
    with pytest.raises(DataError, match="label of video 2 is 3, but there are scores of 3 classes"):
        result.with_labels([0, 3], "val.txt")


def test_scores_that_are_no_probabilities_are_reported(tmp_path: Path) -> None:
    logits = [{**row, "pred_score": 5 * SCORES[n]} for n, row in enumerate(rows())]

    result = read_mmaction2(save(tmp_path / "mm.pkl", logits))

    assert not result.is_probability
    assert result.remarks == ("its scores are not probabilities; their order gives the accuracy",)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": 1}, "is not a list of scores"),
        ([], "is not a list of scores"),
        ([{"gt_label": 1}], "video 1 has no scores"),
        ([{"pred_score": torch.rand(15, 3)}], r"video 1 have the shape \(15, 3\)"),
        ([{"pred_score": torch.rand(2)}, {"pred_score": torch.rand(3)}], "video 2 has 3 scores"),
        (rows(num_classes=4), "video 1 has 3 scores of 4 classes"),
        (rows(gt_label=torch.tensor([3])), "label of video 1 is 3, but there are scores of 3"),
        (rows(gt_label="run"), "label of video 1 is no number"),
        ([rows()[0], {"pred_score": SCORES[1]}], "video 2 has no label, others have one"),
    ],
)
def test_what_is_no_list_of_scores_is_refused(tmp_path: Path, value: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_mmaction2(save(tmp_path / "mm.pkl", value))


class Payload:
    """An object whose pickle calls a function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    values = [*rows(), Payload(Path.touch, marker)]

    with pytest.raises(DataError, match=r"needs .*, which could run code; refused"):
        read_mmaction2(save(tmp_path / "mm.pkl", values))

    assert not marker.exists()


def test_code_within_the_bytes_of_a_tensor_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    inner = pickle.dumps(Payload(Path.touch, marker), protocol=2)
    values = [Payload(torch.storage._load_from_bytes, inner)]

    with pytest.raises(DataError, match="not in the form that torch writes"):
        read_mmaction2(save(tmp_path / "mm.pkl", values))

    assert not marker.exists()


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    content = pickle.dumps(rows(), protocol=2)
    path = tmp_path / "mm.pkl"
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"mm\.pkl"):
            read_mmaction2(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x80\x02]r\xff\xff\xff\xff.", "numbers an object 4,294,967,295"),
        (b"\x80\x02" + b"]" + b"\x85" * 100 + b".", "nests tuples more than 64 deep"),
        (b"\x80\x02cos\nsystem\n.", r"needs os\.system"),
    ],
)
def test_pickles_that_would_crash_python_are_refused(
    tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "mm.pkl").write_bytes(content)

    with pytest.raises(DataError, match=words):
        read_mmaction2(tmp_path / "mm.pkl")


def test_a_tensor_larger_than_its_storage_is_refused(tmp_path: Path) -> None:
    row = save(tmp_path / "mm.pkl", [{"pred_score": SCORES[0].clone()}]).read_bytes()
    sizes = b"K\x03\x85"  # the size, (3,), as protocol 2 writes it
    assert row.count(sizes) == 1

    (tmp_path / "mm.pkl").write_bytes(row.replace(sizes, b"K\x04\x85"))

    with pytest.raises(DataError, match="a tensor is larger than its storage"):
        read_mmaction2(tmp_path / "mm.pkl")


def test_a_wrong_suffix_or_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not end in \.pkl or \.pickle"):
        write_mmaction2(tmp_path / "scores.json", table(), (224, 224))
    values = ScoreTable(np.ones((2, 1), np.float32), target_VK=np.array([[0.5], [1.5]]))
    with pytest.raises(UsageError, match="contain classes, but the videos have none"):
        write_mmaction2(tmp_path / "scores.pkl", values, (224, 224))

    assert list(tmp_path.iterdir()) == []
