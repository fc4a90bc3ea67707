"""VideoMAE V1: the original training scripts' `.pth` files, pretrained and fine-tuned.

Native autoencoders carry the same names; native classifiers keep the encoder under `encoder.`.
Facts about names: the files' own keys. Refused, because they are other functions: learned positions
(`pos_embed`), first-token pooling (`norm.*` in a classifier), LayerScale (`gamma_1`).
"""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from videomae_cli.checkpoints.cards import CARD_KEY
from videomae_cli.checkpoints.files import write_torch
from videomae_cli.checkpoints.keymap import Format, Kind, rename

_EMBED = ("patch_embed.proj.weight", "patch_embed.proj.bias")
_BLOCK = (
    *(f"norm{n}.{part}" for n in (1, 2) for part in ("weight", "bias")),
    *("attn.q_bias", "attn.v_bias", "attn.qkv.weight", "attn.proj.weight", "attn.proj.bias"),
    *(f"mlp.fc{n}.{part}" for n in (1, 2) for part in ("weight", "bias")),
)
_STACK = tuple(f"blocks.{{i}}.{name}" for name in _BLOCK)
_ENCODER = _EMBED + _STACK
_NORM = ("norm.weight", "norm.bias")
_HEAD = ("head.weight", "head.bias")
_AUTOENCODER = (
    *(f"encoder.{name}" for name in _ENCODER + _NORM),
    *("encoder_to_decoder.weight", "mask_token"),
    *(f"decoder.{name}" for name in _STACK + _NORM + _HEAD),
)
_CLASSIFIER = {f"encoder.{name}": name for name in _ENCODER} | {
    name: name for name in ("fc_norm.weight", "fc_norm.bias", *_HEAD)
}


def recognise(names: Mapping[str, object]) -> Kind | None:
    """Tell which V1 model has tensors of these names; None for neither."""
    if "encoder.patch_embed.proj.weight" in names and any(n.startswith("decoder.") for n in names):
        return "autoencoder"
    if "patch_embed.proj.weight" in names and "blocks.0.attn.qkv.weight" in names:
        return "classifier"
    return None


def write(path: Path, weights: Mapping[str, Tensor], card: str) -> None:
    """Write weights under `model`, and our card beside them, where V1 does not look."""
    write_torch(path, {"model": dict(weights), CARD_KEY: card})


V1 = Format(
    title="VideoMAE V1 .pth",
    recognise=recognise,
    rules={
        "autoencoder": rename({name: name for name in _AUTOENCODER}),
        "classifier": rename(_CLASSIFIER),
    },
    drops={"autoencoder": (), "classifier": ()},
    write=write,
    license="unknown; the published VideoMAE V1 weights are CC-BY-NC-4.0 (non-commercial)",
    warning=(
        "the VideoMAE V1 weights published by its authors are CC BY-NC 4.0: not for commercial use,"
        " and neither is what is trained from them; this file does not say whether it is one"
    ),
)
