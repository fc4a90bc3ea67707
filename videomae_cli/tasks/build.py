"""Card to model: the one place where a description becomes modules, and weights are put into them.

A card says all that decides what a trained model computes. What only training needs (stochastic
depth, dropout, the rules for first weights) is passed beside it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from videomae_cli.checkpoints.carry import encoder_weights_for_classifier
from videomae_cli.checkpoints.geometry import fit
from videomae_cli.checkpoints.infer import Hints
from videomae_cli.checkpoints.loading import NO_HINTS, Loaded, load
from videomae_cli.checkpoints.report import LoadReport, place
from videomae_cli.config.card import Card, StackSpec
from videomae_cli.config.model import Norm, Rules, Source
from videomae_cli.errors import CheckpointError
from videomae_cli.masking import masker_for, selector_for
from videomae_cli.masking.frames import FrameChoice
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.encoder import Encoder
from videomae_cli.models.layers import NORM_EPS
from videomae_cli.models.predicted import FRAMES
from videomae_cli.tasks.cards import clip_of, mask_of, select_of

_AN = {"autoencoder": "an autoencoder", "classifier": "a classifier", "encoder": "an encoder"}


class Backbone(nn.Module):
    """An encoder alone, under the names that autoencoders and classifiers give it.

    Args:
        encoder: With or without its final norm.
        norm_dim: Width of a norm over the mean of the tokens; None for none.
    """

    def __init__(self, encoder: Encoder, norm_dim: int | None) -> None:
        super().__init__()
        self.encoder = encoder
        if norm_dim is not None:
            self.fc_norm = nn.LayerNorm(norm_dim, eps=NORM_EPS)


def build_autoencoder(
    card: Card,
    weights: Mapping[str, Tensor] | None = None,
    *,
    drop_path: float = 0.0,
    rules: Rules = "videomae",
) -> Autoencoder:
    """Build the autoencoder of a card, with these weights or freshly drawn ones.

    Draws from torch's global generator; the caller seeds it.

    Raises:
        CheckpointError: The card describes a classifier, or the weights are not all it needs.
        RecipeError: The grid or the mask is impossible.
    """
    if card.kind != "autoencoder" or card.decoder is None:
        raise CheckpointError(
            f"the checkpoint is {_AN[card.kind]}: it has no decoder",
            "give a pretrained model: a `videomae pretrain` run, or a pretraining checkpoint",
        )
    grid = card.grid.grid()
    mask = mask_of(card)
    model = Autoencoder(
        _encoder(card, drop_path, final_norm=True),
        card.decoder,
        grid,
        masker_for(mask, grid),
        card.normalize or "patch",
        _frame_choice(card, mask.pool, mask.source),
        place_tu=FRAMES[card.target_frames](grid),
        rules=rules,
    )
    if weights is not None:
        fill(model, weights)
    return model


def build_classifier(
    card: Card,
    weights: Mapping[str, Tensor] | None = None,
    *,
    drop_path: float = 0.0,
    head_dropout: float = 0.0,
    head_scale: float = 0.001,
) -> Classifier:
    """Build the classifier of a card, with these weights or freshly drawn ones.

    Draws from torch's global generator; the caller seeds it.

    Raises:
        CheckpointError: The card describes an autoencoder, or the weights are not all it needs.
    """
    if card.kind != "classifier" or not card.classes:
        raise CheckpointError(
            f"the checkpoint is {_AN[card.kind]}: it has no classes",
            "fine-tune it first: videomae finetune --recipe NAME --checkpoint RUN",
        )
    select = select_of(card)
    model = Classifier(
        _encoder(card, drop_path, final_norm=False),
        len(card.classes),
        head_dropout=head_dropout,
        head_scale=head_scale,
        pooling=card.pooling,
        selector=None if select is None else selector_for(select, card.grid.grid()),
        frame_choice=None if select is None else _frame_choice(card, select.pool, select.source),
    )
    if weights is not None:
        fill(model, weights)
    return model


def build_backbone(card: Card) -> Backbone:
    """Build the encoder of a card, and the norm after it, freshly drawn."""
    encoder = _encoder(card, 0.0, final_norm=card.norm_of == "tokens")
    return Backbone(encoder, card.encoder.dim if card.norm_of == "mean" else None)


BUILDERS: dict[str, Callable[[Card], nn.Module]] = {
    "autoencoder": build_autoencoder,
    "classifier": build_classifier,
    "encoder": build_backbone,
}


def expected_shapes(card: Card) -> dict[str, torch.Size]:
    """Return the name and shape of every tensor of a card's model, without memory or time."""
    with torch.device("meta"):
        model = BUILDERS[card.kind](card)
    return {name: tensor.shape for name, tensor in model.state_dict().items()}


def read_checkpoint(
    path: Path, hints: Hints = NO_HINTS, *, ema: bool = False, numbers: bool = True
) -> Loaded:
    """Read a checkpoint and make sure that its weights are all its model needs, and nothing else.

    Takes what `load` takes.

    Raises:
        CheckpointError: As `load`, or tensors are missing, unknown or of another shape.
    """
    loaded = load(path, hints, ema=ema, numbers=numbers)
    try:
        expected = expected_shapes(loaded.card)
        weights, _ = place(loaded.weights, expected, origins=loaded.origins)
    except CheckpointError as error:
        raise CheckpointError(f"{loaded.file}: {error.message}", error.hint) from error
    return loaded._replace(weights=weights)


def adopt(
    loaded: Loaded, classifier: Classifier, card: Card, *, norm: Norm = "fresh"
) -> tuple[dict[str, Tensor], LoadReport]:
    """Put a loaded encoder into a fresh classifier; return the weights it took, and their fate.

    The tubelet embedding and learned positions are made to fit where the geometry is another.

    Args:
        loaded: Pretrained weights, or another classifier's.
        classifier: Changed in place; what the weights lack keeps its fresh values.
        card: The classifier's own.
        norm: Where the norm after pooling comes from.

    Raises:
        CheckpointError: The encoders differ.
    """
    source = loaded.card
    if source.encoder != card.encoder:
        raise CheckpointError(
            f"{loaded.file} has an encoder of {_stack_words(source.encoder)}, the recipe one of"
            f" {_stack_words(card.encoder)}",
            "take the recipe for this encoder, or set model.size, positions, class_token and biases"
            " to what it has",
        )
    fitted, changed = fit(loaded.weights, source.grid.grid(), card.grid.grid())
    expected = {name: tensor.shape for name, tensor in classifier.state_dict().items()}
    weights, report = encoder_weights_for_classifier(fitted, expected, norm=norm)
    fill(classifier, weights, report)
    report = report._replace(
        matched=tuple(name for name in report.matched if name not in changed),
        interpolated=changed,
        dropped=loaded.report.dropped | report.dropped,
        assumed=(*loaded.report.assumed, *_differences(source, card)),
        traps=loaded.report.traps,
    )
    return weights, report


def fill(model: nn.Module, weights: Mapping[str, Tensor], report: LoadReport | None = None) -> None:
    """Put native weights into a model: all, or all but those the report lists as initialised.

    Raises:
        CheckpointError: A tensor is missing, unknown or of another shape.
    """
    own = model.state_dict()
    fresh = report.initialised if report is not None else ()
    placed, _ = place(weights, {n: t.shape for n, t in own.items()}, allow_initialised=fresh)
    model.load_state_dict({**own, **placed})


def _frame_choice(card: Card, pool: float | None, source: Source | None) -> FrameChoice | None:
    if card.oversample == 1 or pool is None:
        return None
    candidates = clip_of(card).candidates().grid()
    return FrameChoice(candidates, card.grid.grid().t, pool, source or "online")


def _encoder(card: Card, drop_path: float, *, final_norm: bool) -> Encoder:
    return Encoder(
        card.grid.grid(),
        card.encoder,
        final_norm=final_norm,
        drop_path=drop_path,
        mean=card.mean,
        std=card.std,
    )


def _stack_words(stack: StackSpec) -> str:
    token = "a" if stack.class_token else "no"
    return (
        f"width {stack.dim}, {stack.depth} blocks, {stack.heads} heads, MLP {stack.mlp_dim},"
        f" {stack.positions} positions, {token} class token, biases {stack.biases}"
    )


def _differences(source: Card, card: Card) -> list[str]:
    """Say what a classifier sees otherwise than the model its encoder comes from."""
    old, new = source.grid.grid(), card.grid.grid()
    notes = []
    if (old.t, old.h, old.w) != (new.t, new.h, new.w):
        made = "computed" if card.encoder.positions == "sine" else "interpolated"
        notes.append(
            f"positions {made} for {new.t}x{new.h}x{new.w} tokens;"
            f" the checkpoint saw {old.t}x{old.h}x{old.w}"
        )
    if (source.mean, source.std) != (card.mean, card.std):
        notes.append(f"pixels normalised by {card.mean}, {card.std}, not as in the checkpoint")
    return notes
