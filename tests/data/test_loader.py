"""Samples come in the same order with any number of workers; no worker hangs or is left behind."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from videomae_cli.data.loader import Order, Share, load_each, load_train_batches
from videomae_cli.data.workers import explain_worker_death
from videomae_cli.errors import DataError, TrainingError


class Identity(NamedTuple):
    indices: Tensor
    epoch: Tensor


class Numbers:
    """Samples that contain their key; sample 5 can cause trouble."""

    def __init__(self, trouble: str = "") -> None:
        self.trouble = trouble

    def path(self, index: int) -> Path:
        return Path(f"video-{index}.mp4")

    def __getitem__(self, sample: tuple[int, int]) -> Identity:
        epoch, index = sample
        if self.trouble and index == 5:
            if self.trouble == "error":
                raise DataError("video-5.mp4: broken", "mend it")
            if self.trouble == "hang":
                time.sleep(60)
            if self.trouble == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.trouble == "signals":
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGTERM)
        return Identity(torch.tensor([index]), torch.tensor([epoch]))


def load_all(workers: int, share: Share, *, start: int = 0, stop: int = 9) -> list[list[Any]]:
    """Return, step by step, the (epoch, index) pairs of each micro-batch."""
    order = Order(20, share.batch, seed=3)
    steps = load_train_batches(
        Numbers(), order, share, start_step=start, stop_step=stop, workers=workers
    )
    return [
        [list(zip(b.epoch.tolist(), b.indices.tolist(), strict=True)) for b in step]
        for step in steps
    ]


def children() -> list[Any]:
    return multiprocessing.active_children()


def test_an_epoch_takes_each_video_at_most_once_and_drops_the_tail() -> None:
    order = Order(22, 4, seed=0)

    epochs = [
        [order.step_samples(step) for step in range(epoch * 5, epoch * 5 + 5)] for epoch in range(3)
    ]

    assert order.steps_per_epoch == 5
    for epoch, steps in enumerate(epochs):
        samples = [sample for step in steps for sample in step]
        assert {sample[0] for sample in samples} == {epoch}
        assert len({sample[1] for sample in samples}) == 20
    assert epochs[0] != epochs[1]
    assert len({s[1] for steps in epochs for step in steps for s in step}) == 22


def test_a_step_does_not_depend_on_the_steps_asked_for_before() -> None:
    walked, jumped = Order(50, 8, seed=1), Order(50, 8, seed=1)
    steps = [walked.step_samples(step) for step in range(30)]

    assert jumped.step_samples(29) == steps[29]
    assert jumped.step_samples(3) == steps[3]
    assert Order(50, 8, seed=2).step_samples(3) != steps[3]


def test_a_batch_larger_than_the_split_is_refused_with_the_number_to_take() -> None:
    with pytest.raises(DataError, match="7 videos do not fill one batch of 8") as caught:
        Order(7, 8, seed=0)

    assert "train.batch=7" in caught.value.hint


@pytest.mark.parametrize(("world", "accumulation"), [(1, 4), (2, 2), (4, 1), (2, 1), (1, 1)])
def test_devices_and_accumulation_split_a_batch_into_parts_in_order(
    world: int, accumulation: int
) -> None:
    micro_batch = 8 // (world * accumulation)
    whole = Order(20, 8, seed=3)
    shares = [Share(micro_batch, accumulation, rank, world) for rank in range(world)]

    parts = [load_all(0, share) for share in shares]

    for step in range(9):
        joined = [sample for part in parts for micro in part[step] for sample in micro]
        assert joined == whole.step_samples(step)
        assert all(len(part[step]) == accumulation for part in parts)


def test_samples_do_not_depend_on_workers_or_resuming() -> None:
    share = Share(2, 2)
    expected = load_all(0, share)

    assert load_all(2, share) == expected
    assert load_all(3, share, start=4) == expected[4:]
    assert load_all(0, share, start=4) == expected[4:]
    assert load_all(0, share, start=9) == []


def test_the_global_generator_is_left_to_the_model() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()

    load_all(0, Share(4))
    load_all(2, Share(4), stop=2)

    assert torch.equal(torch.get_rng_state(), before)


def test_a_step_left_half_way_does_not_shift_the_next() -> None:
    order, share = Order(20, 8, seed=3), Share(2, 4)
    steps = load_train_batches(Numbers(), order, share, start_step=0, stop_step=2, workers=0)

    next(next(steps))
    second = [index for batch in next(steps) for index in batch.indices.tolist()]

    assert second == [index for _, index in order.step_samples(1)]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_sample_is_reported_with_its_hint(workers: int) -> None:
    steps = load_train_batches(
        Numbers("error"), Order(20, 4, 0), Share(4), start_step=0, stop_step=5, workers=workers
    )

    with pytest.raises(DataError) as caught:
        for step in steps:
            list(step)

    assert (caught.value.message, caught.value.hint) == ("video-5.mp4: broken", "mend it")
    assert not children()


def test_a_hanging_decoder_is_stopped_and_its_videos_are_named() -> None:
    order = Order(20, 4, 0)
    started = time.monotonic()
    steps = load_train_batches(
        Numbers("hang"),
        order,
        Share(4),
        start_step=0,
        stop_step=5,
        workers=1,
        timeout_seconds=2,
    )

    with pytest.raises(DataError, match="hangs") as caught:
        for step in steps:
            list(step)

    assert "video-5.mp4" in caught.value.message
    assert caught.value.message.count("video-") == 4  # of this batch, of no other
    assert not children()
    assert time.monotonic() - started < 20


def test_a_killed_worker_is_reported_with_a_likely_cause() -> None:
    steps = load_train_batches(
        Numbers("killed"), Order(20, 4, 0), Share(4), start_step=0, stop_step=5, workers=2
    )

    with pytest.raises(TrainingError, match="died") as caught, explain_worker_death():
        for step in steps:
            list(step)

    assert "memory" in caught.value.hint
    steps.close()  # type: ignore[attr-defined]
    assert not children()
    del caught, steps
    with warnings.catch_warnings():
        # torch raises out of any line, even between a socket and its `with`: closed in this test
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_another_error_in_the_loop_is_not_changed() -> None:
    with pytest.raises(RuntimeError, match="shapes"), explain_worker_death():
        raise RuntimeError("shapes do not match")


def test_workers_ignore_signals_meant_for_the_run() -> None:
    steps = load_train_batches(
        Numbers("signals"), Order(20, 4, 0), Share(4), start_step=0, stop_step=5, workers=1
    )

    seen = [index for step in steps for batch in step for index in batch.indices.tolist()]

    assert Counter(seen) == Counter(range(20))


def test_closing_early_ends_the_workers() -> None:
    steps = load_train_batches(
        Numbers(), Order(2000, 4, 0), Share(4), start_step=0, stop_step=400, workers=2
    )
    list(next(steps))
    assert len(children()) == 2

    steps.close()  # type: ignore[attr-defined]

    assert not children()


def test_a_crash_with_workers_at_work_ends_the_program(tmp_path: Path) -> None:
    script = tmp_path / "crash.py"
    script.write_text(
        textwrap.dedent(
            """
            from tests.data.test_loader import Numbers
            from videomae_cli.data.loader import Order, Share, load_train_batches

            if __name__ == "__main__":
                order = Order(4000, 4, 0)
                steps = load_train_batches(
                    Numbers(), order, Share(4), start_step=0, stop_step=900, workers=2
                )
                list(next(steps))
                raise SystemError("a bug")
            """
        )
    )
    started = time.monotonic()

    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert "SystemError: a bug" in done.stderr
    assert "Exception ignored" not in done.stderr
    assert time.monotonic() - started < 40


class Videos:
    """Items by number, the way evaluation reads them."""

    def path(self, index: int) -> Path:
        return Path(f"video-{index}.mp4")

    def __getitem__(self, index: int) -> tuple[int, str]:
        return index, "bad" if index == 3 else ""


@pytest.mark.parametrize("workers", [0, 2])
def test_evaluation_items_come_one_by_one_in_the_order_asked_for(workers: int) -> None:
    items = list(load_each(Videos(), [4, 3, 9, 0], workers=workers))

    assert [number for number, _ in items] == [4, 3, 9, 0]
    assert [error for _, error in items] == ["", "bad", "", ""]


class _Decoder:
    """A decoder in a reference cycle, as PyAV leaves them; counts where it must not be freed."""

    freed_in_a_worker = 0

    def __init__(self) -> None:
        self.cycle, self.owner = self, os.getpid()

    def __del__(self) -> None:
        _Decoder.freed_in_a_worker += os.getpid() != self.owner


class _Collects:
    """Items that are the number of decoders freed in the worker, after it collected garbage."""

    def __getitem__(self, key: int) -> int:
        gc.collect()
        return _Decoder.freed_in_a_worker

    def path(self, index: int) -> Path:
        return Path(str(index))


def test_workers_never_free_a_decoder_of_the_main_process() -> None:
    """Freeing it there waits for its threads, which no fork copies: validation hung for ever."""
    gc.disable()
    try:
        _Decoder()
        assert list(load_each(_Collects(), [0, 1], workers=1)) == [0, 0]
    finally:
        gc.enable()
