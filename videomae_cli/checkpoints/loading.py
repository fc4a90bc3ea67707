"""Load a checkpoint of any format as native weights, and save native weights in any format."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from videomae_cli.checkpoints.cards import card_line, parse_card
from videomae_cli.checkpoints.files import Weights, owned, read_contents
from videomae_cli.checkpoints.formats import FORMATS
from videomae_cli.checkpoints.infer import Hints, infer_card
from videomae_cli.checkpoints.keymap import Kind, named, translate
from videomae_cli.checkpoints.native import card_in, locate
from videomae_cli.checkpoints.report import LoadReport
from videomae_cli.checkpoints.wrappers import Unwrapped, unwrap
from videomae_cli.config.card import Card
from videomae_cli.errors import CheckpointError

NO_HINTS = Hints()


class Loaded(NamedTuple):
    """Native weights, what they are, and how they came to be."""

    weights: Weights
    card: Card
    report: LoadReport
    file: Path
    """The file the weights were read from."""
    format: str
    """`native`, or a key of `FORMATS`."""
    warning: str = ""
    """What a user of such a file must know; may be empty."""


def load(path: Path, hints: Hints = NO_HINTS) -> Loaded:
    """Read a checkpoint of any known format.

    Args:
        path: A file of weights, a native directory, or a finished run.
        hints: What the user knows and the file does not tell.

    Returns:
        float32 weights under native names. That they are all the model needs is for the caller to
        check against the model (`report.place`).

    Raises:
        CheckpointError: Missing, damaged, unsafe, unknown, or in need of a hint.
    """
    place = locate(path)
    contents = read_contents(place.file)
    card = place.card or card_in(contents.metadata, place.file)
    try:
        unwrapped = unwrap(contents.weights)
        if card is not None:
            weights = owned(place.file, unwrapped.weights)
            report = LoadReport(matched=tuple(sorted(weights)))
            return Loaded(weights, card, report, place.file, "native")
        return _foreign(place.file, unwrapped, hints)
    except CheckpointError as error:
        raise CheckpointError(f"{place.file}: {error.message}", error.hint) from error


def save(path: Path, weights: Mapping[str, Tensor], card: Card, format_name: str) -> None:
    """Write native weights in another format.

    Raises:
        CheckpointError: The format has no place for one of the tensors.
    """
    target = FORMATS[format_name]
    kind: Kind = card.kind
    translated = translate(weights, target.rules[kind], "from-native")
    tensors = {name: tensor.detach().cpu().clone() for name, tensor in translated.weights.items()}
    target.write(path, tensors, card_line(card))


def _foreign(file: Path, unwrapped: Unwrapped, hints: Hints) -> Loaded:
    name, kind = _recognise(unwrapped)
    source = FORMATS[name]
    weights, dropped = translate(
        owned(file, unwrapped.weights), source.rules[kind], "to-native", drops=source.drops[kind]
    )
    if unwrapped.card:  # videomae wrote this file
        card = parse_card(unwrapped.card, "its card")
        assumed: tuple[str, ...] = ()
        warning = ""
    else:
        card, assumed = infer_card(weights, kind, hints=hints, settings=unwrapped.settings)
        origin = f"{file.name} ({source.title}, sha256 {_digest(file)})"
        card = card.model_copy(update={"license": source.license, "derived_from": (origin,)})
        warning = source.warning
    beside = dict.fromkeys(unwrapped.beside, "not weights")
    report = LoadReport(
        matched=tuple(sorted(weights)),
        dropped=dropped | beside,
        assumed=assumed + _casts(unwrapped),
    )
    return Loaded(weights, card, report, file, name, warning)


def _recognise(unwrapped: Unwrapped) -> tuple[str, Kind]:
    for name, known in FORMATS.items():
        kind = known.recognise(unwrapped.weights)
        if kind is not None:
            return name, kind
    titles = ", ".join(known.title for known in FORMATS.values())
    raise CheckpointError(
        f"of no known format; its tensors are {named(unwrapped.weights)}",
        f"known are: native, {titles}",
    )


def _casts(unwrapped: Unwrapped) -> tuple[str, ...]:
    kinds = sorted({str(t.dtype).removeprefix("torch.") for t in unwrapped.weights.values()})
    casts = [kind for kind in kinds if kind != "float32"]
    return (f"stored as {', '.join(casts)}, read as float32",) if casts else ()


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(2**20):
            digest.update(piece)
    return digest.hexdigest()
