"""Optimizer steps for the benchmarks: pretraining and fine-tuning, ours and transformers'.

Each function builds a model and an optimizer, and returns a step on the same clips, masks or
labels, with fp32 weights and the given precision; `more` as in --set. Transformers gets normalised
floats, as its users give it.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from torch import Tensor, nn

from videomae_cli.config.model_config import autoencoder_config, classifier_config
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.schema import PretrainRecipe, Recipe
from videomae_cli.config.transformer import SIZES
from videomae_cli.engine.optim import adamw, parameter_groups
from videomae_cli.masking import masker_for
from videomae_cli.masking.clip_content import make_black_content
from videomae_cli.models.build import build_autoencoder, build_classifier
from videomae_cli.models.encoder import normalize_clip

Step = Callable[[], float]
"""Takes one optimizer step and returns the loss."""
CLASSES = 400


def pretrain_recipe(size: str, *more: str) -> PretrainRecipe:
    """Return the recipe of the pretraining step of a model size."""
    dim = SIZES[size].dim
    heads = max(1, dim // 128)
    decoder = [f"model.decoder.dim={dim // 2}", f"model.decoder.heads={heads}"]
    return load_recipe("k400-vitb", [f"model.size={size}", *decoder, *more], "pretrain")


def ours(size: str, batch: int, precision: str, device: str, *more: str) -> Step:
    """Return a step of our autoencoder, as `videomae pretrain` takes it."""
    recipe = pretrain_recipe(size, *more)
    torch.manual_seed(0)
    model = build_autoencoder(autoencoder_config(recipe)).to(device)
    if recipe.train.recompute:
        from videomae_cli.models.transformer.activation_checkpointing import checkpoint_activations

        checkpoint_activations(model, recipe.train.recompute)
    if recipe.train.compile:
        model.compile()
    groups = parameter_groups(model, weight_decay=0.05)
    optimizer = adamw(groups, betas=(0.9, 0.95), eps=1e-8, lr=1e-4)
    clip, noise = inputs(batch, device, recipe)
    return _training_step(model, optimizer, lambda: model(clip, noise).loss, precision, device)


def theirs(size: str, batch: int, precision: str, device: str, *more: str) -> Step:
    """Return a step of transformers' VideoMAEForPreTraining with its defaults and torch's AdamW."""
    import transformers

    recipe = pretrain_recipe(size, *more)
    decoder = autoencoder_config(recipe).decoder
    assert decoder is not None
    config = transformers.VideoMAEConfig(
        **_encoder_options(size, recipe.clip.size),
        decoder_hidden_size=decoder.dim,
        decoder_num_attention_heads=decoder.heads,
        decoder_intermediate_size=decoder.mlp_dim,
        decoder_num_hidden_layers=decoder.depth,
    )
    torch.manual_seed(0)
    model: Any = transformers.VideoMAEForPreTraining(config)
    model.to(device).train()
    if recipe.train.compile:
        model.compile()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.05)
    clip, noise = inputs(batch, device, recipe)
    tokens = recipe.clip.grid().tokens
    mask = masker_for(recipe.mask, recipe.clip.grid())(noise, make_black_content(tokens))
    hidden = torch.ones(batch, tokens, dtype=torch.bool, device=device)
    hidden.scatter_(1, mask.visible_BV, False)

    def compute_loss() -> Tensor:
        pixels = normalize_clip(clip).transpose(1, 2).contiguous()
        loss: Tensor = model(pixel_values=pixels, bool_masked_pos=hidden).loss
        return loss

    return _training_step(model, optimizer, compute_loss, precision, device)


def ours_finetune(size: str, batch: int, precision: str, device: str, *more: str) -> Step:
    """Return a step of our classifier as `videomae finetune` takes it, but without Mixup."""
    changes = [f"model.size={size}", "model.drop_path=0", *more]
    recipe = load_recipe("k400-vitb-finetune", changes, "finetune")
    config = classifier_config(recipe, [str(number) for number in range(CLASSES)])
    torch.manual_seed(0)
    model = build_classifier(config).to(device)
    if recipe.train.compile:
        model.compile()
    groups = parameter_groups(
        model, weight_decay=0.05, layer_decay=recipe.optim.layer_decay, depth=config.encoder.depth
    )
    optimizer = adamw(groups, betas=(0.9, 0.999), eps=1e-8, lr=1e-4)
    clip, noise = inputs(batch, device, recipe)
    labels = torch.arange(batch, device=device)

    def compute_loss() -> Tensor:
        return F.cross_entropy(model(clip, noise[:, 0]).float(), labels)

    return _training_step(model, optimizer, compute_loss, precision, device)


def theirs_finetune(size: str, batch: int, precision: str, device: str, *more: str) -> Step:
    """Return a step of transformers' VideoMAEForVideoClassification and torch's AdamW."""
    import transformers

    recipe = load_recipe("k400-vitb-finetune", [f"model.size={size}", *more], "finetune")
    options = _encoder_options(size, recipe.clip.size) | {"num_labels": CLASSES}
    config = transformers.VideoMAEConfig(**options)
    torch.manual_seed(0)
    model: Any = transformers.VideoMAEForVideoClassification(config)
    model.to(device).train()
    if recipe.train.compile:
        model.compile()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05)
    clip, _ = inputs(batch, device, recipe)
    labels = torch.arange(batch, device=device)

    def compute_loss() -> Tensor:
        pixels = normalize_clip(clip).transpose(1, 2).contiguous()
        loss: Tensor = model(pixel_values=pixels, labels=labels).loss
        return loss

    return _training_step(model, optimizer, compute_loss, precision, device)


def _encoder_options(size: str, pixels: Any) -> dict[str, Any]:
    encoder = SIZES[size]
    return {
        "image_size": pixels,
        "hidden_size": encoder.dim,
        "num_hidden_layers": encoder.depth,
        "num_attention_heads": encoder.heads,
        "intermediate_size": encoder.mlp_dim,
    }


def _training_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    compute_loss: Callable[[], Tensor],
    precision: str,
    device: str,
) -> Step:
    parameters = [p for p in model.parameters() if p.requires_grad]
    device_type = torch.device(device).type

    def step() -> float:
        with torch.autocast(device_type, torch.bfloat16, enabled=precision == "bf16"):
            loss = compute_loss()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    return step


def inputs(batch: int, device: str, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Return the same clips and noise every time."""
    torch.manual_seed(0)
    clip = recipe.clip
    pixels = torch.randint(
        0, 256, (batch, 3, clip.frames, clip.height, clip.width), dtype=torch.uint8
    )
    return pixels.to(device), torch.rand(batch, 2, clip.grid().tokens).to(device)
