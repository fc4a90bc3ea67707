"""MMAction2: recognisers, and the backbones of its detectors.

V1's names with three exceptions, under `backbone.`, and the fixed position embedding stored as a
buffer. MMAction2 has no decoder.
"""

import math
from pathlib import Path

from videomae_cli.checkpoints.destination import write_torch
from videomae_cli.checkpoints.format import (
    FolderJson,
    Format,
    KeyTable,
    axis_length,
    find_encoder_table,
    make_encoder_tables,
    map_affine,
)
from videomae_cli.checkpoints.formats.position_tables import find_difference_from_sine
from videomae_cli.checkpoints.formats.videomae_v1 import DETECTOR_HEAD, FIXED_POSITIONS, map_blocks
from videomae_cli.checkpoints.hints import NO_SIDE_INFO, Hints, SideInfo
from videomae_cli.checkpoints.infer_config import FRAMES
from videomae_cli.checkpoints.keymap import Drop, Weights
from videomae_cli.checkpoints.native import MODEL_CONFIG_KEY
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError
from videomae_cli.position_table import sine_table

HEAD_NAMES = {"norm": "backbone.norm", "fc_norm": "backbone.fc_norm", "head": "cls_head.fc_cls"}
POSITIONS = "backbone.pos_embed"
_RENAMED = (("mlp.fc1", "mlp.layers.0.0"), ("mlp.fc2", "mlp.layers.1"))
_EMBED = "backbone.patch_embed.projection"
_RULES = (
    *map_affine("encoder.patch_embed.proj", _EMBED),
    *map_blocks("encoder.", "backbone.", _RENAMED),
)
_DROPS = (
    Drop(POSITIONS, FIXED_POSITIONS, find_difference_from_sine),
    Drop("data_preprocessor.*", "pixel statistics of older files; the published models' are known"),
    Drop("roi_head.*", DETECTOR_HEAD),
)


def recognise(weights: Weights, _json: FolderJson) -> str | None:
    """Return the table of MMAction2 that fits these names; None for another format."""
    if f"{_EMBED}.weight" not in weights:
        return None
    return find_encoder_table(weights, **HEAD_NAMES)


def read_side_info(_table: KeyTable, weights: Weights, _json: FolderJson) -> SideInfo:
    """Compute the size of a clip from the stored positions, for the published 16 frames."""
    dim, tubelet, patch = (axis_length(weights, f"{_EMBED}.weight", axis) for axis in (0, 2, 3))
    tokens, positions_dim = (axis_length(weights, POSITIONS, axis) for axis in (1, 2))
    if tokens and positions_dim != dim:
        raise CheckpointError(
            f"{POSITIONS} has embedding dimension {positions_dim}, the tokens have {dim}"
        )
    slices = FRAMES // tubelet if tubelet else 0
    side = math.isqrt(tokens // slices) if slices else 0
    if not tokens or slices * side**2 != tokens:
        return NO_SIDE_INFO
    size = side * patch
    note = f"size {size}: computed from {POSITIONS} for clips of {FRAMES} frames"
    return SideInfo(Hints(size=size), assumed=(note,))


def write(path: Path, weights: Weights, config: ModelConfig) -> None:
    """Write weights and the position embedding under `state_dict`, with the configuration."""
    positions = sine_table(config.grid.tokens, config.encoder.dim).unsqueeze(0)
    meta = {"dataset_meta": {"classes": list(config.classes)}} if config.classes else {}
    content = {"meta": meta, "state_dict": {POSITIONS: positions, **weights}}
    write_torch(path, {**content, MODEL_CONFIG_KEY: config.to_json()})


MMACTION2 = Format(
    title="MMAction2 .pth",
    recognise=recognise,
    tables=make_encoder_tables(_RULES, drops=_DROPS, **HEAD_NAMES),
    write=write,
    read_side_info=read_side_info,
    license="unknown; MMAction2's published VideoMAE weights derive from CC-BY-NC-4.0 ones",
    warning=(
        "MMAction2's published VideoMAE weights derive from weights licensed CC BY-NC 4.0, which"
        " may not be used commercially; the file does not state whether it is one of them"
    ),
)
