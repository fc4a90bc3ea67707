"""Build a model from its configuration, with freshly drawn weights.

Settings that matter in training only (stochastic depth, dropout, initialisation) are separate
arguments. Weights are drawn from torch's global generator, which the caller seeds.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import nn

from videomae_cli.config.model import InitRules, MotionSource
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.errors import CheckpointError
from videomae_cli.masking import masker_for, selector_for
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.encoder import Encoder
from videomae_cli.models.target_frames import FRAMES
from videomae_cli.models.transformer.layers import NORM_EPS

if TYPE_CHECKING:
    from videomae_cli.masking.frame_selection import FrameChoice
    from videomae_cli.models.classifier import Classifier

_WITH_ARTICLE = {
    "autoencoder": "an autoencoder",
    "classifier": "a classifier",
    "encoder": "an encoder",
}


class Backbone(nn.Module):
    """A bare encoder, and the norm that follows it, under their names in other models."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.encoder = _build_encoder(config, 0.0, final_norm=config.norm_of == "tokens")
        if config.norm_of == "mean":
            self.fc_norm = nn.LayerNorm(config.encoder.dim, eps=NORM_EPS)


def build_autoencoder(
    config: ModelConfig, *, drop_path: float = 0.0, rules: InitRules = "videomae"
) -> Autoencoder:
    """Build an autoencoder.

    Raises:
        CheckpointError: The configuration is of another kind of model.
        RecipeError: The mask is impossible on this grid.
    """
    if config.kind != "autoencoder" or config.decoder is None:
        raise CheckpointError(
            f"the checkpoint is {_WITH_ARTICLE[config.kind]}: it has no decoder",
            "give a pretrained model: a `videomae pretrain` run, or a pretraining checkpoint",
        )
    mask = config.mask_or_default
    return Autoencoder(
        _build_encoder(config, drop_path, final_norm=True),
        config.decoder,
        masker_for(mask, config.grid),
        config.normalize or "patch",
        _frame_choice(config, mask.pool, mask.source),
        frame_tu=FRAMES[config.target_frames](config.grid),
        rules=rules,
    )


def build_classifier(
    config: ModelConfig,
    *,
    drop_path: float = 0.0,
    head_dropout: float = 0.0,
    head_scale: float = 0.001,
) -> "Classifier":
    """Build a classifier; a CheckpointError if the configuration is of another kind of model."""
    from videomae_cli.models.classifier import Classifier

    if config.kind != "classifier" or not config.classes:
        raise CheckpointError(
            f"the checkpoint is {_WITH_ARTICLE[config.kind]}: it has no classes",
            "fine-tune it first: videomae finetune --recipe NAME --checkpoint RUN",
        )
    select = config.select
    return Classifier(
        _build_encoder(config, drop_path, final_norm=config.norm_of == "tokens"),
        len(config.classes),
        head_dropout=head_dropout,
        head_scale=head_scale,
        pooling=config.pooling,
        pooler_heads=config.pooler_heads,
        selector=None if select is None else selector_for(select, config.grid),
        frame_choice=None if select is None else _frame_choice(config, select.pool, select.source),
    )


BUILDERS: dict[str, Callable[[ModelConfig], nn.Module]] = {
    "autoencoder": build_autoencoder,
    "classifier": build_classifier,
    "encoder": Backbone,
}


def expected_shapes(config: ModelConfig) -> dict[str, torch.Size]:
    """Return the name and shape of every tensor of a model, without allocating it."""
    with torch.device("meta"):
        model = BUILDERS[config.kind](config)
    return {name: tensor.shape for name, tensor in model.state_dict().items()}


def _frame_choice(
    config: ModelConfig, pool: float | None, source: MotionSource | None
) -> "FrameChoice | None":
    if config.oversample == 1 or pool is None:
        return None
    from videomae_cli.masking.frame_selection import FrameChoice  # few models select frames

    candidates = config.clip().candidates().grid()
    return FrameChoice(candidates, config.grid.t, pool, source or "online")


def _build_encoder(config: ModelConfig, drop_path: float, *, final_norm: bool) -> Encoder:
    return Encoder(
        config.grid,
        config.encoder,
        final_norm=final_norm,
        drop_path=drop_path,
        mean=config.mean,
        std=config.std,
    )
