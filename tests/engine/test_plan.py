import pytest

from videomae_cli.config.training import OptimSpec, ScheduleSpec, TrainSpec
from videomae_cli.engine.plan import TrainingPlan, make_training_plan
from videomae_cli.errors import RecipeError


def optim() -> OptimSpec:
    return OptimSpec(base_lr=1.5e-4, min_lr=1e-5, weight_decay=0.05, betas=(0.9, 0.95))


def plan(batch: int = 2048, micro: int = 32, world: int = 1, epochs: float = 800.0) -> TrainingPlan:
    schedule = ScheduleSpec(epochs=epochs, warmup_epochs=min(40.0, epochs))
    train = TrainSpec(batch=batch, micro_batch=micro, save_every_steps=100)
    return make_training_plan(schedule, train, optim(), steps_per_epoch=117, world=world)


def test_k400_vitb_comes_to_the_published_steps_and_rates() -> None:
    made = plan(world=64)

    assert (made.steps, made.warmup) == (800 * 117, 40 * 117)
    assert made.peak_lr == pytest.approx(1.2e-3)
    assert made.floor_lr == pytest.approx(8e-5)
    assert (made.micro_batch, made.accumulation) == (32, 1)


@pytest.mark.parametrize(
    ("batch", "micro", "world", "cut"),
    [
        (2048, 32, 1, (32, 64)),
        (2048, 32, 8, (32, 8)),
        (192, 24, 1, (24, 8)),
        (60, 16, 2, (15, 2)),  # 30 a process: 16 does not divide it, 15 does
        (14, 4, 2, (1, 7)),  # 7 a process is prime
        (8, 32, 2, (4, 1)),
    ],
)
def test_micro_batches_make_up_the_batch_and_stay_within_bounds(
    batch: int, micro: int, world: int, cut: tuple[int, int]
) -> None:
    made = plan(batch=batch, micro=micro, world=world)

    assert (made.micro_batch, made.accumulation) == cut
    assert made.micro_batch * made.accumulation * made.world == batch


def test_a_batch_that_does_not_divide_among_processes_is_refused() -> None:
    with pytest.raises(RecipeError, match="10 clips do not divide among 4") as caught:
        plan(batch=10, world=4)

    assert "train.batch=8" in caught.value.hint


def test_a_run_of_no_step_is_refused() -> None:
    with pytest.raises(RecipeError, match="make no step"):
        plan(epochs=0.001)


def test_steps_win_over_epochs_when_they_are_given() -> None:
    schedule = ScheduleSpec(steps=7, warmup_steps=3)
    train = TrainSpec(batch=256, micro_batch=256, save_every_steps=1)

    made = make_training_plan(schedule, train, optim(), steps_per_epoch=117, world=1)

    assert (made.steps, made.warmup) == (7, 3)
    assert [made.lr(0), made.lr(2)] == [0.0, 1.5e-4]


def test_repeats_count_as_effective_epochs_and_change_neither_steps_nor_rates() -> None:
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
