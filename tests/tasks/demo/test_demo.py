"""A very small demonstration, through all stages; its accuracies mean nothing."""

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

# smaller than --quick, with one decoding process: tests run in parallel
SMALL = plan.DemoPlan(
    plan.QUICK._replace(unlabelled=32, budgets=(8, 16), control=8, test=16),
    load_recipe(
        "demo",
        [*plan.QUICK_PRETRAIN, "train.batch=8", "train.micro_batch=8", "train.workers=0"],
        "pretrain",
    ),
    load_recipe(
        "demo-finetune",
        [*plan.QUICK_FINETUNE, "train.batch=8", "train.micro_batch=8", "train.workers=0"],
        "finetune",
    ),
    seed=0,
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
    assert [left.split(":")[0] for left, _ in differences] == ["start"]


@pytest.mark.slow
def test_pretraining_uses_no_label_and_no_labelled_video(
    finished: tuple[Path, DemoResults, Notes],
) -> None:
    run_dir, _, _ = finished

    labelled = {path.read_bytes() for path in (run_dir / "videos" / "natural").glob("*.mp4")}
    unlabelled = {path.read_bytes() for path in (run_dir / "videos" / "unlabelled").glob("*.mp4")}

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
    for row in results.rows():
        for cell in row:
            assert cell in page
    assert f"{100 * results.controls[0].top1:.1f} %" in page
    assert f"{100 * results.controls[1].pair:.1f} %" in page
    assert notes.warned == []


@pytest.mark.slow
def test_the_results_are_written_as_json(finished: tuple[Path, DemoResults, Notes]) -> None:
    run_dir, results, _ = finished

    written = json.loads((run_dir / "results.json").read_text())

    assert written == json.loads(json.dumps(results.as_json()))
    assert set(written["gain_points"]) == {"8", "16"}
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
    assert (score.top1, score.videos) == (1 / 3, 3)


def test_the_gain_is_in_points_of_top1() -> None:
    scores = [
        DemoScore("natural", "pretrained", 16, 0.75, 0.9, 800),
        DemoScore("natural", "scratch", 16, 0.25, 0.6, 800),
    ]

    results = DemoResults(tuple(scores), (), {})

    assert results.gain(16) == pytest.approx(50.0)
    assert results.rows() == [("16", "75.0 %", "25.0 %", "+50.0 points")]


@pytest.mark.parametrize(
    ("few", "many", "conclusion"),
    [
        (
            (0.6, 0.2),
            (0.8, 0.7),
            "by +10.0 with 64, after the same number of fine-tuning steps: "
            "it helps most where labels are few",
        ),
        ((0.6, 0.2), (0.7, 0.9), "with 64 labels, training from scratch has caught up"),
        ((0.6, 0.2), (0.7, 0.7), "with 64 labels, training from scratch has caught up"),
        ((0.4, 0.1), (0.5, 0.1), "up to 64 labels, more labels do not replace it"),
        ((0.1, 0.2), (0.5, 0.1), "it does not help here"),
    ],
)
def test_the_conclusion_follows_from_the_accuracies(
    few: tuple[float, float], many: tuple[float, float], conclusion: str
) -> None:
    scores = [
        DemoScore("natural", start, labels, top1, 0.5, 800)
        for labels, pair in ((16, few), (64, many))
        for start, top1 in zip(("pretrained", "scratch"), pair, strict=True)
    ]

    assert DemoResults(tuple(scores), (), {}).conclusion().endswith(conclusion)


@pytest.mark.slow
def test_the_command_runs_all_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["demo", "--quick", "--out", str(tmp_path / "run"), "--json"]) == 0

    printed = json.loads(capsys.readouterr().out)
    assert len(printed["contests"]) == 4
    assert len(printed["controls"]) == 2
