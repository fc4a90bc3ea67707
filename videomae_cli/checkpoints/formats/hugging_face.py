"""Hugging Face transformers: the tensor names of its three VideoMAE classes.

Queries, keys and values are separate there and fused here. Their biases have three spellings, all
of which are read. Written are the first, `q_bias` and `v_bias` (`hf`), and the one of transformers
5.5.1 to 5.17.0 (`hf-linear`), which cannot read the first. The JSON files beside the weights are in
`hugging_face_json.py`.
"""

from collections.abc import Sequence
from pathlib import Path

from videomae_cli.checkpoints.format import (
    FolderJson,
    Format,
    KeyTable,
    has_part,
    make_encoder_tables,
    map_affine,
)
from videomae_cli.checkpoints.formats.folders import CONFIG, PROCESSOR, write_folder
from videomae_cli.checkpoints.formats.hugging_face_json import (
    PREFIX,
    make_config_json,
    read_side_info,
)
from videomae_cli.checkpoints.formats.hugging_face_processor import make_processor_json
from videomae_cli.checkpoints.formats.hugging_face_readme import make_readme
from videomae_cli.checkpoints.formats.image_vit import DROP_KEY_BIAS, KEY_BIAS
from videomae_cli.checkpoints.keymap import JOIN, Drop, Rule, Weights, map_names
from videomae_cli.config.model_config import ModelConfig

_AFFINE = (
    ("attn.proj", "attention.output.dense"),
    ("norm1", "layernorm_before"),
    ("norm2", "layernorm_after"),
    ("mlp.fc1", "intermediate.dense"),
    ("mlp.fc2", "output.dense"),
)


def _map_blocks(native: str, other: str, *, linear: bool) -> list[Rule]:
    """Return the rules of transformer blocks, with biases spelled as in `hf` or `hf-linear`."""
    native_block, other_block = f"{native}blocks.{{i}}.", f"{other}.{{i}}."
    attention = f"{other_block}attention.attention."
    weights = tuple(f"{attention}{part}.weight" for part in ("query", "key", "value"))
    rules = [Rule((f"{native_block}attn.qkv.weight",), weights, JOIN)]
    if linear:
        rules.append(
            Rule(
                (f"{native_block}attn.q_bias", f"{native_block}attn.v_bias"),
                tuple(f"{attention}{part}.bias" for part in ("query", "key", "value")),
                DROP_KEY_BIAS,
                drops=((f"{attention}key.bias", KEY_BIAS),),
            )
        )
    else:
        for short, long in (("q", "query"), ("v", "value")):
            native_bias = f"{native_block}attn.{short}_bias"
            rules += map_names({native_bias: f"{attention}{short}_bias"})
            rules += map_names({native_bias: f"{attention}{long}.bias"})
    for native_part, other_part in _AFFINE:
        rules += map_affine(f"{native_block}{native_part}", f"{other_block}{other_part}")
    return rules


def _map_encoder(prefix: str, *, linear: bool) -> Sequence[Rule]:
    embed = f"{prefix}embeddings.patch_embeddings.projection"
    blocks = _map_blocks("encoder.", f"{prefix}encoder.layer", linear=linear)
    return (*map_affine("encoder.patch_embed.proj", embed), *blocks)


def _make_tables(*, linear: bool) -> dict[str, KeyTable]:
    drops = [
        Drop(f"{blocks}.{{i}}.attention.attention.key.bias", KEY_BIAS)
        for blocks in ("videomae.encoder.layer", "encoder.layer", "decoder.decoder_layers")
    ]
    encoder = _map_encoder(PREFIX, linear=linear)
    with_head = make_encoder_tables(
        encoder, norm=f"{PREFIX}layernorm", fc_norm="fc_norm", head="classifier", drops=drops
    )
    bare = make_encoder_tables(
        _map_encoder("", linear=linear), norm="layernorm", fc_norm="", head="", drops=drops
    )
    autoencoder = (
        *encoder,
        *map_affine("encoder.norm", f"{PREFIX}layernorm"),
        *map_names({name: name for name in ("encoder_to_decoder.weight", "mask_token")}),
        *_map_blocks("decoder.", "decoder.decoder_layers", linear=linear),
        *map_affine("decoder.norm", "decoder.norm"),
        *map_affine("decoder.head", "decoder.head"),
    )
    return {
        "autoencoder": KeyTable("autoencoder", autoencoder, drops),
        **{name: with_head[name] for name in ("classifier", "first")},
        **{name: bare[name] for name in ("encoder", "latents")},
    }


def _find_table(weights: Weights) -> str | None:
    if has_part(weights, f"{PREFIX}encoder.layer"):
        if has_part(weights, "classifier"):
            return "classifier" if has_part(weights, "fc_norm") else "first"
        return "autoencoder"
    if has_part(weights, "encoder.layer"):
        return "latents" if has_part(weights, "layernorm") else "encoder"
    return None


def _is_linear(weights: Weights) -> bool:
    return any(name.endswith("attention.attention.key.bias") for name in weights) and not any(
        name.endswith("attention.attention.q_bias") for name in weights
    )


def recognise(weights: Weights, _json: FolderJson) -> str | None:
    """Return the table that fits the names of one of the three classes; None for another format."""
    return None if _is_linear(weights) else _find_table(weights)


def recognise_linear(weights: Weights, _json: FolderJson) -> str | None:
    """Return the same if the biases are those of linear layers, keys included."""
    return _find_table(weights) if _is_linear(weights) else None


def write(path: Path, weights: Weights, config: ModelConfig) -> None:
    """Write a folder for `from_pretrained`: the model configuration in the header, a model card."""
    folder_json = {CONFIG: make_config_json(config), PROCESSOR: make_processor_json(config)}
    write_folder(path, weights, config, folder_json, readme=make_readme(config))


HF = Format(
    title="Hugging Face folder",
    recognise=recognise,
    tables=_make_tables(linear=False),
    write=write,
    license="unknown; see the model card where the folder comes from"
    " (the VideoMAE authors' are CC-BY-NC-4.0)",
    warning=(
        "the folders published by the VideoMAE authors are licensed CC BY-NC 4.0: neither they nor"
        " models trained from them may be used commercially; the files do not state whether they"
        " are from there"
    ),
    is_folder=True,
    read_side_info=read_side_info,
)
HF_LINEAR = HF._replace(
    title="Hugging Face folder of transformers 5.5.1 to 5.17.0",
    recognise=recognise_linear,
    tables=_make_tables(linear=True),
)
