import pytest
import torch

from videomae_cli.engine.runtime import Runtime, resolve_precision
from videomae_cli.errors import CheckpointError, RecipeError


def test_fp16_on_a_cpu_is_refused() -> None:
    with pytest.raises(RecipeError, match="fp16 needs a GPU"):
        resolve_precision("fp16", "cpu")


def test_the_loss_scaler_is_restored_exactly() -> None:
    with Runtime("fp32", cpu=True) as runtime:
        assert runtime.scaler_state() == {}
        before = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=3)
        weight = torch.nn.Parameter(torch.ones(1))
        optimizer = torch.optim.SGD([weight], lr=0.0)
        runtime.accelerator.scaler = before
        for factor in (1.0, float("inf"), 1.0, 1.0):  # an overflow halves the scale
            before.scale(weight.sum() * factor).backward()
            before.unscale_(optimizer)
            runtime.skip_scaler_update()
            optimizer.zero_grad()
        saved = runtime.scaler_state()
        assert saved["scale"] == 4.0
        assert saved["_growth_tracker"] == 2

        runtime.accelerator.scaler = torch.amp.GradScaler("cpu", growth_interval=3)
        runtime.load_scaler(saved)

        assert runtime.scaler_state() == saved


def test_an_error_on_rank_0_is_raised_everywhere_and_reported_once() -> None:
    def fail() -> None:
        raise CheckpointError("no room", "make some")

    with (
        Runtime("fp32", cpu=True) as runtime,
        pytest.raises(CheckpointError, match="no room") as caught,
    ):
        runtime.run_on_rank0(fail)

    assert caught.value.is_shared
    assert caught.value.hint == "make some"
