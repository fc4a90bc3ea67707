"""The model configuration: everything that decides what a trained model computes.

It is written as `model.json` beside `model.safetensors`, so that weights can be used without the
recipe they were trained with. `autoencoder_config` and `classifier_config` derive it from a recipe.
"""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, SerializationInfo, field_serializer, model_serializer, model_validator
from pydantic import SerializerFunctionWrapHandler as Handler

from videomae_cli.config.clip import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    V1_RULES,
    ClipSpec,
    Short,
    compute_step,
)
from videomae_cli.config.model import (
    AutoencoderSpec,
    ClassifierSpec,
    MaskSpec,
    Normalize,
    SelectSpec,
    TargetFrames,
    Task,
)
from videomae_cli.config.schema import FinetuneRecipe, PretrainRecipe, Recipe
from videomae_cli.config.spec import Spec
from videomae_cli.config.training import EvalSpec
from videomae_cli.config.transformer import SIZES, TransformerConfig
from videomae_cli.errors import RecipeError
from videomae_cli.grid import TokenGrid
from videomae_cli.report import make_encodable

MLP_RATIO = 4  # hidden MLP dimension over embedding dimension, in every published decoder but ViT-g
CLIP_FIELDS = ("stride_frames", "fps", "seconds", "sampling", "short", "oversample")
_TEXT_FIELDS = ("classes", "data", "license", "derived_from", "recipe")
# not written if they have their default, so that the files of other models stay as they were
_OMITTED_DEFAULTS = ("task", "target_mean", "target_std", "pooler_heads")
DEFAULT_MASK = MaskSpec(strategy="tube", ratio=0.9)  # VideoMAE's
DEFAULT_PROTOCOL = EvalSpec(clips=5, crops=3)  # VideoMAE's for Kinetics-400


class ModelConfig(Spec):
    """The content of `model.json`.

    `decoder`, `normalize`, `target_frames` and `mask` belong to autoencoders; `select`, `classes`,
    `pooling` and `protocol` to classifiers.
    """

    format: Literal["videomae-native"] = "videomae-native"
    version: Literal[1] = 1
    kind: Literal["autoencoder", "classifier", "encoder"]
    """Kind of model; `encoder`: an encoder without decoder or head, to fine-tune."""
    encoder: TransformerConfig
    decoder: TransformerConfig | None = None
    grid: TokenGrid
    mean: tuple[float, ...] = IMAGENET_MEAN
    """Per-channel mean subtracted from pixels in 0..1."""
    std: tuple[float, ...] = IMAGENET_STD
    """Per-channel standard deviation that pixels are divided by."""
    stride_frames: int | None = 4
    """Distance between consecutive frames of a clip, in frames of the video; null: see `fps` and
    `seconds`."""
    fps: float | None = None
    """Frames of a clip per second."""
    seconds: float | None = None
    """Duration of a clip."""
    sampling: Literal["dense", "segment"] = "dense"
    short: Short = V1_RULES
    """Clips of videos that are shorter than a clip; V1's rules where nothing is recorded."""
    oversample: float = 1.0
    """Candidate slices per slice used."""
    select: SelectSpec | None = None
    classes: tuple[str, ...] | None = None
    """Names of the outputs of the head: classes, or the values of a regression."""
    task: Task = "single-label"
    """What the outputs mean: `models/outputs.py` turns them into scores."""
    target_mean: tuple[float, ...] | None = None
    """`regression`: mean of each value over the training videos; the head predicts
    (value - mean) / std."""
    target_std: tuple[float, ...] | None = None
    """`regression`: standard deviation of each value over the training videos."""
    pooling: Literal["mean", "first", "attentive"] = "mean"
    """Input of the head: the mean over the tokens, the first token, or an attentive pooler's
    output."""
    pooler_heads: int | None = None
    """Attention heads of an attentive pooler."""
    norm_of: Literal["tokens", "mean"] | None = None
    """Input of the norm after a bare encoder: tokens, or their mean; null if it has no norm.
    `tokens` in a classifier: the encoder keeps its last norm, which acts before the pooling."""
    normalize: Normalize | None = None
    target_frames: TargetFrames = "all"
    mask: MaskSpec | None = None
    protocol: EvalSpec | None = None
    data: str | None = None
    step: int | None = None
    """Optimizer steps taken."""
    license: str | None = None
    """Licence of the weights where known; kept by every conversion."""
    derived_from: tuple[str, ...] = ()
    """Checkpoints that the weights were derived from, oldest first."""
    recipe: dict[str, Any] = Field(default_factory=dict)
    """The resolved recipe, for the record."""
    software: dict[str, str] = Field(default_factory=dict)
    """Versions of videomae, torch and the decoders at training time."""

    @model_validator(mode="after")
    def _check_mean_and_std(self) -> "ModelConfig":
        for name in ("mean", "std"):
            count, channels = len(getattr(self, name)), self.grid.channels
            if count != channels:
                raise ValueError(f"{name} has {count} values, and the grid {channels} channels")
        return self

    @field_serializer("mask", mode="wrap")
    def _omit_defaults(
        self, mask: MaskSpec | None, _: Handler, info: SerializationInfo
    ) -> dict[str, Any] | None:
        return None if mask is None else mask.model_dump(mode=info.mode, exclude_defaults=True)

    @model_serializer(mode="wrap")
    def _omit_new_fields(self, write: Handler) -> dict[str, Any]:
        content: dict[str, Any] = write(self)
        for name in _OMITTED_DEFAULTS:
            if getattr(self, name) == type(self).model_fields[name].default:
                content.pop(name, None)
        return content

    @property
    def mask_or_default(self) -> MaskSpec:
        """The mask of an autoencoder; VideoMAE's where the checkpoint does not record one."""
        return self.mask or DEFAULT_MASK

    @property
    def protocol_or_default(self) -> EvalSpec:
        """The test protocol of a classifier; VideoMAE's where the checkpoint records none."""
        return self.protocol or DEFAULT_PROTOCOL

    def to_json(self, *, indent: int | None = None) -> str:
        """Return it as JSON; what UTF-8 cannot encode, in names and paths, is escaped."""
        update = {name: make_encodable(getattr(self, name)) for name in _TEXT_FIELDS}
        return self.model_copy(update=update).model_dump_json(indent=indent)

    @property
    def step_seconds(self) -> float | None:
        """Seconds between consecutive frames of a clip; None if they are counted in frames."""
        return compute_step(self.grid.frames, self.fps, self.seconds)

    def describe_pooling(self) -> str:
        """Return in a few words how a classifier computes the input of its head."""
        heads = f", {self.pooler_heads} heads" if self.pooler_heads else ""
        norm = ", after a norm of the tokens" if self.norm_of == "tokens" else ""
        return f"{self.pooling}{heads}{norm}"

    def clip(self) -> ClipSpec:
        """Return how clips are sampled and cut."""
        grid = self.grid
        return ClipSpec(
            frames=grid.frames,
            size=grid.size,
            tubelet=grid.tubelet,
            patch=grid.patch,
            channels=grid.channels,
            mean=self.mean,
            std=self.std,
            **{name: getattr(self, name) for name in CLIP_FIELDS},
        )


def autoencoder_config(recipe: PretrainRecipe) -> ModelConfig:
    """Return the configuration of the model that a pretraining recipe trains."""
    return ModelConfig(
        kind="autoencoder",
        decoder=_decoder(recipe.model),
        normalize=recipe.target.normalize,
        target_frames=recipe.target.frames,
        mask=recipe.mask,
        **_shared_fields(recipe),
    )


def classifier_config(recipe: FinetuneRecipe, classes: Sequence[str]) -> ModelConfig:
    """Return the configuration of the model that a fine-tuning recipe trains.

    That of a regression still lacks the mean and the standard deviation of the training values.

    Raises:
        RecipeError: `model.heads` does not divide the embedding dimension.
    """
    return ModelConfig(
        kind="classifier",
        **_head_fields(recipe.model),
        select=recipe.select,
        classes=tuple(classes),
        task=recipe.task or "single-label",
        protocol=recipe.eval,
        **_shared_fields(recipe),
    )


def _head_fields(model: ClassifierSpec) -> dict[str, Any]:
    """Return how the input of the head is computed."""
    fields: dict[str, Any] = {"norm_of": "tokens"} if model.keeps_encoder_norm else {}
    if model.head == "attentive":
        encoder = SIZES[model.size]
        heads = model.heads or encoder.heads
        if encoder.dim % heads:
            raise RecipeError(
                f"model.heads: {heads} does not divide the embedding dimension {encoder.dim} of"
                f" model.size {model.size}",
                f"--set model.heads={encoder.heads}, or leave it out",
            )
        fields |= {"pooling": "attentive", "pooler_heads": heads}
    return fields


def _shared_fields(recipe: Recipe) -> dict[str, Any]:
    clip = recipe.clip
    return {
        "encoder": SIZES[recipe.model.size].model_copy(update=_token_options(recipe.model)),
        "grid": clip.grid(),
        "mean": clip.channel_mean,
        "std": clip.channel_std,
        **{name: getattr(clip, name) for name in CLIP_FIELDS},
        "recipe": recipe.model_dump(mode="json"),
    }


def _decoder(model: AutoencoderSpec) -> TransformerConfig:
    spec = model.decoder
    return TransformerConfig(
        dim=spec.dim,
        depth=spec.depth,
        heads=spec.heads,
        mlp_dim=spec.mlp_dim or MLP_RATIO * spec.dim,
        **_token_options(model),
    )


def _token_options(model: AutoencoderSpec | ClassifierSpec) -> dict[str, Any]:
    """Return the options that a recipe gives once for encoder and decoder."""
    return model.model_dump(include={"positions", "class_token", "biases"})
