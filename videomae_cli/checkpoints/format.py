"""A checkpoint format: how it is recognised, its tables of tensor names, and how it is written."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from videomae_cli.checkpoints.hints import NO_SIDE_INFO, SideInfo
from videomae_cli.checkpoints.keymap import Drop, Kind, Rule, Weights, map_names
from videomae_cli.config.model_config import ModelConfig

FolderJson = Mapping[str, Any]
"""JSON files beside the weights, by file name without suffix; empty for a single file."""

PLAIN_VIT = {"encoder.positions": "sine", "encoder.class_token": False, "target_frames": "all"}


class KeyTable(NamedTuple):
    """The tensor names that a format uses for one kind of model."""

    kind: Kind
    rules: Sequence[Rule]
    drops: Sequence[Drop] = ()
    """Tensors of the format that a native model does not have."""
    implies: Mapping[str, object] = {}
    """Fields of the model configuration that follow from these names."""
    requires: Mapping[str, object] = PLAIN_VIT
    """Dotted fields of the model configuration that a model must have to be written like this."""


class Format(NamedTuple):
    """A checkpoint format; `title` is its name in messages."""

    title: str
    recognise: Callable[[Weights, FolderJson], str | None]
    """Returns the key in `tables` that fits these tensor names; None for another format."""
    tables: Mapping[str, KeyTable]
    write: Callable[[Path, Weights, ModelConfig], None] | None
    """Writes tensors under the format's names, with the configuration; None if read only."""
    license: str
    """Licence of the weights if the file does not state one."""
    warning: str = ""
    """Shown to every user of such a file."""
    assumed: tuple[str, ...] = ()
    """Assumptions that hold for every file of this format, one sentence each."""
    is_folder: bool = False
    """Whether `write` creates a folder."""
    read_side_info: Callable[[KeyTable, Weights, FolderJson], SideInfo] = (
        lambda _table, _weights, _json: NO_SIDE_INFO
    )
    """Reads facts that native names and shapes do not give; expects the format's names."""


def find_table(config: ModelConfig, target: Format) -> KeyTable | None:
    """Return the table that a model can be written with; None if the format has none."""
    if config.kind == "classifier" and (config.pooling == "attentive" or config.norm_of):
        return None  # a pooler, or two norms: no other format has them
    for table in target.tables.values():
        fields = {**table.implies, **table.requires}
        if table.kind == config.kind and all(
            attrgetter(field)(config) == value for field, value in fields.items()
        ):
            return table
    return None


def make_encoder_tables(
    rules: Sequence[Rule], *, norm: str, fc_norm: str, head: str, drops: Sequence[Drop] = ()
) -> dict[str, KeyTable]:
    """Return the tables for an encoder with a head, with only a norm, or with neither.

    `rules` are those of the embedding and the blocks. `norm` is the name of the norm over the
    tokens, without `.weight`; `fc_norm` that of the norm over their mean; `head` the linear head's.
    """
    pooled_norm, linear = map_affine("fc_norm", fc_norm), map_affine("head", head)
    token_norm = map_affine("encoder.norm", norm)
    # a norm over all tokens followed by taking the first: the same as the norm over the first
    first_norm = map_affine("fc_norm", norm)
    return {
        "classifier": KeyTable(
            "classifier", (*rules, *pooled_norm, *linear), drops, {"pooling": "mean"}
        ),
        "first": KeyTable(
            "classifier", (*rules, *first_norm, *linear), drops, {"pooling": "first"}
        ),
        "encoder": KeyTable("encoder", rules, drops, {"norm_of": None}),
        "latents": KeyTable("encoder", (*rules, *token_norm), drops, {"norm_of": "tokens"}),
        "features": KeyTable("encoder", (*rules, *pooled_norm), drops, {"norm_of": "mean"}),
    }


def find_encoder_table(weights: Weights, *, norm: str, fc_norm: str, head: str) -> str:
    """Return the key of `make_encoder_tables` that these names follow."""
    has_norm, has_fc_norm, has_head = (has_part(weights, part) for part in (norm, fc_norm, head))
    if has_head:
        return "first" if has_norm and not has_fc_norm else "classifier"
    if has_fc_norm:
        return "features"
    return "latents" if has_norm else "encoder"


def has_part(weights: Weights, part: str) -> bool:
    """Return whether there are tensors named `part.*`."""
    return any(name.startswith(f"{part}.") for name in weights)


def axis_length(weights: Weights, name: str, axis: int) -> int:
    """Return the length of one axis of a tensor; 0 if the tensor or the axis does not exist."""
    shape = weights[name].shape if name in weights else ()
    return shape[axis] if len(shape) > axis else 0


def map_affine(native: str, other: str) -> tuple[Rule, ...]:
    """Return the rules for the weight and the bias of one layer."""
    return map_names({f"{native}.{part}": f"{other}.{part}" for part in ("weight", "bias")})
