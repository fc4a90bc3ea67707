"""VideoMAE V1: its autoencoder and its classifier, with optimizer steps."""

import json
import math
from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)

from tests.parity.golden_file import Golden, Quantity, difference, load_weights
from tests.parity.measure import build_encoder, measure_config
from tests.parity.steps import differing_groups, optimizer_of, steps
from videomae_cli.engine.optim import parameter_groups
from videomae_cli.masking.mask import Mask, check
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.classifier import Classifier

NORM_TOLERANCE = 1e-4
TARGETS: tuple[tuple[Literal["none", "patch"], str, str], ...] = (
    ("none", "target_pixels", "loss_pixels"),
    ("patch", "target_normalized", "loss"),
)


def pretrain(golden: Golden) -> Iterator[Quantity]:
    """VideoMAE's autoencoder: parts, losses, and optimizer steps."""
    tensors, weights = golden.tensors, golden.weights()
    clip = tensors["frames"].permute(0, 4, 1, 2, 3)
    model, mask = build_autoencoder(golden)
    load_weights(model, weights)
    with torch.no_grad():
        latent = model.encode(clip, mask)
        yield from difference(tensors, "latent", latent)
        yield from difference(tensors, "pred", model.decode(latent, mask))
        noise = torch.zeros(len(clip), 2, model.grid.tokens)
        for normalize, target, loss in TARGETS:
            model.normalize = normalize
            yield from difference(tensors, target, model.target(clip, mask))
            yield from difference(tensors, loss, model(clip, noise).loss.reshape(1))
    if "step_losses" not in tensors:
        return
    groups = parameter_groups(model, weight_decay=golden.optimizer("weight_decay=NUMBER"))
    losses, norms = steps(
        lambda: model(clip, noise).loss,
        optimizer_of(golden, groups),
        rates=golden.tensor("lr_schedule").tolist(),
        clip_norm=golden.optimizer("clip NUMBER", math.inf),
    )
    yield from difference(tensors, "step_losses", losses)
    yield from difference(tensors, "step_grad_norms", norms, NORM_TOLERANCE)


def finetune(golden: Golden) -> Iterator[Quantity]:
    """VideoMAE's classifier: features, logits, parameter groups, and optimizer steps."""
    tensors, weights = golden.tensors, golden.weights()
    encoder = build_encoder(golden, weights, tensors["video"].shape, final_norm=False)
    model = Classifier(encoder, len(weights["head.weight"]))
    load_weights(model, {native(name): value for name, value in weights.items()})
    video = tensors["video"]
    with torch.no_grad():
        yield from difference(tensors, "features", model.features(video))
        yield from difference(tensors, "logits", model(video))
    if "param_groups" not in golden.metadata:
        return
    expected = {native(n): entry for n, entry in json.loads(golden.fact("param_groups")).items()}
    groups = parameter_groups(
        model,
        weight_decay=max(entry["weight_decay"] for entry in expected.values()),
        layer_decay=float(golden.fact("layer_decay")),
        depth=encoder.config.depth,
    )
    yield Quantity("parameter groups", differing_groups(model, groups, expected), 0.0)
    if "step_losses" not in tensors:
        return
    smoothing = golden.optimizer("smoothing NUMBER", 0.0)
    losses, _ = steps(
        lambda: F.cross_entropy(model(video), golden.tensor("labels"), label_smoothing=smoothing),
        optimizer_of(golden, groups),
        rates=[golden.optimizer("lr=NUMBER")] * len(tensors["step_losses"]),
        clip_norm=golden.optimizer("clip NUMBER", math.inf),
    )
    yield from difference(tensors, "step_losses", losses)


def build_autoencoder(golden: Golden) -> tuple[Autoencoder, Mask]:
    """Build the model that the file's shapes describe, and its mask."""
    weights, hidden = golden.weights(), golden.tensors["mask"].bool()
    batch, frames, height, width, channels = golden.tensors["frames"].shape
    shape = torch.Size((batch, channels, frames, height, width))
    encoder = build_encoder(golden, weights, shape, prefix="encoder.", final_norm=True)
    visible, target = ((x.nonzero()[:, 1].reshape(batch, -1)) for x in (~hidden, hidden))
    mask = Mask(visible, target, torch.ones_like(target, dtype=torch.bool))
    check(mask, encoder.grid)
    decoder = measure_config(weights, "decoder.", int(golden.fact("decoder_heads")))
    return Autoencoder(encoder, decoder, lambda noise, content: mask), mask


def native(name: str) -> str:
    """Rename a classifier's weight."""
    return f"encoder.{name}" if name.startswith(("patch_embed.", "blocks.")) else name
