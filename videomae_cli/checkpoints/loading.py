"""Load a checkpoint of any format as native weights, and save native weights in any format."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from videomae_cli.checkpoints.finite import describe_nonfinite
from videomae_cli.checkpoints.format import FolderJson, KeyTable, find_table
from videomae_cli.checkpoints.formats import FORMATS
from videomae_cli.checkpoints.formats.folders import read_folder_json
from videomae_cli.checkpoints.hints import NO_HINTS, Hints, SideInfo
from videomae_cli.checkpoints.infer_config import InferredConfig, infer_model_config
from videomae_cli.checkpoints.keymap import Weights, find_missing, list_names, translate
from videomae_cli.checkpoints.known_defects import find_defects, find_digest_mismatch
from videomae_cli.checkpoints.load_report import LoadReport, describe_casts
from videomae_cli.checkpoints.native import FOREIGN_CONFIG_KEY, parse_model_config
from videomae_cli.checkpoints.reading.files import Contents, copy_weights, read_contents
from videomae_cli.checkpoints.reading.locate import locate_weights, read_header_config
from videomae_cli.checkpoints.reading.unwrap import (
    SavedWeights,
    split_model,
    split_training_tensors,
    strip_common_prefix,
    unwrap,
)
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError

# fields that the JSON files of a folder state; they take precedence over the configuration in the
# header of its weights, because a user may have edited them
FOLDER_FIELDS = (
    *("encoder", "decoder", "grid", "classes", "task", "mean", "std", "normalize", "pooling"),
)


class Checkpoint(NamedTuple):
    """Native weights with the configuration of their model and a report of how they were read."""

    weights: dict[str, Tensor]
    config: ModelConfig
    report: LoadReport
    file: Path
    format: str
    """`native`, or a key of `FORMATS`."""
    warning: str = ""
    """Shown to every user of such a file; may be empty."""
    origins: Mapping[str, str] = {}
    """Native name to the name in the file, if the file has another format."""


def load_any_format(
    path: Path,
    hints: Hints = NO_HINTS,
    *,
    ema: bool = False,
    read_values: bool = True,
    contents: Contents | None = None,
) -> Checkpoint:
    """Read a checkpoint of any known format, as float32 weights under native names.

    The caller checks that the model needs exactly these (`load_report.match_tensors`).

    Args:
        path: A file of weights, a directory of any format, or a finished run.
        hints: Facts that the user knows and the file does not state.
        ema: Read the moving average that a training script stored beside the weights.
        read_values: False leaves the values in the file, in their stored type, to describe them.
        contents: Those of the file, if they have been read already.

    Raises:
        CheckpointError: Missing, damaged, unsafe, of an unknown format, or a hint is needed.
    """
    location = locate_weights(path)
    contents = contents or read_contents(location.file, read_values=read_values)
    folder_json = read_folder_json(location.file.parent) if location.is_foreign else {}
    config = location.config or read_header_config(contents.metadata, location.file)
    try:
        saved = unwrap(contents.saved, ema=ema)
        casts = describe_casts(saved.weights)
        weights = copy_weights(saved.weights, contents.size, read_values=read_values)
        if config is not None:
            return _note_nonfinite(_describe_native(weights, config, location.file))
        config_json = contents.metadata.get(FOREIGN_CONFIG_KEY, saved.config_json)
        saved = saved._replace(weights=weights, config_json=config_json)
        digests = [_compute_digest(file) for file in contents.files] if read_values else []
        loaded = _load_foreign(contents.files, saved, hints, folder_json, casts, digests)
        return _note_nonfinite(loaded)
    except CheckpointError as error:
        raise CheckpointError(f"{location.file}: {error.message}", error.hint) from error


def save_as_format(path: Path, weights: Weights, config: ModelConfig, format_name: str) -> None:
    """Write native weights in another format.

    Raises:
        CheckpointError: The format does not support the model, or one of its tensors.
    """
    target = FORMATS[format_name]
    table = find_table(config, target)
    if table is None or target.write is None:
        is_probe = config.kind == "classifier" and config.norm_of is not None
        raise CheckpointError(
            f"{target.title} does not support {_describe_model(config)}",
            "convert it to native or export it; fine-tuned with `frozen: false` and"
            " `head: linear` it would fit"
            if is_probe
            else "",
        )
    translated = translate(weights, table.rules, "from-native")
    tensors = {name: tensor.detach().cpu().clone() for name, tensor in translated.weights.items()}
    target.write(path, tensors, config)


def _note_nonfinite(loaded: Checkpoint) -> Checkpoint:
    """Add values that are not finite to the defects in the report."""
    sentence = describe_nonfinite(loaded.weights, loaded.origins)
    if not sentence:
        return loaded
    defects = (*loaded.report.defects, sentence)
    return loaded._replace(report=loaded.report._replace(defects=defects))


def _describe_native(weights: dict[str, Tensor], config: ModelConfig, file: Path) -> Checkpoint:
    report = LoadReport(matched=tuple(sorted(weights)))
    return Checkpoint(weights, config, report, file, "native", _describe_license(config))


def _load_foreign(
    files: tuple[Path, ...],
    saved: SavedWeights,
    hints: Hints,
    folder_json: FolderJson,
    casts: tuple[str, ...],
    digests: Sequence[str],
) -> Checkpoint:
    """Translate the weights of another format and describe them."""
    model, extra = split_training_tensors(saved.weights)
    name, table_name, foreign, outside = _recognise_format(model or saved.weights, folder_json)
    source = FORMATS[name]
    table = source.tables[table_name]
    side_info = source.read_side_info(table, foreign, folder_json)
    weights, dropped, origins = translate(foreign, table.rules, "to-native", drops=table.drops)
    is_edited = bool(folder_json and side_info.fields)
    config, assumed = _choose_config(saved, weights, table, side_info, hints, is_edited=is_edited)
    depths = {"encoder.": config.encoder.depth}
    if config.decoder is not None:
        depths["decoder."] = config.decoder.depth
    if missing := find_missing(weights, table.rules, depths):
        raise CheckpointError(f"missing: {list_names(missing)}", "the file is incomplete")
    warning = _describe_license(config)
    defects = side_info.defects + find_defects(weights, config, name)
    if not saved.config_json:
        sums = f", sha256 {', '.join(digests)}" if digests else ""
        origin = f"{_describe_files(files, folder_json)} ({source.title}{sums})"
        defects += find_digest_mismatch(files[0].name, digests[0]) if digests else ()
        config = config.model_copy(update={"license": source.license, "derived_from": (origin,)})
        warning = source.warning
        assumed += source.assumed
    if outside:
        assumed += (f"the model is one part of the file; not used: {list_names(outside)}",)
    report = LoadReport(
        matched=tuple(sorted(weights)),
        dropped=dropped | extra | outside | dict.fromkeys(saved.other_keys, "not weights"),
        assumed=assumed + casts,
        defects=defects,
    )
    return Checkpoint(weights, config, report, files[0], name, warning, origins)


def _recognise_format(
    weights: Weights, folder_json: FolderJson
) -> tuple[str, str, Weights, dict[str, str]]:
    """Strip prefixes until one of the tables of a format fits the rest.

    First those that all names share; then that of the model among other parts of a program, whose
    tensors are the last value, with the reason why they are not used.
    """
    candidate: Weights | None = weights
    outside: dict[str, str] = {}
    while candidate is not None:
        for name, known in FORMATS.items():
            table = known.recognise(candidate, folder_json)
            if table is not None:
                return name, table, candidate, outside
        shorter = strip_common_prefix(candidate)
        if shorter is None and not outside and (split := split_model(candidate)) is not None:
            shorter, outside = split
        candidate = shorter
    titles = ", ".join(known.title for known in FORMATS.values())
    raise CheckpointError(
        f"unknown format; the tensors are {list_names(weights)}",
        f"known formats: native, {titles}",
    )


def _choose_config(
    saved: SavedWeights,
    weights: Weights,
    table: KeyTable,
    side_info: SideInfo,
    hints: Hints,
    *,
    is_edited: bool,
) -> InferredConfig:
    """Return the stored configuration, updated from JSON files (`is_edited`), else infer one."""
    text = saved.config_json
    stored = parse_model_config(text, "the stored model configuration") if text else None
    if stored is not None and not is_edited:
        return InferredConfig(stored, ())
    config, assumed = infer_model_config(
        weights, table.kind, hints=hints, side_info=side_info, training_args=saved.training_args
    )
    config = config.model_copy(update=dict(table.implies))
    if stored is None:
        return InferredConfig(config, assumed)
    update = {field: getattr(config, field) for field in FOLDER_FIELDS}
    return InferredConfig(stored.model_copy(update=update), ())


def _describe_license(config: ModelConfig) -> str:
    """Return a warning if the licence of the weights forbids commercial use."""
    text = config.license or ""
    return f"licence of these weights: {text}" if "-NC-" in text else ""


def _describe_files(files: tuple[Path, ...], folder_json: FolderJson) -> str:
    name = files[0].name if len(files) == 1 or not folder_json else "shards"
    return f"{files[0].absolute().parent.name}/{name}" if folder_json else name


def _describe_model(config: ModelConfig) -> str:
    words = {
        "autoencoder": "an autoencoder",
        "classifier": f"a classifier (pooling: {config.describe_pooling()})",
        "encoder": f"a bare encoder (norm: {config.norm_of or 'none'})",
    }
    positions, token = config.encoder.positions, ", class token" * config.encoder.class_token
    return f"{words[config.kind]} with {positions} positions{token}"


def _compute_digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()
