"""VideoMAE V2 on the Hugging Face hub: a folder for custom code, read without running any of it.

V1's names behind `model.`, and a `config.json` with the architecture under `model_config`. V2's
plain `.pth` files have V1's names and no folder: `original.py` reads them.
"""

from pathlib import Path
from typing import Any

from videomae_cli.checkpoints.format import Config, Format, Table, Weights, encoder_tables, tail
from videomae_cli.checkpoints.formats.folders import CONFIG, number, write_folder
from videomae_cli.checkpoints.formats.original import SINE, TAIL, encoder_rules
from videomae_cli.checkpoints.formats.position_tables import not_sine
from videomae_cli.checkpoints.infer_config import Hints, Told
from videomae_cli.checkpoints.keymap import Drop
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError

NESTED = "model_config"
PREFIX = "model."  # of the hub's class; plain names are read too


def _tables(prefix: str) -> dict[str, Table]:
    drops = (Drop(f"{prefix}pos_embed", SINE, not_sine),)
    tail_names = {part: f"{prefix}{part}" for part in TAIL}
    return encoder_tables(encoder_rules(prefix), drops=drops, **tail_names)


def recognise(weights: Weights, config_json: Config) -> str | None:
    """Tell which of V2's models a folder holds; None for none."""
    if not isinstance(config_json.get(CONFIG, {}).get(NESTED), dict):
        return None
    for prefix, mark in ((PREFIX, ""), ("", "plain ")):
        if f"{prefix}patch_embed.proj.weight" in weights:
            return mark + tail(weights, **{part: f"{prefix}{part}" for part in TAIL})
    return None


def tell(_table: Table, _weights: Weights, config_json: Config) -> Told:
    """Read heads and clip geometry from `model_config`.

    Raises:
        CheckpointError: Attention is by cosine, which is another function.
    """
    said = config_json[CONFIG][NESTED]
    if said.get("cos_attn"):
        raise CheckpointError(f"{CONFIG}.json: cos_attn: cosine attention is another model")
    numbers = Hints(
        heads=number(said, "num_heads"),
        frames=number(said, "num_frames"),
        size=number(said, "img_size"),
    )
    return Told(numbers, assumed=("pixels normalised by ImageNet's statistics",))


def write(path: Path, weights: Weights, config: ModelConfig) -> None:
    """Write the folder without the two Python files that the hub's copies bring."""
    grid, stack = config.grid, config.encoder
    said: dict[str, Any] = {
        "img_size": grid.height,
        "patch_size": grid.patch,
        "in_chans": grid.channels,
        "num_classes": len(config.classes or ()),
        "embed_dim": stack.dim,
        "depth": stack.depth,
        "num_heads": stack.heads,
        "mlp_ratio": stack.mlp_dim / stack.dim,
        "qkv_bias": True,
        "layer_norm_eps": 1e-6,
        "tubelet_size": grid.tubelet,
        "use_mean_pooling": config.pooling == "mean",
        "num_frames": grid.frames,
        "cos_attn": False,
    }
    config_json = {"model_type": "VideoMAEv2", NESTED: said}
    write_folder(path, weights, config, {CONFIG: config_json})


V2 = Format(
    title="VideoMAE V2 hub folder",
    recognise=recognise,
    tables=_tables(PREFIX) | {f"plain {name}": table for name, table in _tables("").items()},
    write=write,
    tell=tell,
    license="unknown; see the model card where the folder comes from",
    is_folder=True,
)
