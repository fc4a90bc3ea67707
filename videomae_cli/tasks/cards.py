"""Recipe to card, and a card's parts back to what a recipe calls them."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from videomae_cli.config.card import Card, GridSpec, StackSpec
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model import AutoencoderSpec, ClassifierSpec, MaskSpec, SelectSpec
from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe
from videomae_cli.errors import CheckpointError
from videomae_cli.models.sizes import SIZES

Part = TypeVar("Part", MaskSpec, SelectSpec)
MLP_RATIO = 4  # of every decoder in the papers but ViT-g's


def card_for_pretrain(recipe: PretrainRecipe) -> Card:
    """Describe the model a pretraining recipe asks for."""
    return Card(
        kind="autoencoder",
        encoder=_encoder_stack(recipe.model),
        decoder=_decoder_stack(recipe.model),
        grid=GridSpec.of(recipe.clip.grid()),
        mean=recipe.clip.mean,
        std=recipe.clip.std,
        stride_frames=recipe.clip.stride_frames,
        sampling=recipe.clip.sampling,
        oversample=recipe.clip.oversample,
        normalize=recipe.target.normalize,
        target_frames=recipe.target.frames,
        mask=recipe.mask.model_dump(mode="json", exclude_defaults=True),
        recipe=recipe.model_dump(mode="json"),
    )


def card_for_finetune(recipe: FinetuneRecipe, classes: Sequence[str]) -> Card:
    """Describe the model a fine-tuning recipe asks for; `classes` are the names by label."""
    return Card(
        kind="classifier",
        encoder=_encoder_stack(recipe.model),
        grid=GridSpec.of(recipe.clip.grid()),
        mean=recipe.clip.mean,
        std=recipe.clip.std,
        stride_frames=recipe.clip.stride_frames,
        sampling=recipe.clip.sampling,
        oversample=recipe.clip.oversample,
        select=None if recipe.select is None else recipe.select.model_dump(mode="json"),
        classes=tuple(classes),
        protocol=recipe.eval.model_dump(mode="json"),
        recipe=recipe.model_dump(mode="json"),
    )


def mask_of(card: Card) -> MaskSpec:
    """Return how an autoencoder was masked; VideoMAE's way where the card does not say.

    Raises:
        CheckpointError: In a way that this version does not know.
    """
    return _part(MaskSpec, "mask", card.mask or {"strategy": "tube", "ratio": 0.9})


def select_of(card: Card) -> SelectSpec | None:
    """Return which tokens a classifier sees; None for all.

    Raises:
        CheckpointError: Chosen in a way that this version does not know.
    """
    return None if card.select is None else _part(SelectSpec, "select", card.select)


def clip_of(card: Card) -> ClipSpec:
    """Return how clips are cut for a card's model."""
    grid = card.grid
    if grid.height != grid.width:
        raise CheckpointError(f"clips of {grid.height} x {grid.width} pixels: not square")
    return ClipSpec(
        frames=grid.frames,
        stride_frames=card.stride_frames,
        size=grid.height,
        sampling=card.sampling,
        oversample=card.oversample,
        tubelet=grid.tubelet,
        patch=grid.patch,
        mean=card.mean,
        std=card.std,
    )


def _part(kind: type[Part], name: str, said: dict[str, Any]) -> Part:
    """Read a part of a recipe that a card carries along."""
    try:
        part: Part = kind.model_validate(said)
    except ValidationError as error:
        fault = error.errors()[0]
        raise CheckpointError(
            f"the checkpoint's {name} {said}: {fault['msg']}", "is it from a newer videomae?"
        ) from error
    return part


def _encoder_stack(model: AutoencoderSpec | ClassifierSpec) -> StackSpec:
    return SIZES[model.size].model_copy(update=_tokens(model))


def _decoder_stack(model: AutoencoderSpec) -> StackSpec:
    spec = model.decoder
    mlp_dim = spec.mlp_dim or MLP_RATIO * spec.dim
    plain = StackSpec(dim=spec.dim, depth=spec.depth, heads=spec.heads, mlp_dim=mlp_dim)
    return plain.model_copy(update=_tokens(model))


def _tokens(model: AutoencoderSpec | ClassifierSpec) -> dict[str, Any]:
    """Return what a recipe says once for encoder and decoder."""
    return {
        "positions": model.positions,
        "class_token": model.class_token,
        "biases": model.biases,
    }
