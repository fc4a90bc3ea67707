"""The report of an evaluation: what it shows, for any task, any names and any number of videos."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from videomae_cli.errors import UsageError
from videomae_cli.tasks.evaluate.html.images import THUMBNAIL_HEIGHT, encode_thumbnail
from videomae_cli.tasks.evaluate.html.matrix import build_matrix
from videomae_cli.tasks.evaluate.html.page import (
    Baseline,
    Counts,
    CurvePoint,
    EvalPage,
    Task,
    select_examples,
)
from videomae_cli.tasks.evaluate.html.report import write_report
from videomae_cli.tasks.evaluate.html.tables import compare_with_baselines, format_value
from videomae_cli.tasks.evaluate.metrics.intervals import Interval, single_label_intervals
from videomae_cli.tasks.evaluate.metrics.multi_label import multi_label_metrics
from videomae_cli.tasks.evaluate.metrics.regression import regression_metrics
from videomae_cli.tasks.evaluate.metrics.single_label import single_label_metrics
from videomae_cli.tasks.evaluate.scores import Failure

VOID = {"meta", "img", "input", "br", "path", "use", "rect", "circle"}
TASKS: tuple[Task, ...] = ("single-label", "multi-label", "regression")


class Reader(HTMLParser):
    """Collects the text and the attributes of a page; fails if its elements are not nested."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["script"], ["style"]):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


def make_page(task: Task, videos: int = 40, classes: int = 4, **fields: Any) -> EvalPage:
    rng = np.random.default_rng(0)
    names = [f"class {k}" for k in range(classes)]
    output_VK = rng.dirichlet(np.ones(classes) / 2, videos).astype(np.float32)
    target: np.ndarray[Any, Any] = rng.integers(0, classes, videos)
    if task == "single-label":
        metrics = single_label_metrics(target, output_VK) if videos else {}
    elif task == "multi-label":
        target = (rng.random((videos, classes)) < 0.3).astype(np.float64)
        metrics = multi_label_metrics(target, output_VK) if videos else {}
    else:
        target = output_VK + rng.normal(size=(videos, classes))
        metrics = regression_metrics(target, output_VK, names) if videos else {}
    page = EvalPage(
        title="fights: runs/a",
        headline="top-1 81.3 % [80.7, 81.9] (v1-k400: 5 x 3 views)",
        task=task,
        names=names,
        paths=[f"{v}.mp4" for v in range(videos)],
        target=target,
        output_VK=output_VK,
        counts=Counts(videos + 2, videos, 2, 0),
        metrics=metrics,
    )
    return page._replace(**fields)


def write(page: EvalPage, folder: Path) -> tuple[str, Reader]:
    write_report(folder / "report.html", page)
    text = (folder / "report.html").read_text(encoding="utf-8")
    return text, Reader(text)


def decode(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))


@pytest.mark.parametrize("task", TASKS)
def test_a_page_shows_its_headline_and_needs_no_network(task: Task, tmp_path: Path) -> None:
    thumbnails = {v: np.full((8, 24, 32, 3), v, np.uint8) for v in range(40)}
    text, reader = write(make_page(task, thumbnails=thumbnails), tmp_path)
    links = [v for name, v in reader.attributes if name in ("src", "href", "xlink:href", "srcset")]

    assert "top-1 81.3 % [80.7, 81.9] (v1-k400: 5 x 3 views)" in reader.text
    assert "42 videos attempted" in reader.text and "2 unreadable" in reader.text
    assert links and all(link.startswith(("data:", "#")) for link in links)
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest", text)
    assert not re.search("#0[1-6]0[1-6]0[1-6]", text)  # placeholder colours of the plots
    assert len([v for name, v in reader.attributes if v.startswith("data:image/jpeg")]) == 16


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("videos", "classes"), [(0, 3), (1, 1)])
def test_a_page_of_few_videos_or_of_no_finite_output_is_whole(
    task: Task, videos: int, classes: int, tmp_path: Path
) -> None:
    page = make_page(task, videos, classes)

    write(page, tmp_path)
    if videos:
        write(page._replace(output_VK=np.full((videos, classes), np.nan)), tmp_path)


@pytest.mark.parametrize("task", ["single-label", "regression"])
def test_names_may_contain_anything(task: Task, tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>{{ 7 * 7 }} & \x1b[31m \udce9 $x^2$ \u202e"
    page = make_page(
        task,
        classes=2,
        title=evil,
        names=[evil, "b"],
        paths=[evil] * 40,
        failures=[Failure(evil, evil)],
        curve=[CurvePoint(evil, 5, 0.5)],
        baselines=[Baseline(evil, 0.5, note=evil)],
        details=[(evil, evil)],
    )
    text, reader = write(page, tmp_path)
    shown = evil.replace("\x1b", "\\x1b").replace("\udce9", "\\xe9").replace("\u202e", "\\u202e")

    assert text.count("<script") == 2 and text.count("</script>") == 2
    assert reader.texts.count(shown) >= 6
    assert "49" not in {word for word in reader.texts if word.strip() == "49"}


def test_names_in_the_data_of_the_script_are_escaped(tmp_path: Path) -> None:
    names = ["</script><b>"] + [f"c{k}" for k in range(40)]
    text, _ = write(make_page("single-label", classes=41)._replace(names=names), tmp_path)

    assert text.count("</script>") == 2
    assert "\\u003c/script\\u003e" in text


def test_writing_again_gives_the_same_bytes_and_replaces_the_file(tmp_path: Path) -> None:
    page = make_page("multi-label", curve=[CurvePoint("a", 5, 0.5)])
    first, _ = write(page, tmp_path)

    assert write(page, tmp_path)[0] == first
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_only_the_first_outputs_of_many_have_plots(tmp_path: Path) -> None:
    text, reader = write(make_page("regression", 2, 7), tmp_path)

    assert "The first 6 of 7 outputs." in reader.text
    assert len(re.findall("<svg", text)) == 12
    assert "class 6" in reader.text  # in the table of outputs


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match=r"report\.html: the report cannot be written"):
        write_report(tmp_path / "file" / "report.html", make_page("regression", 0))


def test_the_most_confused_classes_come_first() -> None:
    matrix_KK = np.array([[5, 3, 0], [1, 0, 3], [0, 0, 0]])
    matrix = build_matrix(matrix_KK, ["a", "b", "c"])

    assert [(p.true, p.predicted, p.videos, p.share) for p in matrix.pairs] == [
        ("b", "c", 3, 0.75),
        ("a", "b", 3, 0.375),
        ("b", "a", 1, 0.25),
    ]
    assert matrix.cells[0] == [(5, 0.625), (3, 0.375), (0, 0)]
    assert matrix.cells[2] == [(0, 0), (0, 0), (0, 0)]
    assert matrix.picture == ""


def test_the_matrix_of_many_classes_is_a_picture_with_one_pixel_a_cell(tmp_path: Path) -> None:
    matrix_KK = np.diag(np.arange(400))
    matrix_KK[7, 300] = 7
    matrix = build_matrix(matrix_KK, [str(k) for k in range(400)])
    pixels = np.asarray(decode(matrix.picture))

    assert matrix.cells == [] and pixels.shape == (400, 400, 4)
    assert (pixels[..., 3] > 0).sum() == 399 + 1
    assert pixels[8, 8, 3] == 255 and pixels[7, 300, 3] > 190
    assert pixels[7, 300, 0] > 200 > 100 > pixels[8, 8, 0]
    assert [7, 300, 7] in matrix.entries and matrix.totals[7] == 14
    text, _ = write(make_page("single-label", 2000, 400), tmp_path)
    assert len(text.encode()) < 1_000_000


def test_classes_are_listed_worst_first_with_undefined_ones_last(tmp_path: Path) -> None:
    label_V = np.array([0, 0, 1, 1, 3])
    output_VK = np.eye(5)[[0, 1, 1, 1, 0]]
    page = make_page("single-label", 5, 5)._replace(target=label_V, output_VK=output_VK)
    text, _ = write(page, tmp_path)
    rows = re.findall(r'<td class="name">class (\d)</td><td>(\d)</td><td class="bar"', text)

    assert rows == [("3", "1"), ("0", "2"), ("1", "2"), ("2", "0"), ("4", "0")]


def test_examples_of_single_labels_are_sorted_by_confidence() -> None:
    probability_VK = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [np.nan, 1], [0.3, 0.7]])
    examples = select_examples("single-label", np.array([0, 0, 1, 0, 0]), probability_VK, 2)

    assert examples == ([1, 4], [0])


@pytest.mark.parametrize("task", ["multi-label", "regression"])
def test_examples_of_other_tasks_are_sorted_by_error_and_shown_once(task: Task) -> None:
    target_VK = np.array([[0.0, 1], [1, 0], [1, 1], [0, 1]])
    output_VK = np.array([[0.1, 0.9], [0.2, 0.9], [np.nan, 1], [0.4, 0.6]])

    assert select_examples(task, target_VK, output_VK) == ([1, 3], [0])


def test_captions_name_truth_and_prediction(tmp_path: Path) -> None:
    page = make_page("single-label", 2, 2)._replace(
        target=np.array([0, 1]), output_VK=np.array([[0.04, 0.96], [0.0002, 0.9998]])
    )
    labels = make_page("multi-label", 2, 6)._replace(
        target=np.array([[1, 1, 1, 1, 1, 0], [0] * 6]),
        output_VK=np.array([[0.1] * 5 + [0.75], [0.1] * 6]),
    )
    values = make_page("regression", 2, 1)._replace(
        target=np.array([[1.5], [2]]), output_VK=np.array([[3.25], [2]])
    )

    text = write(page, tmp_path)[1].text
    assert "true class 0 predicted class 1 96.0 % 0.mp4" in text
    assert "true class 1 predicted class 1 > 99.9 % 1.mp4" in text
    text = write(labels, tmp_path)[1].text
    assert "true class 0, class 1, class 2, class 3 and 1 more predicted class 5 75.0 %" in text
    assert "true none predicted none" in text
    assert "true 1.500 predicted 3.250" in write(values, tmp_path)[1].text


@pytest.mark.parametrize(
    ("baseline", "end"),
    [
        (0.717, "On these videos, the model is no better than a method without it."),
        (0.45, "The baseline is within the interval of the model."),
        (0.3, "Motion statistics alone: 30.0 %."),
    ],
)
def test_a_sentence_compares_the_model_with_the_best_baseline(
    baseline: float, end: str, tmp_path: Path
) -> None:
    page = make_page(
        "single-label",
        0,
        metrics={"top1": 0.467},
        intervals={"top1": Interval(0.4, 0.53)},
        baselines=[Baseline("majority", 0.2), Baseline("motion statistics", baseline)],
    )
    sentence = compare_with_baselines(page)

    assert sentence.startswith("Your model: 46.7 %. Motion statistics alone:")
    assert sentence.endswith(end)
    assert sentence in write(page, tmp_path)[1].text


def test_curve_failures_and_details_have_their_sections(tmp_path: Path) -> None:
    page = make_page(
        "multi-label",
        curve=[CurvePoint("pretrained", n, n / 200, Interval(0, 1)) for n in (5, 50, 162)],
        curve_note="Pretraining helps with few labels.",
        failures=[Failure("broken.mp4", "no frame can be decoded")],
        details=[("weights", "runs/a/final")],
    )
    _, reader = write(page, tmp_path)

    assert "Pretraining helps with few labels." in reader.text
    assert "162 81.0 % [0.0, 100.0]" in reader.text
    assert "broken.mp4 no frame can be decoded" in reader.text
    assert "weights runs/a/final" in reader.text
    assert "Label curve" not in write(page._replace(curve=()), tmp_path)[1].text


def test_the_metrics_stand_with_their_intervals(tmp_path: Path) -> None:
    page = make_page("single-label", 60, 8)
    intervals = single_label_intervals(page.target, page.output_VK)
    _, reader = write(page._replace(intervals=intervals), tmp_path)
    low, high = (100 * end for end in intervals["top1"])

    assert f"{100 * page.metrics['top1']:.1f} % [{low:.1f}, {high:.1f}]" in reader.text
    assert f"Log loss {format_value('loss', page.metrics['loss'])}" in reader.text


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
def test_a_thumbnail_shows_four_frames_of_any_number_of_channels(channels: int) -> None:
    frames_THWC = np.full((16, 48, 48, channels), 100, np.uint8)
    frames_THWC[8:] = 200
    picture = np.asarray(decode(encode_thumbnail(frames_THWC)).convert("L"))

    assert picture.shape == (THUMBNAIL_HEIGHT, 4 * THUMBNAIL_HEIGHT)
    assert picture[40, [40, 140, 240, 340]] == pytest.approx([100, 100, 200, 200], abs=3)
    assert decode(encode_thumbnail(frames_THWC[:1])).size == (THUMBNAIL_HEIGHT,) * 2
