"""Batches arrive from workers as they were collated, in memory that is used again."""

import gc
import multiprocessing
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data._utils.pin_memory import pin_memory

from videomae_cli.data.batches import PretrainBatch, collate
from videomae_cli.data.loader import Order, Share, load_each, load_train_batches
from videomae_cli.data.shared_memory import parcels
from videomae_cli.data.shared_memory.parcels import Sender
from videomae_cli.data.workers import BUFFERS
from videomae_cli.errors import DataError

SHAPE = (1, 3, 4, 16, 16)
ROOT = Path(__file__).resolve().parents[3]


def clip_of(epoch: int, index: int) -> Tensor:
    """Return a clip, with the channels of a pixel adjacent, that no other sample has."""
    rng = np.random.default_rng([epoch, index])
    frames = torch.from_numpy(rng.integers(0, 256, (4, 16, 16, 3), dtype=np.uint8))
    return frames.permute(3, 0, 1, 2)[None]


class Samples:
    """Samples for pretraining that follow from their key."""

    def path(self, index: int) -> Path:
        return Path(f"video-{index}.mp4")

    def __getitem__(self, key: tuple[int, int]) -> PretrainBatch:
        noise = torch.full((1, 2, 8), key[0] + key[1] / 100)
        return PretrainBatch(clip_of(*key), noise, torch.tensor([key[1]]), torch.tensor([0]))


def load(workers: int, steps: int = 20, accumulation: int = 1) -> Iterator[PretrainBatch]:
    share = Share(2, accumulation)
    order = Order(20, share.batch, seed=1)
    options = {"start_step": 0, "stop_step": steps, "workers": workers}
    for step in load_train_batches(Samples(), order, share, **options):  # type: ignore[arg-type]
        yield from step  # type: ignore[misc]


def is_same(one: PretrainBatch, other: PretrainBatch) -> bool:
    return all(
        torch.equal(a, b) and a.dtype == b.dtype and a.stride() == b.stride()
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("workers", [1, 3])
def test_batches_are_those_of_the_main_process_to_the_bit(workers: int) -> None:
    for sent, expected in zip(load(workers), load(0), strict=True):
        assert is_same(sent, expected)


def test_memory_is_used_again_as_soon_as_a_batch_is_gone() -> None:
    places = [batch.clip.data_ptr() for batch in load(1, steps=40)]

    assert len(set(places)) <= BUFFERS


def test_batches_that_are_kept_do_not_change() -> None:
    kept = list(load(2, steps=30))

    assert all(is_same(a, b) for a, b in zip(kept, load(0, steps=30), strict=True))
    assert len({batch.clip.data_ptr() for batch in kept}) == 30


def test_memory_is_not_used_again_while_a_part_of_a_batch_is_in_use() -> None:
    batches, parts = load(1, steps=40), []
    for number, batch in enumerate(batches):
        if number % 3 == 0:
            parts.append((number, batch.clip[1:, :, 2].numpy()))
        del batch

    expected = list(load(0, steps=40))

    assert len(parts) == 14
    assert all((part == expected[number].clip[1:, :, 2].numpy()).all() for number, part in parts)


def test_a_copy_of_the_process_does_not_give_memory_back() -> None:
    batches = load(1, steps=40)
    first = [next(batches)]
    child = multiprocessing.get_context("fork").Process(
        target=lambda: (first.clear(), gc.collect())
    )
    child.start()
    child.join()
    assert child.exitcode == 0

    for batch in batches:
        assert batch.clip.data_ptr() != first[0].clip.data_ptr()

    assert is_same(first[0], next(load(0)))


def test_an_early_end_leaves_no_memory_and_no_open_file() -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    batches = load(2, steps=40)
    last = [next(batches) for _ in range(5)][-1]

    batches.close()  # type: ignore[attr-defined]

    assert not parcels._received
    assert is_same(last, list(load(0, steps=5))[-1])
    del last
    gc.collect()
    assert len(list(Path("/dev/fd").iterdir())) <= before


class Item(NamedTuple):
    """A sample of many kinds of values."""

    number: int
    tensors: dict[str, Tensor]
    array: np.ndarray[Any, Any]
    text: str


class Items:
    """Samples whose sizes differ, one of which cannot be read."""

    def path(self, index: int) -> Path:
        return Path(f"video-{index}.mp4")

    def __getitem__(self, index: int) -> Item:
        if index == 99:
            raise DataError("video-99.mp4: broken", "mend it")
        values = torch.arange(index * index * 1000 + 1)
        tensors = {
            "values": values,
            "again": values,
            "transposed": values[: len(values) // 2 * 2].view(-1, 2).T,
            "every second": values[::2].to(torch.float64),
            "half": values.to(torch.bfloat16),
            "is even": values % 2 == 0,
            "one": torch.tensor(index, dtype=torch.int16),
            "complex": torch.tensor([1j * index]),
            "none": torch.empty(0, 3),
        }
        return Item(index, tensors, np.arange(index), f"item {index}")


def test_any_value_is_sent_whatever_its_size() -> None:
    order = [1, 5, 3, 0, 7, 2, 7, 0, 1, 6]

    for number, item in zip(order, load_each(Items(), order, workers=1), strict=True):
        expected = Items()[number]
        assert (item.number, item.text) == (number, f"item {number}")
        assert item.array.tolist() == list(range(number))
        assert item.tensors.keys() == expected.tensors.keys()
        for name, tensor in item.tensors.items():
            assert tensor.dtype == expected.tensors[name].dtype
            assert torch.equal(tensor, expected.tensors[name]), name


def test_an_error_arrives_with_its_hint() -> None:
    with pytest.raises(DataError, match=r"video-99\.mp4: broken") as caught:
        list(load_each(Items(), [1, 99], workers=1))

    assert caught.value.hint == "mend it"


def test_torch_pins_what_a_parcel_contains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pinned memory needs a GPU: a copy stands for it, and the rest is torch's own function."""
    monkeypatch.setattr(Tensor, "pin_memory", Tensor.clone)
    samples = [Samples()[0, 1], Samples()[0, 2]]
    parcel = Sender(collate, 1)(samples)

    pinned = pin_memory(parcel)  # type: ignore[no-untyped-call]

    assert is_same(pinned, collate(samples))


@pytest.mark.gpu
def test_batches_are_pinned_for_a_gpu() -> None:
    steps = load_train_batches(
        *(Samples(), Order(20, 2, seed=1), Share(2)),
        **{"start_step": 0, "stop_step": 40, "workers": 2, "pin_memory": True},
    )

    for step, expected in zip(steps, load(0, steps=40), strict=True):
        (batch,) = step
        assert all(tensor.is_pinned() for tensor in batch)
        assert is_same(batch, expected)  # type: ignore[arg-type]


def test_too_little_shared_memory_is_explained(tmp_path: Path) -> None:
    small = "mount -t tmpfs -o size=4m tmpfs /dev/shm"
    unshare = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if not shutil.which("unshare") or subprocess.run([*unshare, small], check=False).returncode:
        pytest.skip("this system does not let a test mount a small /dev/shm")
    script = tmp_path / "small.py"
    script.write_text(
        textwrap.dedent(
            """
            from pathlib import Path
            import torch
            from videomae_cli.data.loader import load_each
            from videomae_cli.errors import TrainingError

            class Large:
                def path(self, index):
                    return Path(str(index))

                def __getitem__(self, index):
                    return torch.zeros(3 * 2**20, dtype=torch.uint8)

            if __name__ == "__main__":
                try:
                    kept = list(load_each(Large(), range(8), workers=2))
                except TrainingError as error:
                    print(error, "|", error.hint)
            """
        )
    )

    done = subprocess.run(
        [*unshare, f"{small} && exec '{sys.executable}' '{script}'"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    # older versions of torch do not ask the system for the memory: the worker dies when it writes
    causes = ("no shared memory for a batch of 3.1 MB", "a process that decodes videos died")
    assert done.stdout.startswith(causes), done.stderr
    assert "enlarge /dev/shm (docker: --shm-size)" in done.stdout
