"""Tables of names translate in both directions, and every unknown name is an error."""

import pytest
import torch

from videomae_cli.checkpoints.keymap import Drop, Operation, Rule, list_names, map_names, translate
from videomae_cli.errors import CheckpointError

SPLIT = Operation(
    to_native=lambda parts: (torch.cat(parts),), from_native=lambda whole: whole[0].chunk(3)
)
RULES = (
    *map_names({"encoder.blocks.{i}.norm.weight": "layer.{i}.ln.weight", "head.bias": "fc.bias"}),
    Rule(("blocks.{i}.qkv",), ("blocks.{i}.q", "blocks.{i}.k", "blocks.{i}.v"), SPLIT),
)
OTHER = {
    "layer.0.ln.weight": torch.ones(2),
    "layer.11.ln.weight": torch.full((2,), 11.0),
    "fc.bias": torch.zeros(3),
    "blocks.4.v": torch.full((1,), 3.0),
    "blocks.4.q": torch.full((1,), 1.0),
    "blocks.4.k": torch.full((1,), 2.0),
}


def test_names_and_block_numbers_are_translated() -> None:
    weights = translate(OTHER, RULES, "to-native").weights

    assert weights.keys() == {
        "encoder.blocks.0.norm.weight",
        "encoder.blocks.11.norm.weight",
        "head.bias",
        "blocks.4.qkv",
    }
    assert weights["encoder.blocks.11.norm.weight"].tolist() == [11.0, 11.0]


def test_tensors_are_joined_in_the_order_of_the_rule_and_come_back() -> None:
    native = translate(OTHER, RULES, "to-native").weights
    back = translate(native, RULES, "from-native").weights

    assert native["blocks.4.qkv"].tolist() == [1.0, 2.0, 3.0]
    assert back.keys() == OTHER.keys()
    assert all(torch.equal(back[name], OTHER[name]) for name in OTHER)


def test_an_unknown_name_is_an_error_in_both_directions() -> None:
    for direction in ("to-native", "from-native"):
        with pytest.raises(CheckpointError, match=r"blocks\.0\.gamma_1"):
            translate({"blocks.0.gamma_1": torch.ones(1)}, RULES, direction)


def test_a_name_must_match_from_end_to_end() -> None:
    for name in ("layer.0.ln.weight.extra", "x.layer.0.ln.weight", "layer.a.ln.weight"):
        with pytest.raises(CheckpointError, match="no rule"):
            translate({name: torch.ones(1)}, RULES, "to-native")


def test_a_rule_that_finds_half_of_its_tensors_is_an_error() -> None:
    with pytest.raises(CheckpointError, match=r"missing: blocks\.4\.k, which belongs with"):
        translate({n: t for n, t in OTHER.items() if n != "blocks.4.k"}, RULES, "to-native")


def test_dropped_tensors_are_listed_with_their_reason() -> None:
    drops = (Drop("pos.{i}", "a table that is computed"),)
    weights = {"fc.bias": torch.ones(3), "pos.7": torch.ones(1)}

    translation = translate(weights, RULES, "to-native", drops=drops)

    assert translation.weights.keys() == {"head.bias"}
    assert translation.dropped == {"pos.7": "a table that is computed"}


def test_many_names_are_cut_short_and_counted() -> None:
    assert list_names(f"t{i}" for i in range(10)) == "t0, t1, t2, t3, t4, t5, t6, t7 and 2 more"
