"""`videomae demo --quick`: the whole way, in seconds; what it finds is worth nothing."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.notes import Notes
from videomae_cli.cli import app
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.errors import UsageError
from videomae_cli.tasks.demo import demo
from videomae_cli.tasks.demo.results import Outcome, Score, score_of
from videomae_cli.tasks.evaluate.scores import Protocol, Result

# less than --quick, and on one decoding process: the test shares its machine with others
SMALL = demo.Plan(
    demo.QUICK._replace(unlabelled=32, budgets=(8, 16), control=8, test=16),
    load_recipe(
        "demo",
        [*demo.QUICK_PRETRAIN, "train.batch=8", "train.micro_batch=8", "train.workers=0"],
        "pretrain",
    ),
    load_recipe(
        "demo-finetune",
        [*demo.QUICK_FINETUNE, "train.batch=8", "train.micro_batch=8", "train.workers=0"],
        "finetune",
    ),
    seed=0,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome, Notes]:
    run_dir, notes = tmp_path_factory.mktemp("demo") / "run", Notes()
    return run_dir, demo.run(run_dir, notes, SMALL), notes


def test_both_starts_meet_at_each_budget_on_the_same_test_videos(
    finished: tuple[Path, Outcome, Notes],
) -> None:
    run_dir, outcome, _ = finished

    met = {(score.labels, score.start) for score in outcome.contests}

    assert met == {(n, start) for n in (8, 16) for start in ("pretrained", "scratch")}
    assert {score.videos for score in (*outcome.contests, *outcome.controls)} == {16}
    assert [score.order for score in outcome.controls] == ["still", "shuffled"]
    recipes = [
        (run_dir / f"natural-{start}-8" / "recipe.yaml").read_text().splitlines()
        for start in ("pretrained", "scratch")
    ]
    differences = [lines for lines in zip(*recipes, strict=True) if len(set(lines)) > 1]
    assert [left.split(":")[0] for left, _ in differences] == ["start"]


def test_pretraining_sees_no_label_and_none_of_the_labelled_videos(
    finished: tuple[Path, Outcome, Notes],
) -> None:
    run_dir, _, _ = finished

    labelled = {path.read_bytes() for path in (run_dir / "videos" / "natural").glob("*.mp4")}
    unlabelled = {path.read_bytes() for path in (run_dir / "videos" / "unlabelled").glob("*.mp4")}

    assert len(labelled) == 16 + 16
    assert len(unlabelled) == 32
    assert not labelled & unlabelled
    assert not (run_dir / "data" / "unlabelled" / "classes.json").exists()


def test_the_page_stands_alone_and_tells_what_was_measured(
    finished: tuple[Path, Outcome, Notes],
) -> None:
    run_dir, outcome, notes = finished

    page = (run_dir / "report.html").read_text()

    links = re.findall(r"(?:src|href)=.{6}", page)
    assert {link.split("=")[1] for link in links} == {'"data:'}
    assert page.count("data:image/png;base64,") >= 6
    for row in outcome.rows():
        for cell in row:
            assert cell in page
    assert f"{100 * outcome.controls[0].top1:.1f} %" in page
    assert f"{100 * outcome.controls[1].pair:.1f} %" in page
    assert notes.warned == []


def test_the_results_are_written_for_programs(finished: tuple[Path, Outcome, Notes]) -> None:
    run_dir, outcome, _ = finished

    written = json.loads((run_dir / "results.json").read_text())

    assert written == json.loads(json.dumps(outcome.as_json()))
    assert set(written["gain_points"]) == {"8", "16"}
    assert set(written["seconds"]) == {"videos", "training"}


def test_a_second_run_in_the_same_place_trains_nothing_again(
    finished: tuple[Path, Outcome, Notes],
) -> None:
    run_dir, outcome, _ = finished
    weights = sorted(run_dir.glob("*/final/model.safetensors"))
    before = [path.stat().st_mtime_ns for path in weights]

    again = demo.run(run_dir, Notes(), SMALL)

    assert len(weights) == 1 + 4 + 2
    assert [path.stat().st_mtime_ns for path in weights] == before
    assert again.contests == outcome.contests
    assert again.controls == outcome.controls


def test_another_plan_is_refused_in_the_same_place(finished: tuple[Path, Outcome, Notes]) -> None:
    run_dir, _, _ = finished

    with pytest.raises(UsageError, match="another seed, size or recipe"):
        demo.run(run_dir, Notes(), SMALL._replace(seed=1))


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")

    with pytest.raises(UsageError, match="not empty"):
        demo.run(tmp_path, Notes(), SMALL)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_pair_score_asks_only_which_of_two_opposites(tmp_path: Path) -> None:
    classes = sorted(["left", "right", "up", "down", "zoom-in", "zoom-out", "clockwise"])
    classes.append("counterclockwise")
    left, right, up = (classes.index(name) for name in ("left", "right", "up"))
    probability_VK = np.full((3, 8), 0.0, np.float32)
    probability_VK[0, [left, right, up]] = 0.2, 0.1, 0.7  # wrong class, right way
    probability_VK[1, [left, right, up]] = 0.9, 0.1, 0.0  # a right clip taken for left
    probability_VK[2, [left, right, up]] = 0.5, 0.5, 0.0  # undecided
    np.savez(
        tmp_path / "scores.npz",
        label=np.array([left, right, left]),
        probability=probability_VK,
        classes=np.array(classes),
    )
    result = Result({"top1": 1 / 3}, Protocol(1, 1), "test", 3, (), tmp_path)

    score = score_of(result, "shuffled", "pretrained", 8)

    assert score.pair == pytest.approx((1 + 0 + 0.5) / 3)
    assert (score.top1, score.videos) == (1 / 3, 3)


def test_the_gain_is_in_points_of_top1() -> None:
    scores = [
        Score("natural", "pretrained", 16, 0.75, 0.9, 800),
        Score("natural", "scratch", 16, 0.25, 0.6, 800),
    ]

    outcome = Outcome(tuple(scores), (), {})

    assert outcome.gain(16) == pytest.approx(50.0)
    assert outcome.rows() == [("16", "75.0 %", "25.0 %", "+50.0 points")]


@pytest.mark.parametrize(
    ("few", "many", "lesson"),
    [
        ((0.6, 0.2), (0.8, 0.7), "it pays most where labels are few"),
        ((0.4, 0.1), (0.5, 0.1), "more labels do not make up for it"),
        ((0.1, 0.2), (0.5, 0.1), "it did not help here"),
    ],
)
def test_the_lesson_follows_from_the_numbers(
    few: tuple[float, float], many: tuple[float, float], lesson: str
) -> None:
    scores = [
        Score("natural", start, labels, top1, 0.5, 800)
        for labels, pair in ((16, few), (64, many))
        for start, top1 in zip(("pretrained", "scratch"), pair, strict=True)
    ]

    assert Outcome(tuple(scores), (), {}).lesson().endswith(lesson)


@pytest.mark.slow
def test_the_command_goes_the_whole_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["demo", "--quick", "--out", str(tmp_path / "run"), "--json"]) == 0

    answer = json.loads(capsys.readouterr().out)
    assert len(answer["contests"]) == 4
    assert len(answer["controls"]) == 2
