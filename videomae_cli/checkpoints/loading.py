"""Load a checkpoint of any format as native weights, and save native weights in any format."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from videomae_cli.checkpoints.format import Table, table_for
from videomae_cli.checkpoints.formats import FORMATS
from videomae_cli.checkpoints.formats.folders import read_config
from videomae_cli.checkpoints.infer_config import Hints, Inferred, Told, infer_model_config
from videomae_cli.checkpoints.keymap import lacking, named, translate
from videomae_cli.checkpoints.known_defects import misnamed, traps_in
from videomae_cli.checkpoints.load_report import LoadReport, casts_in
from videomae_cli.checkpoints.native import CARRIED_CONFIG_KEY, parse_model_config
from videomae_cli.checkpoints.reading.files import Weights, read_contents, taken
from videomae_cli.checkpoints.reading.locate import locate, model_config_in
from videomae_cli.checkpoints.reading.unwrap import Unwrapped, shorten, unwrap
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError

# what files beside the weights say, and so win over the card that was written with them
SAID_BESIDE = ("encoder", "decoder", "grid", "classes", "mean", "std", "normalize", "pooling")
NO_HINTS = Hints()


class Loaded(NamedTuple):
    """Native weights, what they are, and how they came to be."""

    weights: Weights
    config: ModelConfig
    report: LoadReport
    file: Path
    """The file the weights were read from."""
    format: str
    """`native`, or a key of `FORMATS`."""
    warning: str = ""
    """What a user of such a file must know; may be empty."""
    origins: Mapping[str, str] = {}
    """Native name to the name in the file, where it is another format's."""


def load(path: Path, hints: Hints = NO_HINTS, *, ema: bool = False, numbers: bool = True) -> Loaded:
    """Read a checkpoint of any known format.

    Args:
        path: A file of weights, a native or foreign directory, or a finished run.
        hints: What the user knows and the file does not tell.
        ema: Take the moving average that a training script stored beside the weights.
        numbers: False leaves the numbers in the file as they are stored: enough to describe them.

    Returns:
        float32 weights under native names. That they are all the model needs is for the caller to
        check against the model (`report.place`).

    Raises:
        CheckpointError: Missing, damaged, unsafe, unknown, or in need of a hint.
    """
    place = locate(path)
    contents = read_contents(place.file, numbers=numbers)
    config_json = read_config(place.file.parent) if place.is_foreign else {}
    config = place.config or model_config_in(contents.metadata, place.file)
    try:
        unwrapped = unwrap(contents.weights, ema=ema)
        casts = casts_in(unwrapped.weights)
        weights = taken(unwrapped.weights, contents.size, numbers=numbers)
        if config is not None:
            report = LoadReport(matched=tuple(sorted(weights)))
            return Loaded(weights, config, report, place.file, "native", _aloud(config))
        carried = contents.metadata.get(CARRIED_CONFIG_KEY, unwrapped.config)
        held = unwrapped._replace(weights=weights, config=carried)
        digests = [_digest(file) for file in contents.files] if numbers else []
        return _foreign(contents.files, held, hints, config_json, casts, digests)
    except CheckpointError as error:
        raise CheckpointError(f"{place.file}: {error.message}", error.hint) from error


def save(path: Path, weights: Mapping[str, Tensor], config: ModelConfig, format_name: str) -> None:
    """Write native weights in another format.

    Raises:
        CheckpointError: The format has no place for the model, or for one of its tensors.
    """
    target = FORMATS[format_name]
    table = table_for(config, target)
    if table is None or target.write is None:
        raise CheckpointError(f"{target.title} has no place for {_model_words(config)}")
    translated = translate(weights, table.rules, "from-native")
    tensors = {name: tensor.detach().cpu().clone() for name, tensor in translated.weights.items()}
    target.write(path, tensors, config)


def _foreign(
    files: tuple[Path, ...],
    unwrapped: Unwrapped,
    hints: Hints,
    config_json: Mapping[str, Any],
    casts: tuple[str, ...],
    digests: Sequence[str],
) -> Loaded:
    name, table_name, held = _recognise(unwrapped, config_json)
    source = FORMATS[name]
    table = source.tables[table_name]
    told = source.tell(table, held, config_json)
    weights, dropped, origins = translate(held, table.rules, "to-native", drops=table.drops)
    is_beside = bool(config_json and told.config)
    config, assumed = _describe(unwrapped, weights, table, told, hints, is_beside=is_beside)
    _refuse_gaps(weights, table, config)
    warning = _aloud(config)
    traps = told.traps + traps_in(weights, config, name)
    if not unwrapped.config:
        sums = f", sha256 {', '.join(digests)}" if digests else ""
        origin = f"{_title(files, config_json)} ({source.title}{sums})"
        traps += misnamed(files[0].name, digests[0]) if digests else ()
        config = config.model_copy(update={"license": source.license, "derived_from": (origin,)})
        warning = source.warning
        assumed += source.unsaid
    beside = dict.fromkeys(unwrapped.beside, "not weights")
    report = LoadReport(
        matched=tuple(sorted(weights)),
        dropped=dropped | beside,
        assumed=assumed + casts,
        traps=traps,
    )
    return Loaded(weights, config, report, files[0], name, warning, origins)


def _refuse_gaps(weights: Weights, table: Table, config: ModelConfig) -> None:
    depths = {"encoder.": config.encoder.depth}
    if config.decoder is not None:
        depths["decoder."] = config.decoder.depth
    absent = lacking(weights, table.rules, depths)
    if absent:
        raise CheckpointError(f"missing: {named(absent)}", "the file is not whole")


def _describe(
    unwrapped: Unwrapped,
    weights: Weights,
    table: Table,
    told: Told,
    hints: Hints,
    *,
    is_beside: bool,
) -> Inferred:
    """Return the card that was written with the weights, or one made from all that is known.

    What lies beside the weights may be newer than the card in them, and wins.
    """
    carried = parse_model_config(unwrapped.config, "its card") if unwrapped.config else None
    if carried is not None and not is_beside:
        return Inferred(carried, ())
    config, assumed = infer_model_config(
        weights, table.kind, hints=hints, told=told, settings=unwrapped.settings
    )
    config = config.model_copy(update=dict(table.facts))
    if carried is None:
        return Inferred(config, assumed)
    return Inferred(carried.model_copy(update={f: getattr(config, f) for f in SAID_BESIDE}), ())


def _recognise(
    unwrapped: Unwrapped, config_json: Mapping[str, Any]
) -> tuple[str, str, Mapping[str, Tensor]]:
    """Return the format, its table, and the tensors under the names that it knows."""
    weights: Mapping[str, Tensor] | None = unwrapped.weights
    while weights is not None:
        for name, known in FORMATS.items():
            table = known.recognise(weights, config_json)
            if table is not None:
                return name, table, weights
        weights = shorten(weights)
    titles = ", ".join(known.title for known in FORMATS.values())
    raise CheckpointError(
        f"of no known format; its tensors are {named(unwrapped.weights)}",
        f"known are: native, {titles}",
    )


def _aloud(config: ModelConfig) -> str:
    """Say the licence of weights that are not for every use."""
    text = config.license or ""
    return f"licence of these weights: {text}" if "-NC-" in text else ""


def _title(files: tuple[Path, ...], config_json: Mapping[str, Any]) -> str:
    first = files[0]
    if not config_json:
        return first.name
    return f"{first.absolute().parent.name}/{first.name if len(files) == 1 else 'shards'}"


def _model_words(config: ModelConfig) -> str:
    words = {
        "autoencoder": "an autoencoder",
        "classifier": f"a classifier (pooling: {config.pooling})",
        "encoder": f"an encoder alone (norm: {config.norm_of or 'none'})",
    }
    positions, token = config.encoder.positions, ", class token" * config.encoder.class_token
    return f"{words[config.kind]}, {positions} positions{token}"


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(2**20):
            digest.update(piece)
    return digest.hexdigest()
