"""VideoMAE V2 on the Hugging Face hub: a folder for custom code, read without running the code.

V1's names under `model.`, and a `config.json` with the architecture under `model_config`. V2's
single `.pth` files have V1's names and no folder: `videomae_v1.py` reads them.
"""

from pathlib import Path
from typing import Any

from videomae_cli.checkpoints.format import (
    FolderJson,
    Format,
    KeyTable,
    find_encoder_table,
    make_encoder_tables,
)
from videomae_cli.checkpoints.formats.folders import CONFIG, read_positive_int, write_folder
from videomae_cli.checkpoints.formats.position_tables import find_difference_from_sine
from videomae_cli.checkpoints.formats.videomae_v1 import FIXED_POSITIONS, HEAD_NAMES, map_encoder
from videomae_cli.checkpoints.hints import Hints, SideInfo
from videomae_cli.checkpoints.keymap import Drop, Weights
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError

NESTED = "model_config"
PREFIX = "model."  # of the hub's class; names without it are read too


def _make_head_names(prefix: str) -> dict[str, str]:
    return {part: f"{prefix}{name}" for part, name in HEAD_NAMES.items()}


def _make_tables(prefix: str) -> dict[str, KeyTable]:
    drops = (Drop(f"{prefix}pos_embed", FIXED_POSITIONS, find_difference_from_sine),)
    return make_encoder_tables(map_encoder(prefix), drops=drops, **_make_head_names(prefix))


def recognise(weights: Weights, folder_json: FolderJson) -> str | None:
    """Return the table of V2 that fits a folder; None for another format."""
    if not isinstance(folder_json.get(CONFIG, {}).get(NESTED), dict):
        return None
    for prefix, kind in ((PREFIX, ""), ("", "plain ")):
        if f"{prefix}patch_embed.proj.weight" in weights:
            return kind + find_encoder_table(weights, **_make_head_names(prefix))
    return None


def read_side_info(_table: KeyTable, _weights: Weights, folder_json: FolderJson) -> SideInfo:
    """Read heads and clip geometry from `model_config`.

    Raises:
        CheckpointError: The model uses cosine attention, which is another function.
    """
    settings = folder_json[CONFIG][NESTED]
    if settings.get("cos_attn"):
        raise CheckpointError(f"{CONFIG}.json: cos_attn: cosine attention is not supported")
    hints = Hints(
        heads=read_positive_int(settings, "num_heads"),
        frames=read_positive_int(settings, "num_frames"),
        size=_read_size(settings),
    )
    return SideInfo(hints, assumed=("pixels normalised by ImageNet's mean and std",))


def _read_size(settings: dict[str, Any]) -> int | tuple[int, int] | None:
    value = settings.get("img_size")
    if isinstance(value, list) and len(value) == 2 and value[0] != value[1]:
        height, width = (read_positive_int({"img_size": side}, "img_size") for side in value)
        return (height, width) if height and width else None
    return read_positive_int(settings, "img_size")


def write(path: Path, weights: Weights, config: ModelConfig) -> None:
    """Write the folder, without the two Python files of the copies on the hub."""
    grid, encoder = config.grid, config.encoder
    settings: dict[str, Any] = {
        "img_size": grid.height if grid.height == grid.width else [grid.height, grid.width],
        "patch_size": grid.patch,
        "in_chans": grid.channels,
        "num_classes": len(config.classes or ()),
        "embed_dim": encoder.dim,
        "depth": encoder.depth,
        "num_heads": encoder.heads,
        "mlp_ratio": encoder.mlp_dim / encoder.dim,
        "qkv_bias": True,
        "layer_norm_eps": 1e-6,
        "tubelet_size": grid.tubelet,
        "use_mean_pooling": config.pooling == "mean",
        "num_frames": grid.frames,
        "cos_attn": False,
    }
    config_json = {"model_type": "VideoMAEv2", NESTED: settings}
    write_folder(path, weights, config, {CONFIG: config_json})


V2 = Format(
    title="VideoMAE V2 hub folder",
    recognise=recognise,
    tables=_make_tables(PREFIX)
    | {f"plain {name}": table for name, table in _make_tables("").items()},
    write=write,
    read_side_info=read_side_info,
    license="unknown; see the model card where the folder comes from",
    is_folder=True,
)
