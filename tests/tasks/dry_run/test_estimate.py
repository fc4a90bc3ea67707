"""What a forecast says in words, from numbers given."""

import pytest

from videomae_cli.engine.plan import TrainingPlan
from videomae_cli.tasks.dry_run.estimate import Decoding, Disk, Estimate, Tokens
from videomae_cli.tasks.dry_run.steadiness import MeasuredSteps
from videomae_cli.units import duration, si

PLAN = TrainingPlan(1000, 10, 100, 64, 1, 16, 4, 1e-3, 0.0, 0.0, None)
FAST = Decoding(clips_per_s=500.0, workers=4, spare_cores=0, short_side=240, clip_size=224)
SLOW = Decoding(clips_per_s=20.0, workers=4, spare_cores=3, short_side=720, clip_size=112)
FOUND = Estimate(
    parameters=94_210_944,
    executed=33_000_000_000,
    published=35_440_000_000,
    tokens=Tokens(1568, 160, 1408),
    plan=PLAN,
    machine="1 process on cpu",
    step_seconds=3.6,
    measured=MeasuredSteps(steps=10, accumulation=4, error=0.012),
    data_wait=0.01,
    data=FAST,
    peak_bytes=4_200_000_000,
    steps_left=1000,
    save_seconds=36.0,
    saves=10,
    validation_seconds=0.0,
    validations=0,
    disk=Disk(checkpoint=1_100_000_000, kept=3, final=400_000_000, free=10**12),
    price_per_hour=2.0,
)


def test_hours_count_steps_saves_and_validations() -> None:
    assert FOUND.hours == pytest.approx(1.1)
    validated = FOUND._replace(validation_seconds=360.0, validations=2)
    assert validated.hours == pytest.approx(1.3)
    assert ("cost", "2.20 at 2 per hour") in FOUND.rows()
    assert FOUND._replace(steps_left=None).hours is None


def test_the_text_says_on_how_many_steps_it_stands() -> None:
    rows = dict(FOUND.rows())
    shorter = dict(FOUND._replace(measured=MeasuredSteps(1, 1, 0.0)).rows())

    assert rows["measured on"] == "10 steps after a warm-up; standard error of the mean 1.2%"
    assert shorter["measured on"].startswith("1 step of 1 instead of 4 micro-batches after a ")
    assert FOUND.as_json()["measured_steps"] == 10
    assert FOUND.as_json()["step_seconds_error"] == pytest.approx(0.0432)


def test_a_probe_shows_how_many_parameters_are_trained() -> None:
    assert ("model", "94.2 M parameters") in FOUND.rows()
    assert ("model", "94.2 M parameters, 770 of them trained") in FOUND._replace(
        trained_parameters=770
    ).rows()


def test_what_keeps_up_is_not_complained_about() -> None:
    assert FOUND.notes() == []


def test_a_decode_bound_run_is_told_with_every_cure_that_applies() -> None:
    slow = FOUND._replace(data=SLOW, data_wait=0.6)

    (note,) = slow.notes()

    assert slow.is_decode_bound
    assert note.startswith("decoding limits training")
    assert "--set train.workers=7" in note
    assert "their short side is 720 pixels, that of a clip 112" in note
    assert "--set augment.repeats=2" in note
    (shorter,) = FOUND._replace(data_wait=0.6).notes()
    assert "train.workers" not in shorter
    assert "short side" not in shorter


def test_a_disk_too_small_for_one_save_more_is_told() -> None:
    full = FOUND._replace(disk=FOUND.disk._replace(free=4_000_000_000))

    assert "the disk is too small" in full.notes()[0]


def test_numbers_are_written_as_people_read_them() -> None:
    assert [si(n) for n in (12, 94_210_944, 35.4e9)] == ["12 ", "94.2 M", "35.4 G"]
    assert [duration(h) for h in (0.1, 5.0, 60.0)] == [
        "6 minutes",
        "5.0 hours",
        "60.0 hours (2.5 days)",
    ]
