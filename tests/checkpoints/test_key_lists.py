"""The tensors of every public checkpoint go to native and back, and are all that a model needs."""

import pytest

from tests.checkpoints import key_lists
from videomae_cli.checkpoints.formats import FORMATS
from videomae_cli.checkpoints.infer_config import infer_model_config
from videomae_cli.checkpoints.keymap import translate
from videomae_cli.models.build import expected_shapes


@pytest.mark.parametrize("name", key_lists.NAMES)
def test_a_public_checkpoint_goes_to_native_and_back(name: str) -> None:
    key_list = key_lists.read(name)
    known = FORMATS[key_list.format]
    table = known.tables[key_list.table]
    folder_json = {"config": {"model_config": {}}} if key_list.format == "v2" else {}

    tables = {f: one.recognise(key_list.weights, folder_json) for f, one in FORMATS.items()}
    recognised = [(f, its) for f, its in tables.items() if its is not None]
    native, dropped, _ = translate(key_list.weights, table.rules, "to-native", drops=table.drops)
    back = translate(native, table.rules, "from-native").weights
    side_info = known.read_side_info(table, key_list.weights, folder_json)
    config = infer_model_config(native, table.kind, side_info=side_info).config.model_copy(
        update=dict(table.implies)
    )

    assert len(key_list.weights) == key_list.count
    assert recognised[0] == (key_list.format, key_list.table)
    assert {n: t.shape for n, t in native.items()} == expected_shapes(config)
    kept = {n: t.shape for n, t in key_list.weights.items() if n not in dropped}
    if key_list.format != "hf-linear":  # whose key bias is dropped, and written as zeros
        assert {n: t.shape for n, t in back.items()} == kept
    assert back.keys() | dropped.keys() >= key_list.weights.keys()


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
def test_the_architecture_is_read_off_the_shapes(
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
