"""What a checkpoint format is: how to know it, its tables, and how it is written."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from videomae_cli.checkpoints.infer_config import NOTHING, Told
from videomae_cli.checkpoints.keymap import Drop, Kind, Rule, rename
from videomae_cli.config.model_config import ModelConfig

Config = Mapping[str, Any]
"""The JSON beside the weights in a folder, by file name without suffix; empty for a file alone."""
Weights = Mapping[str, Tensor]


PLAIN = {"encoder.positions": "sine", "encoder.class_token": False, "target_frames": "all"}


class Table(NamedTuple):
    """One way in which a format names the tensors of one kind of model."""

    kind: Kind
    rules: Sequence[Rule]
    drops: Sequence[Drop] = ()
    """What it carries beyond a native model."""
    facts: Mapping[str, object] = {}
    """Card fields that follow from such names."""
    needs: Mapping[str, object] = PLAIN
    """What a model must have to be written so; dotted fields of the card."""


def _told_nothing(_table: Table, _weights: Weights, _config: Config) -> Told:
    return NOTHING


class Format(NamedTuple):
    """A checkpoint format."""

    title: str
    """Its name in messages."""
    recognise: Callable[[Weights, Config], str | None]
    """Which of the tables these tensors follow; None if they are not in this format."""
    tables: Mapping[str, Table]
    write: Callable[[Path, Weights, ModelConfig], None] | None
    """Writes tensors under the format's names, and the card; None if it is only read."""
    license: str
    """Licence of its files where they do not say."""
    warning: str = ""
    """What a user of such files must know."""
    unsaid: tuple[str, ...] = ()
    """What no file of this format can tell."""
    is_folder: bool = False
    """Whether `write` makes a folder."""
    tell: Callable[[Table, Weights, Config], Told] = _told_nothing
    """Reads what lies beside the weights; takes their names in the format."""


def table_for(config: ModelConfig, known: Format) -> Table | None:
    """Return the table that holds such a model, if the format has one."""
    for table in known.tables.values():
        wanted = {**table.facts, **table.needs}
        if table.kind == config.kind and all(
            attrgetter(field)(config) == value for field, value in wanted.items()
        ):
            return table
    return None


def encoder_tables(
    rules: Sequence[Rule], *, norm: str, fc_norm: str, head: str, drops: Sequence[Drop] = ()
) -> dict[str, Table]:
    """Return the tables of what can stand on an encoder: a head, a norm, or nothing.

    Args:
        rules: Of the encoder's embedding and blocks.
        norm: Stem of the norm over tokens.
        fc_norm: Stem of the norm over their mean.
        head: Stem of the linear head.
        drops: What every table drops.
    """
    after, heads = affine("fc_norm", fc_norm), affine("head", head)
    first = affine("fc_norm", norm)  # over all tokens, then the first: the same as the reverse
    alone = affine("encoder.norm", norm)
    return {
        "classifier": Table("classifier", (*rules, *after, *heads), drops, {"pooling": "mean"}),
        "first": Table("classifier", (*rules, *first, *heads), drops, {"pooling": "first"}),
        "encoder": Table("encoder", rules, drops, {"norm_of": None}),
        "latents": Table("encoder", (*rules, *alone), drops, {"norm_of": "tokens"}),
        "features": Table("encoder", (*rules, *after), drops, {"norm_of": "mean"}),
    }


def tail(names: Weights, *, norm: str, fc_norm: str, head: str) -> str:
    """Tell which of `encoder_tables` these names follow."""
    has_norm, has_fc_norm, has_head = (holds(names, stem) for stem in (norm, fc_norm, head))
    if has_head:
        return "first" if has_norm and not has_fc_norm else "classifier"
    if has_fc_norm:
        return "features"
    return "latents" if has_norm else "encoder"


def holds(weights: Weights, stem: str) -> bool:
    """Tell whether there are tensors below a name."""
    return any(name.startswith(f"{stem}.") for name in weights)


def axis(weights: Weights, name: str, number: int) -> int:
    """Return the length of one axis of a tensor; 0 if it has none, or is not there."""
    shape = weights[name].shape if name in weights else ()
    return shape[number] if len(shape) > number else 0


def affine(native: str, other: str) -> tuple[Rule, ...]:
    """Return the rules of a weight and a bias."""
    return rename({f"{native}.{part}": f"{other}.{part}" for part in ("weight", "bias")})
