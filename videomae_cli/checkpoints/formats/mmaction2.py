"""MMAction2: recognisers, and the backbones of its detectors.

V1's names but for three, behind `backbone.`, and the fixed position table stored as a buffer. There
is no decoder in MMAction2.
"""

import math
from pathlib import Path

from videomae_cli.checkpoints.destination import write_torch
from videomae_cli.checkpoints.format import (
    Config,
    Format,
    Table,
    Weights,
    affine,
    axis,
    encoder_tables,
    tail,
)
from videomae_cli.checkpoints.formats.original import DETECTOR_HEAD, SINE, stack_rules
from videomae_cli.checkpoints.formats.position_tables import not_sine, sine_table
from videomae_cli.checkpoints.infer_config import FRAMES, NOTHING, Hints, Told
from videomae_cli.checkpoints.keymap import Drop
from videomae_cli.checkpoints.native import MODEL_CONFIG_KEY
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError

TAIL = {"norm": "backbone.norm", "fc_norm": "backbone.fc_norm", "head": "cls_head.fc_cls"}
POSITIONS = "backbone.pos_embed"
_RENAMED = (("mlp.fc1", "mlp.layers.0.0"), ("mlp.fc2", "mlp.layers.1"))
_EMBED = "backbone.patch_embed.projection"
_RULES = (
    *affine("encoder.patch_embed.proj", _EMBED),
    *stack_rules("encoder.", "backbone.", _RENAMED),
)
_DROPS = (
    Drop(POSITIONS, SINE, not_sine),
    Drop("data_preprocessor.*", "pixel statistics of older files; the published models' are known"),
    Drop("roi_head.*", DETECTOR_HEAD),
)


def recognise(weights: Weights, _config: Config) -> str | None:
    """Tell which MMAction2 model has tensors of these names; None for none."""
    if "backbone.patch_embed.projection.weight" not in weights:
        return None
    return tail(weights, **TAIL)


def tell(_table: Table, weights: Weights, _config: Config) -> Told:
    """Read the size of a clip off the stored position table, for the published 16 frames.

    Raises:
        CheckpointError: The table and the embedding differ in width.
    """
    width, tubelet, patch = (axis(weights, f"{_EMBED}.weight", n) for n in (0, 2, 3))
    tokens = axis(weights, POSITIONS, 1)
    if tokens and axis(weights, POSITIONS, 2) != width:
        raise CheckpointError(f"{POSITIONS} is {axis(weights, POSITIONS, 2)} wide, tokens {width}")
    slices = FRAMES // tubelet if tubelet else 0
    side = math.isqrt(tokens // slices) if slices else 0
    if not tokens or slices * side**2 != tokens:
        return NOTHING
    size = side * patch
    note = f"size {size}: from {POSITIONS}, if clips have {FRAMES} frames"
    return Told(Hints(size=size), assumed=(note,))


def write(path: Path, weights: Weights, config: ModelConfig) -> None:
    """Write weights under `state_dict` with the position table, and our card beside them."""
    table = sine_table(config.grid.tokens, config.encoder.dim)
    meta = {"dataset_meta": {"classes": list(config.classes)}} if config.classes else {}
    held = {"meta": meta, "state_dict": {POSITIONS: table, **weights}}
    write_torch(path, {**held, MODEL_CONFIG_KEY: config.model_dump_json()})


MMACTION2 = Format(
    title="MMAction2 .pth",
    recognise=recognise,
    tables=encoder_tables(_RULES, drops=_DROPS, **TAIL),
    write=write,
    tell=tell,
    license="unknown; MMAction2's published VideoMAE weights derive from CC-BY-NC-4.0 ones",
    warning=(
        "MMAction2's published VideoMAE weights derive from the authors' CC BY-NC 4.0 ones:"
        " not for commercial use; this file does not say whether it is one of them"
    ),
)
