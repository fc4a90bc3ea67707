"""Hugging Face transformers: the tensor names of its three VideoMAE classes.

Queries, keys and values are apart there and joined here. Of the three spellings of their biases
the first, `q_bias` and `v_bias`, is written (`hf`), or the one of transformers 5.5.1 to 5.17.0
(`hf-linear`), which cannot read the other; all are read. The JSON beside them: `hf_config.py`.
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from videomae_cli.checkpoints.format import (
    Config,
    Format,
    Table,
    Weights,
    affine,
    encoder_tables,
    holds,
)
from videomae_cli.checkpoints.formats.folders import CONFIG, PROCESSOR, write_folder
from videomae_cli.checkpoints.formats.hugging_face_json import PREFIX, config_of, processor_of, tell
from videomae_cli.checkpoints.formats.image import KEY_BIAS
from videomae_cli.checkpoints.keymap import Drop, Operation, Rule, Tensors, rename
from videomae_cli.config.model_config import ModelConfig

SPLIT = Operation(
    to_native=lambda parts: (torch.cat(parts),), from_native=lambda whole: whole[0].chunk(3)
)
_AFFINE = (
    ("attn.proj", "attention.output.dense"),
    ("norm1", "layernorm_before"),
    ("norm2", "layernorm_after"),
    ("mlp.fc1", "intermediate.dense"),
    ("mlp.fc2", "output.dense"),
)


def _without_key(tensors: Tensors) -> Tensors:
    query, _, value = tensors
    return query, value


def _with_zero_key(tensors: Tensors) -> Tensors:
    query, value = tensors
    return query, torch.zeros_like(query), value


def _layers(native: str, other: str, *, linear: bool) -> list[Rule]:
    """Return the rules of a stack of blocks, with biases as `hf` or as `hf-linear` has them."""
    at, here = f"{native}blocks.{{i}}.", f"{other}.{{i}}."
    attend = f"{here}attention.attention."
    weights = tuple(f"{attend}{part}.weight" for part in ("query", "key", "value"))
    rules = [Rule((f"{at}attn.qkv.weight",), weights, SPLIT)]
    if linear:
        rules.append(
            Rule(
                (f"{at}attn.q_bias", f"{at}attn.v_bias"),
                tuple(f"{attend}{part}.bias" for part in ("query", "key", "value")),
                Operation(_without_key, _with_zero_key),
                left=((f"{attend}key.bias", KEY_BIAS),),
            )
        )
    else:
        for short, long in (("q", "query"), ("v", "value")):
            rules += rename({f"{at}attn.{short}_bias": f"{attend}{short}_bias"})
            rules += rename({f"{at}attn.{short}_bias": f"{attend}{long}.bias"})
    for ours, theirs in _AFFINE:
        rules += affine(f"{at}{ours}", f"{here}{theirs}")
    return rules


def _encoder(prefix: str, *, linear: bool) -> Sequence[Rule]:
    embed = f"{prefix}embeddings.patch_embeddings.projection"
    layers = _layers("encoder.", f"{prefix}encoder.layer", linear=linear)
    return (*affine("encoder.patch_embed.proj", embed), *layers)


def _tables(*, linear: bool) -> dict[str, Table]:
    drops = [
        Drop(f"{stem}.{{i}}.attention.attention.key.bias", KEY_BIAS)
        for stem in ("videomae.encoder.layer", "encoder.layer", "decoder.decoder_layers")
    ]
    under = _encoder(PREFIX, linear=linear)
    headed = encoder_tables(
        under, norm=f"{PREFIX}layernorm", fc_norm="fc_norm", head="classifier", drops=drops
    )
    bare = encoder_tables(
        _encoder("", linear=linear), norm="layernorm", fc_norm="", head="", drops=drops
    )
    autoencoder = (
        *under,
        *affine("encoder.norm", f"{PREFIX}layernorm"),
        *rename({name: name for name in ("encoder_to_decoder.weight", "mask_token")}),
        *_layers("decoder.", "decoder.decoder_layers", linear=linear),
        *affine("decoder.norm", "decoder.norm"),
        *affine("decoder.head", "decoder.head"),
    )
    return {
        "autoencoder": Table("autoencoder", autoencoder, drops),
        **{name: headed[name] for name in ("classifier", "first")},
        **{name: bare[name] for name in ("encoder", "latents")},
    }


def _model_of(weights: Weights) -> str | None:
    if holds(weights, f"{PREFIX}encoder.layer"):
        if holds(weights, "classifier"):
            return "classifier" if holds(weights, "fc_norm") else "first"
        return "autoencoder"
    if holds(weights, "encoder.layer"):
        return "latents" if holds(weights, "layernorm") else "encoder"
    return None


def _is_linear(weights: Weights) -> bool:
    return any(name.endswith("attention.attention.key.bias") for name in weights) and not any(
        name.endswith("attention.attention.q_bias") for name in weights
    )


def recognise(weights: Weights, _config: Config) -> str | None:
    """Tell which of the three classes has tensors of these names; None for none."""
    return None if _is_linear(weights) else _model_of(weights)


def recognise_linear(weights: Weights, _config: Config) -> str | None:
    """Tell the same, where biases are those of linear layers, keys included."""
    return _model_of(weights) if _is_linear(weights) else None


def write(path: Path, weights: Weights, config: ModelConfig) -> None:
    """Write a folder that `from_pretrained` takes, our card in the header of its weights."""
    beside = {CONFIG: config_of(config), PROCESSOR: processor_of(config)}
    write_folder(path, weights, config, beside)


HF = Format(
    title="Hugging Face folder",
    recognise=recognise,
    tables=_tables(linear=False),
    write=write,
    license="unknown; see the model card where the folder comes from"
    " (the VideoMAE authors' are CC-BY-NC-4.0)",
    warning=(
        "the VideoMAE authors' folders are CC BY-NC 4.0: not for commercial use, and neither is"
        " what is trained from them; the files do not say whether these are theirs"
    ),
    is_folder=True,
    tell=tell,
)
HF_LINEAR = HF._replace(
    title="Hugging Face folder of transformers 5.5.1 to 5.17.0",
    recognise=recognise_linear,
    tables=_tables(linear=True),
)
