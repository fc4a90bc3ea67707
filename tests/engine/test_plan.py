import pytest

from videomae_cli.config.training import OptimSpec, ScheduleSpec, TrainSpec
from videomae_cli.engine.plan import TrainingPlan, lr_at, make_training_plan
from videomae_cli.errors import RecipeError


def optim() -> OptimSpec:
    return OptimSpec(base_lr=1.5e-4, min_lr=1e-5, weight_decay=0.05, betas=(0.9, 0.95))


def plan(batch: int = 2048, micro: int = 32, world: int = 1, epochs: float = 800.0) -> TrainingPlan:
    schedule = ScheduleSpec(epochs=epochs, warmup_epochs=min(40.0, epochs))
    train = TrainSpec(batch=batch, micro_batch=micro, save_every_steps=100)
    return make_training_plan(schedule, train, optim(), steps_per_epoch=117, world=world)


def test_k400_vitb_has_the_published_steps_and_learning_rates() -> None:
    k400 = plan(world=64)

    assert (k400.steps, k400.warmup) == (800 * 117, 40 * 117)
    assert k400.peak_lr == pytest.approx(1.2e-3)
    assert k400.floor_lr == pytest.approx(8e-5)
    assert (k400.micro_batch, k400.accumulation) == (32, 1)


@pytest.mark.parametrize(
    ("batch", "micro", "world", "split"),
    [
        (2048, 32, 1, (32, 64)),
        (2048, 32, 8, (32, 8)),
        (192, 24, 1, (24, 8)),
        (60, 16, 2, (15, 2)),  # 30 a process: 16 does not divide it, 15 does
        (14, 4, 2, (1, 7)),  # 7 a process is prime
        (8, 32, 2, (4, 1)),
    ],
)
def test_micro_batches_add_up_to_the_batch_and_are_not_larger_than_requested(
    batch: int, micro: int, world: int, split: tuple[int, int]
) -> None:
    actual = plan(batch=batch, micro=micro, world=world)

    assert (actual.micro_batch, actual.accumulation) == split
    assert actual.micro_batch * actual.accumulation * actual.world == batch


def test_a_batch_that_does_not_divide_among_processes_is_refused() -> None:
    with pytest.raises(RecipeError, match="10 clips do not divide among 4") as caught:
        plan(batch=10, world=4)

    assert "train.batch=8" in caught.value.hint


def test_a_run_of_less_than_one_step_is_refused() -> None:
    with pytest.raises(RecipeError, match="less than one step"):
        plan(epochs=0.001)


def test_steps_may_be_given_instead_of_epochs() -> None:
    schedule = ScheduleSpec(steps=7, warmup_steps=3)
    train = TrainSpec(batch=256, micro_batch=256, save_every_steps=1)

    actual = make_training_plan(schedule, train, optim(), steps_per_epoch=117, world=1)

    assert (actual.steps, actual.warmup) == (7, 3)
    assert [actual.lr(0), actual.lr(2)] == [0.0, 1.5e-4]


def test_repeats_count_as_effective_epochs_and_change_neither_steps_nor_learning_rates() -> None:
    schedule = ScheduleSpec(epochs=200.0, warmup_epochs=20.0)
    train = TrainSpec(batch=1024, micro_batch=32, save_every_steps=100)

    once, often = (
        make_training_plan(
            schedule, train, optim(), steps_per_epoch=1318, world=32, repeats=repeats
        )
        for repeats in (1, 4)
    )

    assert (often.steps, often.peak_lr) == (once.steps, once.peak_lr)
    assert "200 epochs of 1,318 x 4 clips of each video, 800 effective epochs" in often.summary()
    assert "effective" not in once.summary()


def test_the_learning_rate_follows_the_published_schedule() -> None:
    expected = {
        0: 0.0,
        1: 0.111111,
        9: 1.0,
        10: 1.0,
        11: 0.998613,
        12: 0.99446,
        30: 0.55,
        49: 0.101387,
    }

    for step, lr in expected.items():
        actual = lr_at(step, total=50, warmup=10, peak=1.0, floor=0.1)
        assert actual == pytest.approx(lr, abs=5e-7), step


def test_the_learning_rate_of_the_reference_run_of_five_steps_is_reproduced() -> None:
    lrs = [lr_at(s, total=5, warmup=2, peak=1e-3, floor=1e-5, start=1e-6) for s in range(5)]

    assert lrs == pytest.approx([1e-6, 1e-3, 1e-3, 7.525e-4, 2.575e-4], rel=1e-12)


def test_without_warm_up_the_first_step_has_the_peak_learning_rate() -> None:
    assert lr_at(0, total=10, warmup=0, peak=0.5, floor=0.0) == 0.5


def test_one_step_of_warm_up_has_the_start_learning_rate() -> None:
    lrs = [lr_at(s, total=3, warmup=1, peak=1.0, floor=0.0, start=0.25) for s in range(2)]

    assert lrs == [0.25, 1.0]


def test_a_run_of_warm_up_only_ends_at_the_peak() -> None:
    assert lr_at(4, total=5, warmup=5, peak=1.0, floor=0.1) == 1.0


def test_after_the_last_step_the_learning_rate_is_the_floor() -> None:
    assert lr_at(50, total=50, warmup=10, peak=1.0, floor=0.1) == 0.1
    assert lr_at(99, total=50, warmup=10, peak=1.0, floor=0.1) == 0.1
