import pytest

from videomae_cli.engine.schedule import lr_at


def test_the_published_schedule_is_met():
    at = {0: 0.0, 1: 0.111111, 9: 1.0, 10: 1.0, 11: 0.998613, 12: 0.99446, 30: 0.55, 49: 0.101387}

    for step, rate in at.items():
        found = lr_at(step, total=50, warmup=10, peak=1.0, floor=0.1)
        assert found == pytest.approx(rate, abs=5e-7), step


def test_the_reference_run_of_five_steps_is_met():
    rates = [lr_at(s, total=5, warmup=2, peak=1e-3, floor=1e-5, start=1e-6) for s in range(5)]

    assert rates == pytest.approx([1e-6, 1e-3, 1e-3, 7.525e-4, 2.575e-4], rel=1e-12)


def test_without_warm_up_the_first_step_is_the_peak():
    assert lr_at(0, total=10, warmup=0, peak=0.5, floor=0.0) == 0.5


def test_one_step_of_warm_up_is_the_start():
    rates = [lr_at(s, total=3, warmup=1, peak=1.0, floor=0.0, start=0.25) for s in range(2)]

    assert rates == [0.25, 1.0]


def test_a_run_that_is_all_warm_up_ends_at_the_peak():
    assert lr_at(4, total=5, warmup=5, peak=1.0, floor=0.1) == 1.0


def test_after_the_last_step_the_rate_is_the_floor():
    assert lr_at(50, total=50, warmup=10, peak=1.0, floor=0.1) == 0.1
    assert lr_at(99, total=50, warmup=10, peak=1.0, floor=0.1) == 0.1
