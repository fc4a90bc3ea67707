"""Print a checkpoint: its model, and what happened to each of its tensors."""

import re
from collections.abc import Iterable, Mapping, Sequence

from videomae_cli.checkpoints.formats import FORMATS
from videomae_cli.checkpoints.keymap import Weights
from videomae_cli.checkpoints.loading import Checkpoint
from videomae_cli.config.model import Task
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.report import Report

TENSOR_COLUMNS = ("name", "shape", "tensors")


def print_checkpoint(loaded: Checkpoint, report: Report) -> None:
    """Print the model of a checkpoint, and what happened to each tensor."""
    config = loaded.config
    model = describe_model(config, loaded.weights)
    report.say(f"{loaded.file}: {get_title(loaded.format)}, {model}")
    report.table("tensors by native name", TENSOR_COLUMNS, summarise_tensors(loaded.weights))
    if loaded.report.initialised:
        report.say(f"initialised: {', '.join(loaded.report.initialised)}")
    for reason, names in _group_by_reason(loaded.report.dropped):
        report.say(f"dropped ({reason}): {', '.join(names)}")
    print_assumptions(loaded, report)
    report.say(loaded.report.summary())
    if config.derived_from:
        report.say(f"derived from: {'; '.join(config.derived_from)}")
    report.say(f"licence: {config.license or 'not stated'}")
    print_warnings(loaded, report)


def print_assumptions(loaded: Checkpoint, report: Report) -> None:
    """Print one line for each fact that the file does not state and that was assumed."""
    for sentence in loaded.report.assumed:
        report.say(f"assumed: {sentence}")


def print_warnings(loaded: Checkpoint, report: Report) -> None:
    """Print the known defects that a checkpoint shows, and the warning about its licence."""
    for sentence in filter(None, (*loaded.report.defects, loaded.warning)):
        report.warn(sentence)


def summarise_tensors(weights: Weights) -> list[tuple[str, str, str]]:
    """Return name, shape and number of tensors; one row for the same tensor of all blocks."""
    groups: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for name, tensor in weights.items():
        match = re.search(r"blocks\.(\d+)\.", name)
        pattern = re.sub(r"blocks\.\d+\.", "blocks.{i}.", name)
        key = (pattern, tuple(tensor.shape))
        groups.setdefault(key, []).append(int(match[1]) if match else -1)
    return [
        (_insert_blocks(pattern, blocks), "x".join(map(str, shape)) or "1", str(len(blocks)))
        for (pattern, shape), blocks in sorted(groups.items())
    ]


def get_title(format_name: str) -> str:
    """Return the name of a format for messages."""
    return FORMATS[format_name].title if format_name in FORMATS else "videomae native"


def count_values(weights: Weights) -> int:
    """Return the total number of values in all tensors."""
    return sum(tensor.numel() for tensor in weights.values())


def describe_model(config: ModelConfig, weights: Weights) -> str:
    """Return the model in a line: size, encoder, decoder or outputs, clips and tubelets."""
    grid = config.grid
    parts = [
        f"{config.kind} with {count_values(weights):,} values",
        f"encoder: {_describe_transformer(config.encoder)}",
    ]
    if config.decoder is not None:
        parts.append(f"decoder: {_describe_transformer(config.decoder)}")
    if config.classes is not None:
        parts.append(_describe_outputs(config.task, len(config.classes)))
        if config.pooling != "mean":
            parts.append(f"pooling: {config.describe_pooling()}")
    channels = "" if grid.channels == 3 else f", channels: {grid.channels}"
    parts.append(f"clips of {grid.frames} frames, {grid.height}x{grid.width} pixels{channels}")
    parts.append(f"tubelets of {grid.tubelet}x{grid.patch}x{grid.patch}")
    return "; ".join(parts)


def _describe_outputs(task: Task, outputs: int) -> str:
    """Return `400 classes`, `3 classes (multi-label)` or `values (regression): 1`."""
    if task == "regression":
        return f"values (regression): {outputs}"
    return f"{outputs} classes" + (" (multi-label)" if task == "multi-label" else "")


def _describe_transformer(transformer: TransformerConfig) -> str:
    return f"dimension {transformer.dim}, {transformer.depth} blocks, {transformer.heads} heads"


def _insert_blocks(pattern: str, blocks: Sequence[int]) -> str:
    """Return a name with its block numbers in place of `{i}`: `blocks.0-11.norm1.bias`."""
    if "{i}" not in pattern:
        return pattern
    first, last = min(blocks), max(blocks)
    is_range = len(blocks) == last - first + 1 > 1
    numbers = f"{first}-{last}" if is_range else ",".join(map(str, sorted(blocks)))
    return pattern.replace("{i}", numbers)


def _group_by_reason(dropped: Mapping[str, str]) -> Iterable[tuple[str, list[str]]]:
    """Yield each reason with its names; one name for the same tensor of all blocks."""
    reasons: dict[str, dict[str, list[int]]] = {}
    for name, reason in dropped.items():
        match = re.search(r"\.(\d+)\.", name)
        pattern = re.sub(r"\.\d+\.", ".{i}.", name, count=1)
        patterns = reasons.setdefault(reason, {})
        patterns.setdefault(pattern, []).append(int(match[1]) if match else -1)
    for reason, patterns in reasons.items():
        yield reason, [_insert_blocks(pattern, blocks) for pattern, blocks in patterns.items()]
