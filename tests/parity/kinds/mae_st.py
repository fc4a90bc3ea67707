"""MAE-ST: its autoencoder, which predicts every token, and its classifier."""

import re
from collections.abc import Iterator

import torch
from torch import Tensor

from tests.parity.golden_file import Golden, Quantity, UnknownFileError, difference, load_weights
from tests.parity.measure import build_encoder, measure_config
from videomae_cli.config.model import MaskSpec
from videomae_cli.masking import masker_for
from videomae_cli.masking.mask import Mask, select
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.target_frames import linspace_frames
from videomae_cli.models.targets import patchify

NAMES = {
    r"(patch_embed|blocks|norm)\.": r"encoder.\1.",
    r"cls_token$": "encoder.class_token",
    r"pos_embed_": "encoder.positions.",
    r"decoder_(blocks|norm)\.": r"decoder.\1.",
    r"decoder_pred\.": "decoder.head.",
    r"decoder_embed\.": "encoder_to_decoder.",
    r"decoder_cls_token$": "decoder.class_token",
    r"decoder_pos_embed_": "decoder.positions.",
}
PLACES = {"spatial": "space", "temporal": "time", "class": "token"}


def pretrain(golden: Golden) -> Iterator[Quantity]:
    """The autoencoder: mask, predictions of all tokens, loss."""
    tensors = golden.tensors
    video, noise = tensors["video"], tensors["noise"]
    model = build_autoencoder(golden)
    noise_B2N = torch.stack((noise, noise), dim=1)
    with torch.no_grad():
        loss, _, mask = model(video, noise_B2N)
        hidden = torch.zeros_like(noise).scatter(1, mask.target_BM, 1.0)
        yield from difference(tensors, "mask", hidden, 0.0)
        every = predict_every_token(model, video, mask)
        yield from difference(tensors, "pred", every)
        if golden.metadata.get("norm_pix_loss") == "False":  # videomae normalises, or takes 0..1
            pixels = model.target_frames(patchify(video, model.grid), mask.target_BM)
            loss = (select(every, mask.target_BM) - pixels).square().mean()
        yield from difference(tensors, "loss", loss.reshape(1))


def finetune(golden: Golden) -> Iterator[Quantity]:
    """The classifier: logits."""
    tensors, weights = golden.tensors, native(golden.weights())
    renamed = {name.replace("encoder.norm.", "fc_norm."): value for name, value in weights.items()}
    encoder = build_encoder(
        golden, weights, tensors["video"].shape, prefix="encoder.", final_norm=False
    )
    model = Classifier(encoder, len(weights["head.weight"]))
    load_weights(model, renamed)
    with torch.no_grad():
        yield from difference(tensors, "logits", model(tensors["video"]))


def build_autoencoder(golden: Golden) -> Autoencoder:
    """Build the model that the file's shapes describe, and fill it."""
    weights = native(golden.weights())
    encoder = build_encoder(
        golden, weights, golden.tensors["video"].shape, prefix="encoder.", final_norm=True
    )
    grid, decoder = (
        encoder.grid,
        measure_config(weights, "decoder.", int(golden.fact("decoder_heads"))),
    )
    per_tubelet = len(weights["decoder.head.bias"]) // (grid.tubelet_pixels // grid.tubelet)
    model = Autoencoder(
        encoder,
        decoder,
        masker_for(MaskSpec(strategy="random", ratio=float(golden.fact("mask_ratio"))), grid),
        "joint",
        frame_tu=linspace_frames(grid, per_tubelet),
    )
    load_weights(model, weights)
    return model


def predict_every_token(model: Autoencoder, video: Tensor, mask: Mask) -> Tensor:
    """Predict visible tokens too, in the order of the grid, as the reference does."""
    latents = model.encoder_to_decoder(model.encode(video, mask))
    mixed = model.decoder.run_blocks(latents, model.mask_token, mask)[:, -model.grid.tokens :]
    predicted = model.decoder.head(model.decoder.norm(mixed))
    return select(predicted, torch.cat((mask.visible_BV, mask.target_BM), dim=1).argsort(dim=1))


def native(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename weights, and join queries, keys and values.

    Raises:
        UnknownFileError: A query, key or value is missing.
    """
    renamed = {}
    for name, value in weights.items():
        matches = (p for p in NAMES if re.match(p, name))
        pattern = next(matches, "^$")
        known = re.sub(pattern, NAMES.get(pattern, ""), name, count=1)
        stem, _, last = known.rpartition(".")
        renamed[f"{stem}.{PLACES.get(last, last)}" if stem.endswith("positions") else known] = value
    for name in [name for name in renamed if name.endswith("attn.q.weight")]:
        at = name.removesuffix("q.weight")
        try:
            parts = [renamed.pop(f"{at}{part}.weight") for part in "qkv"]
            renamed[f"{at}qkv.weight"] = torch.cat(parts)
            for part in "qkv":
                renamed[f"{at}{part}_bias"] = renamed.pop(f"{at}{part}.bias")
        except KeyError as error:
            raise UnknownFileError(f"it lacks the weights {error}") from error
    return renamed
