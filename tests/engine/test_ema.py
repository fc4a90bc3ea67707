import pytest
import torch
from torch import nn

from videomae_cli.engine.ema import EMA


def model(value: float) -> nn.Module:
    linear = nn.Linear(2, 2)
    for parameter in linear.parameters():
        nn.init.constant_(parameter, value)
    return linear


def test_the_decay_ramps_up_to_its_limit() -> None:
    weights = model(0.0)
    average = EMA(weights, limit=0.3)
    expected = 0.0

    for step, decay in enumerate([1 / 10, 2 / 11, 3 / 12, 0.3, 0.3]):
        nn.init.constant_(weights.weight, float(step))
        average.update(weights, step)
        expected = decay * expected + (1 - decay) * step
        assert average.tensors["weight"][0, 0].item() == pytest.approx(expected)


def test_applying_the_average_restores_the_weights_even_after_an_interruption() -> None:
    weights = model(1.0)
    average = EMA(weights, limit=0.9)
    nn.init.constant_(weights.weight, 3.0)

    with pytest.raises(KeyboardInterrupt), average.applied_to(weights):
        assert torch.equal(weights.weight, torch.ones(2, 2))
        raise KeyboardInterrupt

    assert torch.equal(weights.weight, torch.full((2, 2), 3.0))
    assert torch.equal(average.tensors["weight"], torch.ones(2, 2))
