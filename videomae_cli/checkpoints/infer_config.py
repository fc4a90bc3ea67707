"""The architecture behind native weights, read from shapes; what shapes do not tell is said.

Not recoverable: the number of heads (a table of the published widths, then 64 numbers per head),
frames and pixels of a clip (positions are computed, not stored), target normalisation, mask ratio,
class names.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from torch import Tensor

from videomae_cli.checkpoints.keymap import Kind, named
from videomae_cli.config.model import MaskSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.errors import CheckpointError, RecipeError
from videomae_cli.grid import TokenGrid

# width to heads of the published models; 1280 and 640 have 80 numbers per head, 1408 has 88
HEADS = {192: 3, 384: 6, 512: 8, 640: 8, 768: 12, 1024: 16, 1280: 16, 1408: 16}
HEAD_DIM = 64
MOST_TOKENS = 2**20  # positions of clips are computed: a number in a config would take memory
FRAMES, SIZE, STRIDE, RATIO = 16, 224, 4, 0.9  # of the published models


class Hints(NamedTuple):
    """What a user knows about a file that the file does not tell."""

    heads: int | None = None
    """Encoder heads."""
    decoder_heads: int | None = None
    """Decoder heads."""
    frames: int | None = None
    """Frames in a clip."""
    size: int | None = None
    """Height and width of a clip, pixels."""
    is_guess: bool = False
    """Whether these only count where nothing else tells."""


class Told(NamedTuple):
    """What lies beside the weights and tells what shapes do not."""

    numbers: Hints = Hints()
    config: Mapping[str, Any] = {}
    """Fields of the card."""
    assumed: tuple[str, ...] = ()
    """What was taken for granted, as sentences."""
    traps: tuple[str, ...] = ()
    """Known defects of such files that this one shows, as sentences."""


NOTHING = Told()


class Inferred(NamedTuple):
    """A card, and what in it was taken for granted."""

    config: ModelConfig
    assumed: tuple[str, ...]


def infer_model_config(
    weights: Mapping[str, Tensor],
    kind: Kind,
    *,
    hints: Hints = Hints(),  # noqa: B008  (a tuple)
    told: Told = NOTHING,
    settings: Mapping[str, object] | None = None,
) -> Inferred:
    """Describe native weights.

    Args:
        weights: Native names to tensors; `meta` tensors will do.
        kind: What they are.
        hints: What the user says; wins.
        told: What lies beside the weights; comes second.
        settings: Arguments of the training script, where the file has them.

    Raises:
        CheckpointError: Shapes contradict each other, or the heads cannot be told.
    """
    said = (told.numbers, hints) if hints.is_guess else (hints, told.numbers)
    ask = _Asker(_first(*said), settings or {})
    embed = _shape(weights, "encoder.patch_embed.proj.weight", 5)
    _, channels, tubelet, patch, across = embed
    if patch != across:
        raise CheckpointError(
            f"encoder.patch_embed.proj.weight: patch {patch}x{across} is not square"
        )
    size = ask.number("size", "input_size", SIZE)
    config: dict[str, Any] = {
        "kind": kind,
        "encoder": _stack(weights, "encoder.", ask),
        "grid": _grid(
            frames=ask.number("frames", "num_frames", FRAMES),
            height=size,
            width=size,
            tubelet=tubelet,
            patch=patch,
            channels=channels,
        ),
        "stride_frames": ask.number("stride_frames", "sampling_rate", STRIDE),
    }
    ask.assumed.append("sampling dense: right for all published models but Something-Something's")
    if kind == "autoencoder":
        grid: TokenGrid = config["grid"]
        every = told.config.get("target_frames", "all") == "all"
        pixels = grid.tubelet_pixels // (1 if every else grid.tubelet)
        config |= _autoencoder(weights, ask, told, pixels)
    elif kind == "classifier":
        classes = _shape(weights, "head.weight", 2)[0]
        config["classes"] = tuple(map(str, range(classes)))
        if "classes" not in told.config:
            ask.assumed.append(f"class names unknown: numbered 0 to {classes - 1}")
    return Inferred(ModelConfig(**(config | dict(told.config))), (*ask.assumed, *told.assumed))


def _grid(**geometry: int) -> TokenGrid:
    try:
        grid = TokenGrid(**geometry)
    except RecipeError as error:
        raise CheckpointError(error.message, error.hint) from error
    if grid.tokens > MOST_TOKENS:
        raise CheckpointError(f"clips of {grid.tokens:,} tokens, more than {MOST_TOKENS:,}")
    return grid


def _first(*said: Hints) -> Hints:
    """Merge what several say; the first that knows wins."""
    merged: dict[str, Any] = {}
    for name in ("heads", "decoder_heads", "frames", "size"):
        known = (getattr(one, name) for one in said)
        merged[name] = next((value for value in known if value is not None), None)
    return Hints(**merged)


class _Asker:
    """Answers from the user, else the training script's record, else convention; keeps book."""

    def __init__(self, hints: Hints, settings: Mapping[str, object]) -> None:
        self.hints = hints
        self.settings = settings
        self.assumed: list[str] = []

    def number(self, name: str, setting: str, convention: int) -> int:
        told = getattr(self.hints, name, None)
        if told is not None:
            return int(told)
        recorded = self.settings.get(setting)
        if type(recorded) is int and recorded > 0:
            self.assumed.append(f"{name} {recorded}: the file's training arguments say so")
            return recorded
        self.assumed.append(f"{name} {convention}: the published models' value, not in the file")
        return convention

    def heads(self, name: Literal["heads", "decoder_heads"], width: int) -> int:
        told: int | None = getattr(self.hints, name)
        option = f"--{name.replace('_', '-')}"
        if told is not None:
            if told < 1 or width % told:
                raise CheckpointError(f"{option} {told} does not divide the width {width}")
            return told
        heads = HEADS.get(width) or (0 if width % HEAD_DIM else width // HEAD_DIM)
        if not heads:
            raise CheckpointError(
                f"width {width} does not tell the number of heads, and the file does not say",
                f"give it with {option}",
            )
        self.assumed.append(
            f"{name.replace('_', ' ')} {heads}: from width {width}, not in the file"
        )
        return heads


def _autoencoder(
    weights: Mapping[str, Tensor], ask: _Asker, told: Told, pixels: int
) -> dict[str, Any]:
    outputs = _shape(weights, "decoder.head.weight", 2)[0]
    if outputs != pixels:
        raise CheckpointError(
            f"decoder.head.weight predicts {outputs} numbers per token, not {pixels}"
        )
    ratio, normalized = ask.settings.get("mask_ratio"), ask.settings.get("normlize_target")
    if isinstance(ratio, float) and 0 < ratio < 1:
        ask.assumed.append(f"mask ratio {ratio}: the file's training arguments say so")
    else:
        ratio = RATIO
        ask.assumed.append(f"mask ratio {ratio}: the published models' value, not in the file")
    normalize = "none" if normalized is False else "patch"
    source = "the published models' habit, not in the file"
    if isinstance(normalized, bool):
        source = "the file's training arguments say so"
    if "normalize" not in told.config:
        ask.assumed.append(f"target normalisation {normalize}: {source}")
    return {
        "decoder": _stack(weights, "decoder.", ask),
        "normalize": normalize,
        "mask": MaskSpec(strategy="tube", ratio=ratio),
    }


def _stack(weights: Mapping[str, Tensor], prefix: str, ask: _Asker) -> TransformerConfig:
    numbers = {
        int(found[1])
        for name in weights
        if (found := re.match(re.escape(prefix) + r"blocks\.(\d+)\.", name))
    }
    if numbers != set(range(len(numbers))) or not numbers:
        gaps = sorted(set(range(max(numbers, default=0))) - numbers)
        raise CheckpointError(f"{named(f'{prefix}blocks.{i}' for i in gaps or [0])} missing")
    mlp_dim, dim = _shape(weights, f"{prefix}blocks.0.mlp.fc1.weight", 2)
    heads = ask.heads("heads" if prefix == "encoder." else "decoder_heads", dim)
    return TransformerConfig(
        dim=dim,
        depth=len(numbers),
        heads=heads,
        mlp_dim=mlp_dim,
        positions="separable" if f"{prefix}positions.space" in weights else "sine",
        class_token=f"{prefix}class_token" in weights,
        biases="all" if f"{prefix}blocks.0.attn.k_bias" in weights else "qv",
    )


def _shape(weights: Mapping[str, Tensor], name: str, axes: int) -> tuple[int, ...]:
    if name not in weights:
        raise CheckpointError(f"{name} missing", "the file is not whole, or of another family")
    shape = tuple(weights[name].shape)
    if len(shape) != axes or 0 in shape:
        raise CheckpointError(f"{name} has shape {list(shape)}, expected {axes} axes")
    return shape
