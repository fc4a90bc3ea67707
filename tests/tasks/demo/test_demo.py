"""A very small demonstration, through all stages; its accuracies mean nothing."""

import html
import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.notes import Notes
from videomae_cli.cli import app
from videomae_cli.config.protocols import Protocol
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.errors import UsageError
from videomae_cli.tasks.demo import demo, plan
from videomae_cli.tasks.demo.results import DemoResults, DemoScore, read_score
from videomae_cli.tasks.evaluate.result import EvalResult
from videomae_cli.tasks.probe.curve import CurvePoint, LabelCurve
from videomae_cli.tasks.probe.measures import Interval, Measure

# smaller than --quick, with one decoding process: tests run in parallel
SMALL = plan.DemoPlan(
    plan.QUICK._replace(unlabelled=32, budgets=(8, 16), control=8, test=16),
    load_recipe(
        "demo",
        [*plan.QUICK_PRETRAIN, "train.batch=8", "train.micro_batch=8", "train.workers=0"],
        "pretrain",
    ),
    *(
        load_recipe(
            "demo-finetune",
            [*plan.QUICK_FINETUNE, "train.batch=8", "train.micro_batch=8", "train.workers=0", *own],
            "finetune",
        )
        for own in ((), plan.FROM_SCRATCH)
    ),
    seed=0,
)

EMPTY_CURVE = LabelCurve(
    *("single-label", "test", ("pretrained", "scratch"), ("", ""), (32, 800), ()),
    constant=Measure("single-label", Interval(0.125, 0.1, 0.15), 800),
    remarks=(),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemoResults, Notes]:
    run_dir, notes = tmp_path_factory.mktemp("demo") / "run", Notes()
    return run_dir, demo.run(run_dir, notes, SMALL), notes


@pytest.mark.slow
def test_both_starts_are_compared_at_each_budget_on_the_same_test_videos(
    finished: tuple[Path, DemoResults, Notes],
) -> None:
    run_dir, results, _ = finished

    compared = {(score.labels, score.start) for score in results.comparisons}

    assert compared == {(n, start) for n in (8, 16) for start in ("pretrained", "scratch")}
    assert {score.videos for score in (*results.comparisons, *results.controls)} == {16}
    assert [score.order for score in results.controls] == ["still", "shuffled"]
    recipes = [
        (run_dir / f"natural-{start}-8" / "recipe.yaml").read_text().splitlines()
        for start in ("pretrained", "scratch")
    ]
    differences = [lines for lines in zip(*recipes, strict=True) if len(set(lines)) > 1]
    assert {left.split(":")[0].strip() for left, _ in differences} == {"start", "base_lr"}


@pytest.mark.slow
def test_pretraining_uses_no_label_and_no_labelled_video(
    finished: tuple[Path, DemoResults, Notes],
) -> None:
    run_dir, _, _ = finished

    labelled = {path.read_bytes() for path in (run_dir / "videos" / "natural").glob("*.npy")}
    unlabelled = {path.read_bytes() for path in (run_dir / "videos" / "unlabelled").glob("*.npy")}

    assert len(labelled) == 16 + 16
    assert len(unlabelled) == 32
    assert not labelled & unlabelled
    assert not (run_dir / "data" / "unlabelled" / "classes.json").exists()


@pytest.mark.slow
def test_the_page_is_self_contained_and_shows_all_results(
    finished: tuple[Path, DemoResults, Notes],
) -> None:
    run_dir, results, notes = finished

    page = (run_dir / "report.html").read_text()

    links = re.findall(r"(?:src|href)=.{6}", page)
    assert {link.split("=")[1] for link in links} == {'"data:'}
    assert page.count("data:image/png;base64,") >= 6
    for row in (*results.frozen_rows(), *results.rows()):
        for cell in row:
            assert html.escape(cell) in page
    assert f"{100 * results.controls[0].top1:.1f} %" in page
    assert f"{100 * results.controls[1].pair:.1f} %" in page
    assert notes.warned == []


@pytest.mark.slow
def test_the_results_are_written_as_json(finished: tuple[Path, DemoResults, Notes]) -> None:
    run_dir, results, _ = finished

    written = json.loads((run_dir / "results.json").read_text())

    assert written == json.loads(json.dumps(results.as_json()))
    assert written["budgets"] == [8, 16]
    assert written["gains"] == [100 * results.gain(labels).value for labels in (8, 16)]
    curve = json.loads((run_dir / "label-curve" / "label_curve.json").read_text())
    assert [point["labels"] for point in curve["points"]] == [[8] * 5, [16] * 5]
    assert written["frozen_gains"] == [100 * point["gain"]["value"] for point in curve["points"]]
    assert set(written["seconds"]) == {"videos", "training"}


@pytest.mark.slow
def test_a_second_run_in_the_same_directory_trains_nothing(
    finished: tuple[Path, DemoResults, Notes],
) -> None:
    run_dir, results, _ = finished
    weights = sorted(run_dir.glob("*/final/model.safetensors"))
    before = [path.stat().st_mtime_ns for path in weights]

    again = demo.run(run_dir, Notes(), SMALL)

    assert len(weights) == 1 + 4 + 2
    assert [path.stat().st_mtime_ns for path in weights] == before
    assert again.comparisons == results.comparisons
    assert again.controls == results.controls


@pytest.mark.slow
def test_another_plan_is_refused_in_the_same_directory(
    finished: tuple[Path, DemoResults, Notes],
) -> None:
    run_dir, _, _ = finished

    with pytest.raises(UsageError, match="another seed, size or recipe"):
        demo.run(run_dir, Notes(), SMALL._replace(seed=1))


def test_a_folder_with_other_files_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")

    with pytest.raises(UsageError, match="not empty"):
        demo.run(tmp_path, Notes(), SMALL)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_pair_accuracy_compares_only_the_two_opposite_classes(tmp_path: Path) -> None:
    classes = sorted(["left", "right", "up", "down", "zoom-in", "zoom-out", "clockwise"])
    classes.append("counterclockwise")
    left, right, up = (classes.index(name) for name in ("left", "right", "up"))
    probability_VK = np.full((3, 8), 0.0, np.float32)
    probability_VK[0, [left, right, up]] = 0.2, 0.1, 0.7  # wrong pair, right direction
    probability_VK[1, [left, right, up]] = 0.9, 0.1, 0.0  # a clip of right classified as left
    probability_VK[2, [left, right, up]] = 0.5, 0.5, 0.0  # a tie
    np.savez(
        tmp_path / "scores.npz",
        label=np.array([left, right, left]),
        probability=probability_VK,
        classes=np.array(classes),
    )
    result = EvalResult({"top1": 1 / 3}, Protocol(1, 1), "test", 3, (), tmp_path)

    score = read_score(result, "shuffled", "pretrained", 8)

    assert score.pair == pytest.approx((1 + 0 + 0.5) / 3)
    assert score.right == (False, False, True)
    assert (score.top1, score.videos) == (1 / 3, 3)


def make_results(*accuracies: tuple[float, float]) -> DemoResults:
    """Return results with these accuracies of both starts, at 16, 32, ... labels."""
    scores = [
        DemoScore("natural", start, 16 * 2**n, _right(top1), 0.5)
        for n, pair in enumerate(accuracies)
        for start, top1 in zip(("pretrained", "scratch"), pair, strict=True)
    ]
    points = [
        CurvePoint("linear", 50.0, (16 * 2**n,), *(Interval(v, v - 0.05, v + 0.05) for v in three))
        for n, (first, second) in enumerate(accuracies)
        for three in [(first, second, first - second)]
    ]
    return DemoResults(EMPTY_CURVE._replace(points=tuple(points)), tuple(scores), (), {})


def _right(top1: float) -> tuple[bool, ...]:
    return (True,) * round(800 * top1) + (False,) * round(800 * (1 - top1))


def test_the_gain_is_in_points_of_top1_over_the_same_videos() -> None:
    results = make_results((0.75, 0.25))

    gain = results.gain(16)

    assert gain.value == pytest.approx(0.5)
    # 400 of 800 videos are right after pretraining alone: 1.96 standard errors are 3.46 points
    assert gain.low == pytest.approx(0.5 - 0.0346, abs=0.004)
    assert gain.high == pytest.approx(0.5 + 0.0346, abs=0.004)
    assert results.rows()[0][0] == "16"
    assert results.rows()[0][3].startswith("+50.0 points [46")
    assert results.frozen_rows()[0][3] == "+50.0 points [45.0, 55.0]"


@pytest.mark.parametrize(
    ("few", "many", "conclusion"),
    [
        ((0.6, 0.2), (0.8, 0.7), "is better than training from scratch with every number of"),
        ((0.6, 0.2), (0.7, 0.7), "is better than training from scratch with 1 of 2 numbers of"),
        (
            (0.6, 0.2),
            (0.7, 0.9),
            "is better than training from scratch with 1 of 2 numbers of labels and worse with 1: ",
        ),
        ((0.4, 0.4), (0.5, 0.5), "is not shown to be better than training from scratch: "),
        (
            (0.1, 0.2),
            (0.5, 0.5),
            "is not shown to be better than training from scratch and worse with 1: -10.0 points",
        ),
    ],
)
def test_the_conclusion_says_what_the_intervals_show(
    few: tuple[float, float], many: tuple[float, float], conclusion: str
) -> None:
    assert conclusion in make_results(few, many).finetuning_conclusion()


@pytest.mark.slow
def test_the_command_runs_all_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["demo", "--quick", "--out", str(tmp_path / "run"), "--json"]) == 0

    printed = json.loads(capsys.readouterr().out)
    assert len(printed["finetuned"]) == 4
    assert len(printed["controls"]) == 2
    assert len(printed["gains"]) == len(printed["frozen_gains"]) == 2
