"""V1 files with any wrapper load completely, or are refused with the name of the tensor."""

import argparse
import hashlib
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from videomae_cli.checkpoints.destination import write_torch
from videomae_cli.checkpoints.formats import FORMATS
from videomae_cli.checkpoints.hints import Hints
from videomae_cli.checkpoints.infer_config import infer_model_config
from videomae_cli.checkpoints.keymap import translate
from videomae_cli.checkpoints.loading import load_any_format, save_as_format
from videomae_cli.checkpoints.native import write_native
from videomae_cli.config.model import MaskSpec
from videomae_cli.errors import CheckpointError

HINTS = Hints(heads=3, decoder_heads=2, size=32)


def _stack(prefix: str, dim: int, depth: int) -> dict[str, tuple[int, ...]]:
    block = {
        "norm1.weight": (dim,),
        "norm1.bias": (dim,),
        "attn.q_bias": (dim,),
        "attn.v_bias": (dim,),
        "attn.qkv.weight": (3 * dim, dim),
        "attn.proj.weight": (dim, dim),
        "attn.proj.bias": (dim,),
        "norm2.weight": (dim,),
        "norm2.bias": (dim,),
        "mlp.fc1.weight": (4 * dim, dim),
        "mlp.fc1.bias": (4 * dim,),
        "mlp.fc2.weight": (dim, 4 * dim),
        "mlp.fc2.bias": (dim,),
    }
    return {f"{prefix}blocks.{i}.{n}": s for i in range(depth) for n, s in block.items()}


def pretrain_shapes(
    dim: int = 12, depth: int = 2, deco: int = 8, deco_depth: int = 1, patch: int = 8
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a V1 pretraining file, from the published key list."""
    pixels = 3 * 2 * patch * patch
    return {
        "mask_token": (1, 1, deco),
        "encoder.patch_embed.proj.weight": (dim, 3, 2, patch, patch),
        "encoder.patch_embed.proj.bias": (dim,),
        **_stack("encoder.", dim, depth),
        "encoder.norm.weight": (dim,),
        "encoder.norm.bias": (dim,),
        "encoder_to_decoder.weight": (deco, dim),
        **_stack("decoder.", deco, deco_depth),
        "decoder.norm.weight": (deco,),
        "decoder.norm.bias": (deco,),
        "decoder.head.weight": (pixels, deco),
        "decoder.head.bias": (pixels,),
    }


def finetune_shapes(
    dim: int = 12, depth: int = 2, classes: int = 5, patch: int = 8
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a V1 fine-tuning file, from the published key list."""
    return {
        "patch_embed.proj.weight": (dim, 3, 2, patch, patch),
        "patch_embed.proj.bias": (dim,),
        **_stack("", dim, depth),
        "fc_norm.weight": (dim,),
        "fc_norm.bias": (dim,),
        "head.weight": (classes, dim),
        "head.bias": (classes,),
    }


def drawn(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    """Tensors of these shapes, all different."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def test_every_wrapper_and_prefix_gives_the_same_weights(tmp_path: Path) -> None:
    weights = drawn(finetune_shapes())
    natives = {n: n if n.startswith(("head.", "fc_norm.")) else f"encoder.{n}" for n in weights}
    wrong = []
    for wrapper in ("model", "module", ""):
        for prefix in ("", "module.", "_orig_mod.", "module._orig_mod.", "backbone."):
            named = {prefix + name: tensor for name, tensor in weights.items()}
            torch.save({wrapper: named} if wrapper else named, tmp_path / "v1.pth")
            try:
                loaded = load_any_format(tmp_path / "v1.pth", HINTS)
            except CheckpointError as error:
                wrong.append((wrapper, prefix, error.message))
                continue
            is_same = loaded.weights.keys() == set(natives.values()) and all(
                torch.equal(loaded.weights[native], weights[n]) for n, native in natives.items()
            )
            if not is_same or (loaded.format, loaded.config.kind) != ("v1", "classifier"):
                wrong.append((wrapper, prefix, loaded.format))

    assert wrong == []


def test_the_architecture_of_a_pretraining_file_is_inferred(tmp_path: Path) -> None:
    weights = drawn(pretrain_shapes())
    args = argparse.Namespace(num_frames=8, mask_ratio=0.75, normlize_target=False, lr=1e-3)
    torch.save({"model": weights, "optimizer": {}, "epoch": 1, "args": args}, tmp_path / "v1.pth")

    loaded = load_any_format(tmp_path / "v1.pth", HINTS)

    config = loaded.config
    assert loaded.weights.keys() == weights.keys()
    assert (config.encoder.dim, config.encoder.depth, config.encoder.mlp_dim) == (12, 2, 48)
    assert config.decoder is not None and (config.decoder.dim, config.decoder.depth) == (8, 1)
    assert (config.grid.frames, config.grid.height, config.grid.patch) == (8, 32, 8)
    assert config.mask == MaskSpec(strategy="tube", ratio=0.75) and config.normalize == "none"
    assert loaded.report.dropped.keys() == {"optimizer", "epoch", "args"}
    assert "CC BY-NC 4.0" in loaded.warning and "CC-BY-NC-4.0" in (config.license or "")
    assert config.derived_from[0].startswith("v1.pth (VideoMAE V1 .pth, sha256 ")


def test_facts_that_a_file_does_not_state_are_listed_as_assumed(tmp_path: Path) -> None:
    torch.save(drawn(pretrain_shapes(dim=64, deco=64)), tmp_path / "v1.pth")

    loaded = load_any_format(tmp_path / "v1.pth")

    assumed = " ".join(loaded.report.assumed)
    for fact in ("frames 16", "size 224", "heads 1", "decoder heads 1", "ratio 0.9", "patch"):
        assert fact in assumed
    assert loaded.config.encoder.heads == 1


def test_an_unknown_number_of_heads_is_an_error_that_names_the_option(tmp_path: Path) -> None:
    torch.save(drawn(finetune_shapes()), tmp_path / "v1.pth")

    with pytest.raises(CheckpointError, match="embedding dimension 12") as caught:
        load_any_format(tmp_path / "v1.pth")
    assert "--heads" in caught.value.hint
    with pytest.raises(CheckpointError, match="does not divide"):
        load_any_format(tmp_path / "v1.pth", Hints(heads=5))


def test_heads_of_the_published_dimensions_are_known() -> None:
    heads = {384: 6, 768: 12, 1024: 16, 1280: 16, 1408: 16, 320: 5}
    rules = FORMATS["v1"].tables["classifier"].rules
    inferred = {}
    for dim in heads:
        with torch.device("meta"):
            weights = {n: torch.empty(s) for n, s in finetune_shapes(dim=dim, patch=16).items()}
        native = translate(weights, rules, "to-native").weights
        inferred[dim] = infer_model_config(native, "classifier").config.encoder.heads

    assert inferred == heads


@pytest.mark.parametrize(
    ("shapes", "count"),
    [
        (pretrain_shapes(768, 12, 384, 4, patch=16), 218),
        (finetune_shapes(768, 12, 400, patch=16), 162),
        (pretrain_shapes(1280, 32, 640, 12, patch=16), 582),
    ],
)
def test_the_key_lists_of_published_models_go_to_native_and_back_unchanged(
    shapes: dict[str, tuple[int, ...]], count: int
) -> None:
    with torch.device("meta"):
        weights = {name: torch.empty(shape) for name, shape in shapes.items()}
    table = FORMATS["v1"].recognise(weights, {})
    assert table is not None

    rules = FORMATS["v1"].tables[table].rules
    native = translate(weights, rules, "to-native").weights
    back = translate(native, rules, "from-native").weights

    assert len(weights) == len(native) == count
    assert {name: tuple(tensor.shape) for name, tensor in back.items()} == shapes


@pytest.mark.parametrize(
    "extra", ["blocks.0.gamma_1", "pos_embed", "norm.weight", "blocks.0.attn.k_bias"]
)
def test_one_tensor_too_many_is_refused_by_name(tmp_path: Path, extra: str) -> None:
    torch.save({**drawn(finetune_shapes()), extra: torch.zeros(12)}, tmp_path / "v1.pth")

    with pytest.raises(CheckpointError, match=extra.replace(".", r"\.")) as caught:
        load_any_format(tmp_path / "v1.pth", HINTS)

    assert caught.value.exit_code == 4 and "v1.pth" in caught.value.message


def test_a_missing_block_is_refused_by_name(tmp_path: Path) -> None:
    weights = {n: t for n, t in drawn(finetune_shapes(depth=3)).items() if "blocks.1" not in n}
    torch.save(weights, tmp_path / "v1.pth")

    with pytest.raises(CheckpointError, match=r"missing: encoder\.blocks\.1"):
        load_any_format(tmp_path / "v1.pth", HINTS)


def test_two_tensors_for_one_name_are_refused(tmp_path: Path) -> None:
    torch.save({"head.bias": torch.zeros(1), "module.head.bias": torch.ones(1)}, tmp_path / "x.pth")

    with pytest.raises(CheckpointError, match="two tensors for one name"):
        load_any_format(tmp_path / "x.pth")


def test_weights_of_another_family_are_named_and_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"conv1.weight": torch.zeros(1)}}, tmp_path / "wrapped.pth")
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "bare.pth")

    with pytest.raises(CheckpointError, match=r"conv1\.weight"):
        load_any_format(tmp_path / "wrapped.pth")
    with pytest.raises(CheckpointError, match=r"conv1\.weight"):
        load_any_format(tmp_path / "bare.pth")


def test_half_precision_is_reported_and_read_as_float32(tmp_path: Path) -> None:
    halves = {name: tensor.half() for name, tensor in drawn(finetune_shapes()).items()}
    torch.save({"module": halves}, tmp_path / "v1.pth")

    loaded = load_any_format(tmp_path / "v1.pth", HINTS)

    assert {tensor.dtype for tensor in loaded.weights.values()} == {torch.float32}
    assert "stored as float16, read as float32" in loaded.report.assumed


@pytest.mark.parametrize("shapes", [pretrain_shapes(), finetune_shapes()])
def test_v1_to_native_to_v1_changes_no_value_and_no_field_of_the_configuration(
    tmp_path: Path, shapes: dict[str, tuple[int, ...]]
) -> None:
    write_torch(tmp_path / "first.pth", {"model": drawn(shapes)})
    first = load_any_format(tmp_path / "first.pth", HINTS)

    write_native(tmp_path / "native", first.weights, first.config)
    native = load_any_format(tmp_path / "native")
    save_as_format(tmp_path / "second.pth", native.weights, native.config, "v1")
    second = load_any_format(tmp_path / "second.pth")

    assert second.config == native.config == first.config
    assert second.report.assumed == ()
    assert "CC-BY-NC-4.0" in second.warning and second.warning == native.warning
    for name, tensor in first.weights.items():
        assert torch.equal(native.weights[name], tensor)
        assert torch.equal(second.weights[name], tensor)
    saved = torch.load(tmp_path / "second.pth", weights_only=True)["model"]  # noqa: TID251 (V1's way)
    assert {name: tuple(tensor.shape) for name, tensor in saved.items()} == shapes


def test_the_reference_files_weights_load(tmp_path: Path, shared: Path) -> None:
    for name, hints in (("pretrain", HINTS), ("finetune", HINTS)):
        with safe_open(shared / "golden" / f"videomae_{name}.safetensors", "pt") as file:
            weights = {
                key.removeprefix("sd."): file.get_tensor(key)
                for key in file.keys()  # noqa: SIM118  (not a mapping)
                if key.startswith("sd.")
            }
        torch.save({"model": weights}, tmp_path / "v1.pth")

        assert len(load_any_format(tmp_path / "v1.pth", hints).weights) == len(weights)


def test_a_digest_in_the_file_name_is_checked(tmp_path: Path) -> None:
    torch.save({"model": drawn(finetune_shapes())}, tmp_path / "plain.pth")
    digest = hashlib.sha256((tmp_path / "plain.pth").read_bytes()).hexdigest()[:8]
    for name in (f"vit_20221013-{digest}.pth", "vit_20221013-00000000.pth"):
        (tmp_path / name).write_bytes((tmp_path / "plain.pth").read_bytes())

    assert not load_any_format(tmp_path / f"vit_20221013-{digest}.pth", HINTS).report.defects
    assert (
        digest in load_any_format(tmp_path / "vit_20221013-00000000.pth", HINTS).report.defects[0]
    )
