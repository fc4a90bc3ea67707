"""Known amounts of memory are measured, freed and forgotten."""

import pytest
import torch

from videomae_cli.engine.memory import held_bytes, peak_bytes
from videomae_cli.engine.meter import Meter

MB = 10**6
CPU = torch.device("cpu")


def use(megabytes: int, device: torch.device) -> None:
    torch.ones(megabytes * MB, dtype=torch.uint8, device=device)


def exhaust(device: torch.device) -> None:
    kept = torch.ones(50 * MB, dtype=torch.uint8, device=device)
    torch.empty(len(kept), 2**32, dtype=torch.uint8, device=device)


def fail() -> None:
    raise RuntimeError("something else")


def measure(device: torch.device) -> None:
    with Meter(device) as meter:
        assert meter.works
        assert meter.free is not None and meter.free > 0

        large, small = (meter.most(lambda n=n: use(n, device)) for n in (300, 100))  # type: ignore[misc]
        nothing = meter.most(lambda: exhaust(device))
        after = meter.most(lambda: use(100, device))

        assert large == pytest.approx(300 * MB, rel=0.05)
        assert small == pytest.approx(100 * MB, rel=0.15), "what was freed does not count"
        assert nothing is None
        assert after == pytest.approx(small, rel=0.15), "what failed left nothing behind"
        with pytest.raises(RuntimeError, match="something else"):
            meter.most(fail)

    peak, held = peak_bytes(device), held_bytes(device)
    assert peak is not None and held is not None
    assert peak - held < 50 * MB, "the peak of a run begins anew"


def test_the_memory_of_a_process_is_measured() -> None:
    measure(CPU)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_memory_of_a_gpu_is_measured() -> None:
    measure(torch.device("cuda", 0))


def test_memory_at_hand_may_be_given() -> None:
    with Meter(CPU, free=5) as meter:
        assert meter.free == 5
