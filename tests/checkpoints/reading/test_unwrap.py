"""Weights are found wherever the programs in circulation put them."""

import pytest
import torch

from videomae_cli.checkpoints.reading.unwrap import WRAPPERS, unwrap
from videomae_cli.errors import CheckpointError

WEIGHTS = {"a.weight": torch.zeros(2)}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_every_wrapper_is_opened_and_its_neighbours_are_named(wrapper: str) -> None:
    found = unwrap({wrapper: WEIGHTS, "optimizer": {}, "epoch": 7, 3: None})

    assert found.weights.keys() == WEIGHTS.keys() and found.wrapper == wrapper
    assert found.beside == ("3", "epoch", "optimizer") and found.progress == {"epoch": 7}


def test_wrappers_within_wrappers_are_opened_to_a_limit() -> None:
    held = {"state_dict": {"model": WEIGHTS}, "meta": {"epoch": 3, "iter": 900}}

    found = unwrap(held)

    assert found.wrapper == "state_dict.model" and found.progress == {"epoch": 3, "iter": 900}
    with pytest.raises(CheckpointError, match="no weights under"):
        unwrap({"model": {"model": held}})


def test_a_moving_average_is_never_preferred_in_silence() -> None:
    averaged = {"a.weight": torch.ones(2)}

    found = unwrap({"model_ema": averaged, "model": WEIGHTS})

    assert found.wrapper == "model" and found.beside == ("model_ema",)
    with pytest.raises(CheckpointError) as caught:
        unwrap({"model_ema": averaged})
    assert "--ema" in caught.value.hint
    assert unwrap({"model_ema": averaged}, ema=True).wrapper == "model_ema"


def test_names_that_would_command_a_terminal_are_refused() -> None:
    with pytest.raises(CheckpointError, match="cannot be printed"):
        unwrap({"model": {"\x1b]0;owned\x07": torch.zeros(1)}})
    with pytest.raises(CheckpointError) as caught:
        unwrap({"\x1b[2J": 1})
    assert caught.value.message.isprintable()
