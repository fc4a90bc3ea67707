"""Synthetic training curves: each fault gets its verdict, and the reason names the fault."""

import math
import re

import pytest

from videomae_cli.tasks.diagnose.training_curve import Chance, Line, TrainingCurve
from videomae_cli.tasks.diagnose.verdict import diagnose

HEALTHY_PROBE = {
    "trivial_loss": 0.99,
    "rank": 9.0,
    "spread": 0.3,
    "brightness": 0.4,
    "flat": 0.0,
    "input_mean": 0.2,
    "input_std": 1.1,
}


def curve(
    losses: list[float], *, lr: float = 1e-3, norms: list[float] | None = None, **probe: float
) -> TrainingCurve:
    """Return a curve with a line every 10 steps, each with a probe."""
    norms = norms or [0.5] * len(losses)
    lines: list[Line] = [
        {
            "step": 10.0 * (number + 1),
            "epoch": number / 2,
            "lr": lr,
            "loss": loss,
            "loss_max": 1.05 * loss,
            "grad_norm": norm,
            "grad_norm_max": 2 * norm,
            "order": float(number),
            **HEALTHY_PROBE,
            **probe,
        }
        for number, (loss, norm) in enumerate(zip(losses, norms, strict=True))
    ]
    return TrainingCurve("pretrain", 10 * len(losses), 20, lines)


FALLING = [0.6 + 0.6 * math.exp(-number / 5) for number in range(30)]


def test_a_falling_loss_is_normal_and_the_reason_says_how_far_it_fell() -> None:
    verdict = diagnose(curve(FALLING))

    assert verdict.word == "normal"
    assert "1.2 to 0.60" in verdict.headline()
    assert "predicting the mean gives 0.99" in verdict.headline()


@pytest.mark.parametrize(
    ("probes", "words"),
    [
        (
            [{"probe_top1": 0.25}, {"probe_top1": 0.5}, {"probe_top1": 0.613}],
            "top-1 25.0% to 61.3%",
        ),
        ([{"probe_map": 0.25}], "mAP 25.0%,"),
        ([{"probe_r2": -0.1}, {"probe_r2": math.nan}, {"probe_r2": 0.2}], "R2 -0.100 to 0.200"),
    ],
)
def test_the_reason_names_the_first_and_the_last_probe_of_the_features(
    probes: list[Line], words: str
) -> None:
    lines = [{"step": 0.0, **probes[0]}, *curve(FALLING).lines]
    lines += [{"step": 10.0 * len(FALLING), **probe} for probe in probes[1:]]

    verdict = diagnose(curve(FALLING)._replace(lines=lines))

    assert verdict.word == "normal"
    assert f"probe {words}" in verdict.headline()


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        # one standard error of 0.5 on 100 videos is 0.05
        ({"probe_top1": 0.54, "probe_constant": 0.5}, "top-1 54.0%, .* top-1 50.0% of 100 videos"),
        ({"probe_map": 0.2, "probe_constant": 0.2}, "mAP 20.0%, .* mAP 20.0% of 100 videos"),
        ({"probe_r2": -0.01, "probe_constant": 0.0}, "R2 -0.010, .* R2 0.000 of 100 videos"),
    ],
)
def test_features_that_are_worth_nothing_are_named(probe: dict[str, float], reason: str) -> None:
    end = {"step": 300.0, "probe_val_videos": 100.0, **probe}
    run = curve(FALLING)
    run = run._replace(lines=[*run.lines, end], steps=300)

    verdict = diagnose(run)
    advised = diagnose(run._replace(plateau="set mask.ratio=0.5"))

    assert verdict.word == "suspicious"
    assert re.search(f"the last probe of the features, {reason}", verdict.headline())
    assert "or start from published weights" in verdict.headline()
    assert "tell these labels apart; set mask.ratio=0.5" in advised.headline()


@pytest.mark.parametrize(
    "end",
    [
        {"probe_top1": 0.56, "probe_constant": 0.5, "probe_val_videos": 100.0},
        {"probe_top1": 0.3},  # of an earlier version: the constant answer is not known
        {"probe_top1": math.nan, "probe_constant": 0.5, "probe_val_videos": 100.0},
    ],
)
def test_features_that_are_worth_something_or_not_known_are_not_named(end: Line) -> None:
    first = {"step": 0.0, "probe_top1": 0.3, "probe_constant": 0.5, "probe_val_videos": 100.0}
    lines = [first, *curve(FALLING).lines, {"step": 300.0, **end}]

    verdict = diagnose(curve(FALLING)._replace(lines=lines, steps=300))

    assert "the last probe of the features" not in verdict.headline()


def test_features_of_an_unfinished_run_that_still_learns_are_not_judged() -> None:
    end = {"step": 300.0, "probe_top1": 0.5, "probe_constant": 0.5, "probe_val_videos": 100.0}
    losses = [1 - number / 40 for number in range(30)]
    run = curve(losses)._replace(steps=1000)

    assert diagnose(run._replace(lines=[*run.lines, end])).word == "normal"


def test_a_loss_that_stays_gets_the_advice_of_the_plateau() -> None:
    run = curve([1.0] * 30)

    assert "learned nothing yet; train longer" in diagnose(run).headline()
    advised = diagnose(run._replace(plateau="set mask.ratio=0.5")).headline()
    assert "learned nothing yet; set mask.ratio=0.5" in advised
    excessive = curve([1.0] * 30, lr=2.0)._replace(plateau="set mask.ratio=0.5")
    assert "mask.ratio" not in diagnose(excessive).headline()


def test_a_loss_that_falls_from_a_high_start_is_no_jump() -> None:
    assert diagnose(curve([40.0, 12.0, 4.0, 1.5, *FALLING])).word == "normal"


@pytest.mark.parametrize(
    ("losses", "word", "reason"),
    [
        ([*FALLING, *[3.0] * 10], "diverged", "rose from 0.602 to 3"),
        ([*FALLING, *[0.8] * 10], "suspicious", "rose from 0.602 to 0.8"),
        ([*FALLING, 9.0, *FALLING[20:]], "diverged", "jumped from 0.602 to 9 by step 310"),
        ([*FALLING, 1.5, *FALLING[20:]], "suspicious", "jumped from 0.602 to 1.5 by step 310"),
        ([1.0] * 30, "suspicious", "no better than predicting the mean, 0.99"),
        ([*FALLING, math.nan], "diverged", "the loss was nan at step 310"),
    ],
)
def test_a_loss_that_goes_wrong_is_named(losses: list[float], word: str, reason: str) -> None:
    verdict = diagnose(curve(losses))

    assert verdict.word == word
    assert reason in verdict.headline()


def test_an_excessive_learning_rate_is_named_as_the_cause() -> None:
    verdict = diagnose(curve([*FALLING, *[3.0] * 10], lr=2.0))

    assert "the learning rate (up to 2) is far too high; lower optim.base_lr" in verdict.headline()


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        ({"flat": 1.0, "brightness": 0.0, "rank": 0.0, "spread": 0.0}, "100% .* entirely black"),
        ({"input_std": 0.002, "spread": 1e-5}, "clip.mean and clip.std are for pixels from 0"),
        ({"input_mean": -40.0}, "normalised pixels have mean -40"),
        ({"rank": 1.1}, "features have collapsed: effective rank 1.1"),
        ({"spread": 1e-5}, "features have collapsed"),
        ({"order": 7.0}, "not shuffled anew each epoch"),
    ],
)
def test_a_fault_that_a_probe_finds_is_the_only_reason(
    probe: dict[str, float], reason: str
) -> None:
    verdict = diagnose(curve(FALLING, **probe))

    assert verdict.word == "suspicious"
    assert len(verdict.reasons) == 1
    assert re.search(reason, verdict.reasons[0])


def classifier_curve(
    losses: list[float], *, top1: float | None, chance: Chance | None = None, **probe: float
) -> TrainingCurve:
    """Return the curve of a finished fine-tuning run, validated once, at its end."""
    trained = curve(losses, **probe)
    lines = list(trained.lines)
    if top1 is not None:
        lines.append({"step": 10.0 * len(losses), "val_top1": top1})
    return trained._replace(kind="finetune", lines=lines, chance=chance)


LEARNED = [0.7 * math.exp(-number / 5) for number in range(30)]
HALVES = Chance(0.5, 24, 2)


@pytest.mark.parametrize("rank", [1.0, 1.2, 1.49])
def test_two_separate_classes_need_no_more_than_rank_one(rank: float) -> None:
    for top1, chance in ((1.0, HALVES), (None, None)):
        trained = classifier_curve(
            LEARNED, top1=top1, chance=chance, rank=rank, trivial_loss=0.69315
        )

        assert diagnose(trained).word == "normal", diagnose(trained).reasons


def test_a_low_rank_is_a_collapse_where_many_classes_would_need_more() -> None:
    options = {"rank": 1.2, "trivial_loss": math.log(10)}
    tenths = Chance(0.1, 500, 10)

    collapsed = diagnose(classifier_curve(FALLING, top1=0.2, chance=tenths, **options))
    separate = diagnose(classifier_curve(FALLING, top1=1.0, chance=tenths, **options))

    assert collapsed.word == "suspicious" and "features have collapsed" in collapsed.reasons[0]
    assert separate.word == "normal"


def test_no_rank_at_all_is_a_collapse_for_two_classes_too() -> None:
    options = {"rank": 0.0, "spread": 1e-6, "trivial_loss": 0.69315}
    verdict = diagnose(classifier_curve([0.69315] * 30, top1=0.5, chance=HALVES, **options))

    assert "features have collapsed" in verdict.headline()


@pytest.mark.parametrize(
    ("top1", "chance", "word"),
    [
        (0.51, Chance(0.5, 200, 2), "suspicious"),
        (0.46, HALVES, "suspicious"),
        (0.9, Chance(0.9, 50, 3), "suspicious"),
        (0.0025, Chance(0.0025, 20_000, 400), "suspicious"),
        (0.004, Chance(0.0025, 20_000, 400), "normal"),
        (0.6, Chance(0.5, 2_000, 2), "normal"),
        (1.0, HALVES, "normal"),
        (1.0, Chance(1.0, 8, 1), "normal"),
    ],
)
def test_validation_accuracy_at_chance_after_training_is_not_normal(
    top1: float, chance: Chance, word: str
) -> None:
    verdict = diagnose(
        classifier_curve(LEARNED, top1=top1, chance=chance, trivial_loss=math.log(chance.classes))
        if chance.classes > 1
        else classifier_curve(LEARNED, top1=top1, chance=chance)
    )

    assert verdict.word == word, verdict.reasons
    expected = f"validation accuracy {top1:.0%} is chance for {chance.classes:,} classes"
    assert (expected in verdict.headline()) == (word == "suspicious")


def test_accuracy_at_chance_is_no_fault_while_the_loss_still_falls() -> None:
    losses = [0.7 - 0.01 * number for number in range(30)]
    trained = classifier_curve(losses, top1=0.5, chance=HALVES, trivial_loss=0.69315)

    assert diagnose(trained._replace(steps=1000)).word == "normal"
    assert diagnose(trained).word == "suspicious"


def test_a_fact_about_the_data_is_the_last_reason_of_every_verdict() -> None:
    note = "3 of 4 training videos have fewer frames than a clip of 16"

    for losses in (FALLING, [1.0] * 30, []):
        noted = curve(losses) if losses else TrainingCurve("finetune", 10, 1, [])
        assert diagnose(noted._replace(note=note)).reasons[-1] == note
        assert diagnose(noted._replace(note=note)).word == diagnose(noted).word


def test_gradients_that_vanish_or_grow_are_named() -> None:
    vanished = diagnose(curve(FALLING, norms=[0.0] * 30))
    grown = diagnose(curve(FALLING, norms=[0.1 * 1.3**number for number in range(30)]))

    assert "the model can learn nothing from these clips" in vanished.headline()
    assert "the gradient norm grew from" in grown.headline()


def test_a_run_with_few_steps_is_normal_with_a_caveat() -> None:
    verdict = diagnose(curve([1.2, 1.1, 1.05]))

    assert verdict.word == "normal"
    assert "too few steps" in verdict.headline()


def test_two_epochs_that_begin_alike_are_no_fault_yet() -> None:
    assert diagnose(curve(FALLING[:2], order=7.0)).word == "normal"


def test_a_run_that_ended_with_a_nan_loss_has_diverged() -> None:
    ended = curve(FALLING, lr=2.0)._replace(failure="step 300: loss nan")

    assert diagnose(ended).word == "diverged"
    assert diagnose(ended).reasons[0] == "step 300: loss nan"


def test_skipped_steps_are_counted() -> None:
    falling = curve(FALLING)
    skipped = falling._replace(lines=[*falling.lines, {"step": 305.0, "skipped": 2.0}])

    assert diagnose(skipped).word == "suspicious"
    assert "2 steps were skipped because" in diagnose(skipped).reasons[0]


def test_a_run_without_logged_lines_is_normal() -> None:
    assert diagnose(TrainingCurve("finetune", 10, 1, [])).reasons == (
        "nothing has been logged yet",
    )
