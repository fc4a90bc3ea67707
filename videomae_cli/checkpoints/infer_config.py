"""Infer the model configuration of native weights from their shapes.

Shapes do not give the number of heads (a table of the published embedding dimensions, else 64
dimensions per head), the frames and pixels of a clip (position embeddings are computed, not
stored), the target normalisation, the mask ratio and the class names. These come from the user,
from files beside the weights, from the training script's arguments, or else from the published
models; every value of the last two is reported as an assumption.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from videomae_cli.checkpoints.hints import NO_HINTS, NO_SIDE_INFO, Hints, SideInfo
from videomae_cli.checkpoints.keymap import Kind, Weights, list_names
from videomae_cli.config.clip import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    LUMA_WEIGHTS,
    reduce_to_luma,
)
from videomae_cli.config.model import MaskSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.errors import CheckpointError, RecipeError
from videomae_cli.grid import TokenGrid

# embedding dimension to heads in the published models; 1280 and 640 have 80 dimensions per head,
# 1408 has 88
HEADS = {192: 3, 384: 6, 512: 8, 640: 8, 768: 12, 1024: 16, 1280: 16, 1408: 16}
HEAD_DIM = 64
MAX_TOKENS = 2**20  # position embeddings are computed: a large number in a file would fill memory
FRAMES, SIZE, STRIDE, RATIO = 16, 224, 4, 0.9  # of the published models
FROM_ARGUMENTS = "from the file's training arguments"
FROM_PUBLISHED = "as in the published models, not stored in the file"


class InferredConfig(NamedTuple):
    """A model configuration, and the assumptions in it."""

    config: ModelConfig
    assumed: tuple[str, ...]


def infer_model_config(
    weights: Weights,
    kind: Kind,
    *,
    hints: Hints = NO_HINTS,
    side_info: SideInfo = NO_SIDE_INFO,
    training_args: Mapping[str, object] | None = None,
) -> InferredConfig:
    """Infer the model configuration of native weights; `meta` tensors are enough.

    The user's hints take precedence over those of the format, unless they are guesses.

    Raises:
        CheckpointError: Shapes contradict each other, or the number of heads is unknown.
    """
    sources = (side_info.hints, hints) if hints.is_guess else (hints, side_info.hints)
    merged = (b if a is None else a for a, b in zip(*sources, strict=True))
    values = _Values(Hints._make(merged), training_args or {})
    fields: dict[str, Any] = {
        "kind": kind,
        **_infer_input(weights, values),
        "stride_frames": values.choose("stride_frames", "sampling_rate", STRIDE),
    }
    values.assumed.append(
        "dense frame sampling, as in all published models except those for Something-Something"
    )
    if kind == "autoencoder":
        fields |= _infer_autoencoder(weights, values, side_info, fields["grid"])
    elif kind == "classifier":
        fields |= _infer_classes(weights, values, side_info)
    fields = _infer_statistics(fields["grid"].channels, values) | fields | dict(side_info.fields)
    config = ModelConfig(**fields)
    return InferredConfig(config, (*values.assumed, *side_info.assumed))


def _infer_input(weights: Weights, values: "_Values") -> dict[str, Any]:
    """Return encoder configuration and clip geometry."""
    name = "encoder.patch_embed.proj.weight"
    _, channels, tubelet, patch, columns = _read_shape(weights, name, 5)
    if patch != columns:
        raise CheckpointError(f"{name}: patch {patch}x{columns} is not square")
    size = values.choose("size", "input_size", SIZE)
    height, width = (size, size) if isinstance(size, int) else size
    encoder = _infer_transformer(weights, "encoder.", values)
    frames = values.choose("frames", "num_frames", FRAMES)
    assert isinstance(frames, int), "only a size may be two numbers"
    try:
        grid = TokenGrid(frames, height, width, tubelet=tubelet, patch=patch, channels=channels)
    except RecipeError as error:
        raise CheckpointError(error.message, error.hint) from error
    if grid.tokens > MAX_TOKENS:
        raise CheckpointError(f"clips of {grid.tokens:,} tokens, more than {MAX_TOKENS:,}")
    return {"encoder": encoder, "grid": grid}


def _infer_statistics(channels: int, values: "_Values") -> dict[str, tuple[float, ...]]:
    """Return mean and std of pixels that are not RGB: those of ImageNet's luma, in each channel."""
    if channels == len(LUMA_WEIGHTS):
        return {}
    mean, std = reduce_to_luma(IMAGENET_MEAN), reduce_to_luma(IMAGENET_STD)
    values.assumed.append(
        f"pixels normalised by the mean {mean:.3f} and std {std:.3f} of ImageNet in grey, in each"
        f" of {channels} channel{'s' if channels > 1 else ''}; not stored in the file"
    )
    return {"mean": (mean,) * channels, "std": (std,) * channels}


class _Values:
    """Chooses values from hints, else training arguments, else convention; lists assumptions."""

    def __init__(self, hints: Hints, training_args: Mapping[str, object]) -> None:
        self.hints = hints
        self.training_args = training_args
        self.assumed: list[str] = []

    def choose(self, name: str, argument: str, convention: int) -> int | tuple[int, int]:
        """Return a positive integer, or a hint; `convention`: value of the published models."""
        hint: int | tuple[int, int] | None = getattr(self.hints, name, None)
        if hint is not None:
            return hint
        value, source = self.training_args.get(argument), FROM_ARGUMENTS
        if type(value) is not int or value <= 0:
            value, source = convention, FROM_PUBLISHED
        self.assumed.append(f"{name} {value}: {source}")
        return value

    def choose_heads(self, name: Literal["heads", "decoder_heads"], dim: int) -> int:
        """Return the number of heads for an embedding dimension."""
        hint: int | None = getattr(self.hints, name)
        option = f"--{name.replace('_', '-')}"
        if hint is not None:
            if hint < 1 or dim % hint:
                raise CheckpointError(f"{option} {hint} does not divide embedding dimension {dim}")
            return hint
        heads = HEADS.get(dim) or (0 if dim % HEAD_DIM else dim // HEAD_DIM)
        if not heads:
            raise CheckpointError(
                f"the number of heads is not stored in the file and cannot be inferred from"
                f" embedding dimension {dim}",
                f"give it with {option}",
            )
        self.assumed.append(
            f"{name.replace('_', ' ')} {heads}: inferred from embedding dimension {dim}, not stored"
            " in the file"
        )
        return heads


def _infer_autoencoder(
    weights: Weights, values: _Values, side_info: SideInfo, grid: TokenGrid
) -> dict[str, Any]:
    """Return the fields that only autoencoders have."""
    predicts_all = side_info.fields.get("target_frames", "all") == "all"
    pixels = grid.tubelet_pixels // (1 if predicts_all else grid.tubelet)
    outputs = _read_shape(weights, "decoder.head.weight", 2)[0]
    if outputs != pixels:
        raise CheckpointError(
            f"decoder.head.weight predicts {outputs} values per token, expected {pixels}"
        )
    ratio = values.training_args.get("mask_ratio")
    source = FROM_ARGUMENTS
    if not isinstance(ratio, float) or not 0 < ratio < 1:
        ratio, source = RATIO, FROM_PUBLISHED
    values.assumed.append(f"mask ratio {ratio}: {source}")
    normalized = values.training_args.get("normlize_target")
    normalize = "none" if normalized is False else "patch"
    source = FROM_ARGUMENTS if isinstance(normalized, bool) else FROM_PUBLISHED
    if "normalize" not in side_info.fields:
        values.assumed.append(f"target normalisation {normalize}: {source}")
    return {
        "decoder": _infer_transformer(weights, "decoder.", values),
        "normalize": normalize,
        "mask": MaskSpec(strategy="tube", ratio=ratio),
    }


def _infer_classes(weights: Weights, values: _Values, side_info: SideInfo) -> dict[str, Any]:
    classes = _read_shape(weights, "head.weight", 2)[0]
    if "classes" not in side_info.fields:
        values.assumed.append(f"class names unknown: numbered 0 to {classes - 1}")
    return {"classes": tuple(map(str, range(classes)))}


def _infer_transformer(weights: Weights, prefix: str, values: _Values) -> TransformerConfig:
    pattern = re.compile(re.escape(prefix) + r"blocks\.(\d+)\.")
    blocks = {int(match[1]) for match in map(pattern.match, weights) if match}
    if blocks != set(range(len(blocks))) or not blocks:
        gaps = sorted(set(range(max(blocks, default=0))) - blocks)
        raise CheckpointError(f"missing: {list_names(f'{prefix}blocks.{i}' for i in gaps or [0])}")
    mlp_dim, dim = _read_shape(weights, f"{prefix}blocks.0.mlp.fc1.weight", 2)
    heads = values.choose_heads("heads" if prefix == "encoder." else "decoder_heads", dim)
    return TransformerConfig(
        dim=dim,
        depth=len(blocks),
        heads=heads,
        mlp_dim=mlp_dim,
        positions="separable" if f"{prefix}positions.space" in weights else "sine",
        class_token=f"{prefix}class_token" in weights,
        biases="all" if f"{prefix}blocks.0.attn.k_bias" in weights else "qv",
    )


def _read_shape(weights: Weights, name: str, axes: int) -> tuple[int, ...]:
    if name not in weights:
        raise CheckpointError(
            f"missing: {name}", "the file is incomplete, or from another model family"
        )
    shape = tuple(weights[name].shape)
    if len(shape) != axes or 0 in shape:
        raise CheckpointError(f"{name} has shape {list(shape)}, expected {axes} axes")
    return shape
