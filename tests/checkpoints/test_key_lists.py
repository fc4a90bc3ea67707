"""The tensors of every public checkpoint go to native and back, and are all that a model needs."""

import pytest
import torch
from torch import Tensor

from tests.checkpoints import key_lists
from videomae_cli.checkpoints.formats import FORMATS
from videomae_cli.checkpoints.infer_config import infer_model_config
from videomae_cli.checkpoints.keymap import translate
from videomae_cli.errors import CheckpointError
from videomae_cli.models.build import expected_shapes


def test_every_public_checkpoint_goes_to_native_and_back() -> None:
    faults = {name: found for name in key_lists.NAMES if (found := find_faults(name))}

    assert faults == {}


def find_faults(name: str) -> list[str]:
    """Return what is wrong after converting the tensors of a list to native and back."""
    key_list = key_lists.read(name)
    known = FORMATS[key_list.format]
    table = known.tables[key_list.table]
    folder_json = {"config": {"model_config": {}}} if key_list.format == "v2" else {}
    try:
        tables = {f: one.recognise(key_list.weights, folder_json) for f, one in FORMATS.items()}
        native, dropped, _ = translate(
            key_list.weights, table.rules, "to-native", drops=table.drops
        )
        back = translate(native, table.rules, "from-native").weights
        side_info = known.read_side_info(table, key_list.weights, folder_json)
        config = infer_model_config(native, table.kind, side_info=side_info).config
    except CheckpointError as error:
        return [error.message]
    config = config.model_copy(update=dict(table.implies))
    recognised = [(f, its) for f, its in tables.items() if its is not None]
    kept = {n: t.shape for n, t in key_list.weights.items() if n not in dropped}
    checks = {
        f"has {len(key_list.weights)} tensors": len(key_list.weights) == key_list.count,
        f"recognised as {recognised}": recognised[:1] == [(key_list.format, key_list.table)],
        "the model needs other tensors": shapes_of(native) == expected_shapes(config),
        # hf-linear: its key bias is dropped, and written as zeros
        "other tensors come back": key_list.format == "hf-linear" or shapes_of(back) == kept,
        "tensors are lost": back.keys() | dropped.keys() >= key_list.weights.keys(),
    }
    return [fault for fault, is_right in checks.items() if not is_right]


def shapes_of(weights: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in weights.items()}


def test_a_list_is_there_for_every_format() -> None:
    assert {key_lists.read(name).format for name in key_lists.NAMES} == set(FORMATS)


@pytest.mark.parametrize(
    ("name", "depth", "dim", "heads"),
    [
        ("v1-vits-ssv2", 12, 384, 6),
        ("v2-vitg-ssv2", 40, 1408, 16),
        ("hf-huge-finetuned-kinetics", 32, 1280, 16),
        ("mmaction2-vitl-k400", 24, 1024, 16),
        ("mae-st-vitl-pretrain", 24, 1024, 16),
    ],
)
def test_the_architecture_is_inferred_from_the_shapes(
    name: str, depth: int, dim: int, heads: int
) -> None:
    key_list = key_lists.read(name)
    known = FORMATS[key_list.format]
    table = known.tables[key_list.table]
    native = translate(key_list.weights, table.rules, "to-native", drops=table.drops).weights

    side_info = known.read_side_info(table, key_list.weights, {})
    config = infer_model_config(native, table.kind, side_info=side_info).config

    assert (config.encoder.depth, config.encoder.dim, config.encoder.heads) == (depth, dim, heads)
    assert (config.grid.frames, config.grid.height) == (16, 224)
