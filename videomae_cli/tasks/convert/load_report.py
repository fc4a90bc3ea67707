"""The account of a conversion: what a checkpoint is, and what became of every tensor."""

import re
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

from videomae_cli.checkpoints.formats import FORMATS
from videomae_cli.checkpoints.loading import Loaded
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.report import Report


def tell(loaded: Loaded, report: Report) -> None:
    """Say what a checkpoint is, and what became of every tensor."""
    config = loaded.config
    report.say(f"{loaded.file}: {title(loaded.format)}, {_words(config, loaded.weights)}")
    report.table(
        "tensors by native name", ("name", "shape", "tensors"), pattern_rows(loaded.weights)
    )
    if loaded.report.initialised:
        report.say(f"initialised: {', '.join(loaded.report.initialised)}")
    for reason, left in _by_reason(loaded.report.dropped):
        report.say(f"dropped ({reason}): {', '.join(left)}")
    for sentence in loaded.report.assumed:
        report.say(f"assumed: {sentence}")
    report.say(loaded.report.summary())
    if config.derived_from:
        report.say(f"derived from: {'; '.join(config.derived_from)}")
    report.say(f"licence: {config.license or 'not stated'}")
    for trap in filter(None, (*loaded.report.traps, loaded.warning)):
        report.warn(trap)


def _words(config: ModelConfig, weights: Mapping[str, Tensor]) -> str:
    grid, stack = config.grid, config.encoder
    parts = [
        f"{config.kind} of {count(weights):,} numbers",
        f"encoder {stack.dim} wide, {stack.depth} blocks, {stack.heads} heads",
    ]
    if config.decoder is not None:
        deco = config.decoder
        parts.append(f"decoder {deco.dim} wide, {deco.depth} blocks, {deco.heads} heads")
    if config.classes is not None:
        parts.append(f"{len(config.classes)} classes")
    parts.append(f"clips of {grid.frames} frames, {grid.height}x{grid.width} pixels")
    parts.append(f"tubelets of {grid.tubelet}x{grid.patch}x{grid.patch}")
    return "; ".join(parts)


def pattern_rows(weights: Mapping[str, Tensor]) -> list[tuple[str, str, str]]:
    """Return name, shape and count of all tensors; one row for the same tensor of all blocks."""
    groups: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for name, tensor in weights.items():
        number = re.search(r"blocks\.(\d+)\.", name)
        pattern = re.sub(r"blocks\.\d+\.", "blocks.{i}.", name)
        key = (pattern, tuple(tensor.shape))
        groups.setdefault(key, []).append(int(number[1]) if number else -1)
    return [
        (_numbered(pattern, blocks), "x".join(map(str, shape)) or "1", str(len(blocks)))
        for (pattern, shape), blocks in sorted(groups.items())
    ]


def _numbered(pattern: str, blocks: Sequence[int]) -> str:
    if "{i}" not in pattern:
        return pattern
    first, last = min(blocks), max(blocks)
    whole = len(blocks) == last - first + 1
    numbers = f"{first}-{last}" if whole else ",".join(map(str, sorted(blocks)))
    return pattern.replace("{i}", numbers if len(blocks) > 1 else str(first))


def _by_reason(dropped: Mapping[str, str]) -> Iterable[tuple[str, list[str]]]:
    """Yield each reason with the names it took; one name for the same tensor of all blocks."""
    reasons: dict[str, dict[str, list[int]]] = {}
    for name, reason in dropped.items():
        number = re.search(r"\.(\d+)\.", name)
        pattern = re.sub(r"\.\d+\.", ".{i}.", name, count=1)
        patterns = reasons.setdefault(reason, {})
        patterns.setdefault(pattern, []).append(int(number[1]) if number else -1)
    for reason, patterns in reasons.items():
        yield reason, [_numbered(pattern, blocks) for pattern, blocks in patterns.items()]


def title(name: str) -> str:
    """Return what people call a format."""
    return FORMATS[name].title if name in FORMATS else "videomae native"


def count(weights: Mapping[str, Tensor]) -> int:
    """Return how many numbers there are."""
    return sum(tensor.numel() for tensor in weights.values())
