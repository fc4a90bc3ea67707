"""The claims' statistics, verdicts and costs, by hand; and a quick run that resumes."""

import json
import math
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.errors import UsageError
from videomae_cli.report import Silence
from videomae_cli.tasks.recipes.check import build_on_meta

RECIPES = Path(__file__).resolve().parent.parent.parent / "recipes" / "lab"


def lab(name: str) -> Any:
    return import_module(f"lab.{name}")


def test_the_interval_of_paired_differences_is_students() -> None:
    # mean 3, squared differences 4 + 1 + 0 + 1 + 4 = 10, variance 10 / 4, standard error
    # sqrt(2.5 / 5) = 0.70711; the 0.975 quantile with 4 degrees of freedom is 2.77645
    effect = lab("paired").estimate_effect([1.0, 2.0, 3.0, 4.0, 5.0])

    assert effect.mean == pytest.approx(3.0)
    assert effect.low == pytest.approx(3 - 1.96324, abs=1e-4)
    assert effect.high == pytest.approx(3 + 1.96324, abs=1e-4)


def test_two_seeds_have_a_wide_interval_and_one_has_none() -> None:
    estimate = lab("paired").estimate_effect

    # mean 1, standard error 1, quantile with one degree of freedom 12.7062
    assert estimate([0.0, 2.0]).high == pytest.approx(1 + 12.7062, abs=1e-3)
    assert estimate([5.0]) is None


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.1, 9.0, "holds"),
        (1.0, 9.0, "cannot be told"),  # not past the least effect
        (-0.1, 9.0, "cannot be told"),
        (-9.0, 0.0, "cannot be told"),
        (-9.0, -0.1, "fails"),
    ],
)
def test_a_claim_holds_above_one_point_and_fails_below_0(
    low: float, high: float, verdict: str
) -> None:
    paired = lab("paired")

    assert paired.decide(paired.Effect((low + high) / 2, low, high)) == verdict
    assert paired.decide(None) == "not measured yet"


def test_an_effect_is_paired_by_seed_and_adds_all_scores() -> None:
    claims, results = lab("claims"), lab("results")
    claim = claims.Claim("gain", "", "", plus=("a", "d"), minus=("b", "c"))
    values = {"a": 50.0, "b": 30.0, "c": 25.0, "d": 20.0}
    rows = {
        (score, seed): {"top1": value + seed * (score == "a")}
        for score, value in values.items()
        for seed in (0, 1, 2)
    }
    del rows["c", 2]

    assert results.paired_differences(claim, rows, (0, 1, 2)) == {0: 15.0, 1: 16.0}
    assert results.summarize_claim(claim, rows, (0, 1, 2))["effect"] == 15.5


def test_every_score_of_a_claim_has_an_arm_and_comes_after_what_it_needs() -> None:
    claims, videos = lab("claims"), lab("videos")
    scores = claims.required_scores(claims.CLAIMS)

    assert len(scores) == len(set(scores))
    for claim in claims.CLAIMS:
        assert set(claim.scores) <= set(scores)
    for score in scores:
        name, labels = claims.split_score(score)
        assert labels is None or labels in videos.FULL.labels
        if name != claims.SCRATCH:
            arm = claims.find_arm(name)
            assert scores.index(arm.name) <= scores.index(score)
            assert arm.equal is None or scores.index(arm.equal[1]) < scores.index(score)
    assert {arm.name for arm in claims.ARMS} == {score for score in scores if "@" not in score}


def test_steps_follow_from_the_cost_of_the_other_arm() -> None:
    cost = lab("cost")
    recipe = load_recipe(str(RECIPES / "pretrain.yaml"), ["schedule.steps=1000"], "pretrain")

    assert cost.equal_steps(1000, cost=2.0, other_cost=3.0) == 1500
    assert cost.equal_steps(1, cost=9.0, other_cost=1.0) == 1
    longer = cost.with_steps(recipe, 1500)
    assert (longer.schedule.steps, longer.schedule.warmup_steps) == (1500, 180)


def test_arms_of_equal_flop_cost_the_same_to_half_a_step(tmp_path: Path) -> None:
    claims, training, cost = lab("claims"), lab("training"), lab("cost")
    folder = training.Lab(tmp_path)

    equal = [arm for arm in claims.ARMS if arm.equal and arm.equal[0] == "flop"]
    for arm in equal:
        recipe, _ = training.plan_arm(folder, 0, arm)
        other, _ = training.plan_arm(folder, 0, claims.find_arm(arm.equal[1]))
        totals = [cost.step_macs(r) * r.schedule.steps for r in (recipe, other)]
        assert abs(totals[0] - totals[1]) <= cost.step_macs(recipe) / 2
        assert recipe.schedule.steps > other.schedule.steps  # both methods are there to save
    assert len(equal) == 4


def test_a_step_of_repeated_clips_has_as_many_clips_and_the_same_learning_rate() -> None:
    repeated = lab("claims").repeated
    recipes = [
        load_recipe(str(RECIPES / "pretrain.yaml"), repeated(count), "pretrain") for count in (1, 4)
    ]

    assert {r.train.batch * r.augment.repeats for r in recipes} == {32}
    rates = [r.optim.base_lr * r.train.batch / 256 for r in recipes]
    assert math.isclose(*rates)
    assert math.isclose(rates[0], 2e-3)


@pytest.mark.parametrize("kind", ["pretrain", "finetune"])
def test_the_recipes_of_the_lab_are_recipes(kind: str) -> None:
    recipe = load_recipe(str(RECIPES / f"{kind}.yaml"))

    assert recipe.kind == kind
    assert sum(parameter.numel() for parameter in build_on_meta(recipe).parameters()) > 100_000
    assert yaml.safe_load((RECIPES / f"{kind}.yaml").read_text())["clip"]["size"] == 16


def test_a_stopped_run_continues_and_gives_the_same_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    science, words = import_module("science"), ["--quick", "--workers", "1", "--seeds", "0"]
    words += ["--claims", "pretraining", "--json", str(tmp_path / "results.json")]

    def run(out: str, *more: str) -> int:
        code: int = science.run(science.parse([*words, "--out", str(tmp_path / out), *more]))
        return code

    whole = run("whole")
    document = json.loads((tmp_path / "results.json").read_text())
    training, table = lab("training"), lab("claims")
    folder = training.Lab(tmp_path / "parts", is_quick=True)
    training.make_data(folder, 0, (), Silence())
    training.measure_score(folder, 0, table.BASE, Silence())
    late = run("parts", "--minutes", "0")
    left = _rows(tmp_path / "parts")
    finished = run("parts")

    assert (whole, late, finished) == (0, 75, 0)
    assert list(left) == ["rows/seed-0/random-50.json"]
    assert document["claims"]["pretraining"]["differences"].keys() == {"0"}
    rows = [_rows(tmp_path / out) for out in ("whole", "parts")]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 3
    assert "scores are left" in capsys.readouterr().err


def _rows(out: Path) -> dict[str, Any]:
    """Return all rows without times."""
    rows = {}
    for path in sorted(out.glob("rows/*/*.json")):
        row = json.loads(path.read_text())
        hidden = ("date", "wall_seconds", "cpu_seconds")
        rows[str(path.relative_to(out))] = {k: v for k, v in row.items() if k not in hidden}
    return rows


def test_a_row_of_other_settings_is_refused(tmp_path: Path) -> None:
    row_file = tmp_path / "arm.json"
    row_file.write_text(json.dumps({"top1": 1.0, "settings": {"steps": 10, "videos": "a"}}))

    with pytest.raises(UsageError, match=r"other settings \(steps\)"):
        lab("training").read_row(row_file, {"steps": 20, "videos": "a"})
