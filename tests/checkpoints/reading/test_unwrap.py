"""Weights are found under the keys that known programs use."""

import pytest
import torch

from videomae_cli.checkpoints.reading.unwrap import WRAPPERS, unwrap
from videomae_cli.errors import CheckpointError

WEIGHTS = {"a.weight": torch.zeros(2)}


def test_every_wrapper_is_found_and_the_other_keys_are_listed() -> None:
    for wrapper in WRAPPERS:
        found = unwrap({wrapper: WEIGHTS, "optimizer": {}, "epoch": 7, 3: None})

        assert found.weights.keys() == WEIGHTS.keys() and found.wrapper == wrapper
        assert found.other_keys == ("3", "epoch", "optimizer"), wrapper
        assert found.progress == {"epoch": 7}, wrapper


def test_nested_wrappers_are_found_up_to_a_limit() -> None:
    saved = {"state_dict": {"model": WEIGHTS}, "meta": {"epoch": 3, "iter": 900}}

    found = unwrap(saved)

    assert found.wrapper == "state_dict.model" and found.progress == {"epoch": 3, "iter": 900}
    with pytest.raises(CheckpointError, match="no weights under"):
        unwrap({"model": {"model": saved}})


def test_a_moving_average_is_read_only_on_request() -> None:
    averaged = {"a.weight": torch.ones(2)}

    found = unwrap({"model_ema": averaged, "model": WEIGHTS})

    assert found.wrapper == "model" and found.other_keys == ("model_ema",)
    with pytest.raises(CheckpointError) as caught:
        unwrap({"model_ema": averaged})
    assert "--ema" in caught.value.hint
    assert unwrap({"model_ema": averaged}, ema=True).wrapper == "model_ema"


def test_names_with_control_characters_are_refused() -> None:
    with pytest.raises(CheckpointError, match="unprintable characters"):
        unwrap({"model": {"\x1b]0;owned\x07": torch.zeros(1)}})
    with pytest.raises(CheckpointError) as caught:
        unwrap({"\x1b[2J": 1})
    assert caught.value.message.isprintable()
