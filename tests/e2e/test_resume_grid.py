"""Processes x workers x kind of run x moment: stopped there and gone on with, nothing differs."""

import signal
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.e2e.moments import Moment, Witness
from tests.e2e.twins import BATCH, OF_KIND, STEPS, Twins, assert_same, contents
from tests.e2e.warm import Warm, left_of, wait

KILL = (signal.SIGKILL,)
LAST, MICRO = "after the last step", "between micro-batches"
MOMENTS = {
    "never": [],
    "killed before any save": [Moment("update", 3, KILL)],
    "killed between saves": [Moment("update", 6, KILL)],
    "in the middle of an epoch": [Moment("update", 5)],
    "twice in one epoch": [Moment("update", 4), Moment("update", 1)],
    "at an epoch's end": [Moment("update", 6, (signal.SIGUSR1,))],
    MICRO: [Moment("micro-batch")],  # the first of step 5: see below
    LAST: [Moment("update", STEPS)],
}
DEFAULT = (2, "finetune", 2, "in the middle of an epoch")  # test_resume_matrix.py has more of them
SLOW, REST = pytest.mark.slow, pytest.mark.grid
"""Half of the grid goes with the slow tests: pretraining without workers, fine-tuning with two."""
GRID = [
    pytest.param(*cell, marks=[] if cell == DEFAULT else [SLOW if is_half else REST])
    for world in (1, 2)
    for kind in OF_KIND
    for workers in (0, 2)
    for name in MOMENTS
    for cell in [(world, kind, workers, name)]
    for is_half in [(kind == "finetune") == (workers == 2)]
    if (workers, name) != (0, "never")  # the twin itself
]
WITHOUT_DRAWS: dict[str, dict[str, object]] = {  # by the model and in its feed, rank by rank
    "pretrain": {"model__drop_path": 0.0},
    "finetune": {
        **{"model__drop_path": 0.0, "model__head_dropout": 0.0},
        **{"augment__mixup": 0.0, "augment__cutmix": 0.0},
    },
}


@pytest.mark.parametrize(("world", "kind", "workers", "name"), GRID)
def test_a_run_ends_as_its_untouched_twin(
    world: int, kind: str, workers: int, name: str, twins: Twins, tmp_path: Path, warm: Warm
) -> None:
    run, whole = tmp_path / "run", twins.untouched(kind, world)
    words = twins.started(kind, run, train__workers=workers)
    is_too_late = name == LAST and kind == "pretrain"  # no validation is still to come

    for moment in MOMENTS[name]:
        # all are killed, or the last one is asked to stop
        ranks = tuple(range(world)) if moment.numbers == KILL else (world - 1,)
        count = BATCH // world * 4 + 1 if name == MICRO else moment.count
        codes, left = _ended(warm, words, world, moment._replace(count=count, ranks=ranks))
        if moment.numbers != KILL:
            assert codes == [0 if is_too_late else 75] * world, warm.text()
            assert left == []
        words = [kind, "--resume", run]
    assert warm.run(words, world=world) == [0] * world, warm.text()

    assert_same(run, whole)
    if name == LAST:  # once more: nothing is left to do, and nothing changes
        before = contents(run)
        assert warm.run(words, world=world) == [0] * world, warm.text()
        assert contents(run) == before


def _ended(
    warm: Warm, words: list[str | Path], world: int, moment: Moment
) -> tuple[list[int | None], list[str]]:
    """Run a command to its end; return the exit codes, and what is left of its processes."""
    ranks = warm.start(words, world=world, hooks=[moment])
    return [wait(rank) for rank in ranks], [line for rank in ranks for line in left_of(rank)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", OF_KIND)
@pytest.mark.parametrize(("before", "after", "workers"), [(2, 1, 2), (1, 2, 0)])
def test_another_number_of_processes_sees_the_same_and_learns_the_same(
    before: int, after: int, workers: int, kind: str, twins: Twins, tmp_path: Path, warm: Warm
) -> None:
    changes = {**WITHOUT_DRAWS[kind], "train__workers": workers}
    clips = BATCH * (2 if kind == "finetune" else 1)  # augment.repeats
    whole, first, second = (Witness(tmp_path / name) for name in ("whole", "first", "second"))
    words = twins.started(kind, tmp_path / "one", **changes)
    assert warm.run(words, hooks=[whole]) == [0], warm.text()

    words = twins.started(kind, tmp_path / "run", **changes)
    codes = warm.run(words, world=before, hooks=[first, Moment("update", 5)])
    assert codes == [75] * before, warm.text()
    codes = warm.run([kind, "--resume", tmp_path / "run"], world=after, hooks=[second])
    assert codes == [0] * after, warm.text()

    seen = first.steps(before, clips // before) + second.steps(after, clips // after)
    assert len(seen) == STEPS
    assert seen == whole.steps(1, clips)
    assert f"saved on {before} process" in warm.text()
    one, other = (load_file(tmp_path / f"{run}/final/model.safetensors") for run in ("one", "run"))
    assert max(float((one[name] - other[name]).abs().max()) for name in one) < 1e-6
