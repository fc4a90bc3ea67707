"""VideoMS: VideoMAE's autoencoder among the tokens that move most."""

from collections.abc import Iterator
from itertools import groupby

import torch
from torch import Tensor

from tests.parity.golden_file import Golden, Quantity, difference, load_weights
from tests.parity.measure import build_encoder, measure_config
from videomae_cli.config.model import MaskSpec
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import masker_for
from videomae_cli.masking.clip_content import Content
from videomae_cli.masking.motion import scores
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.targets import patchify


def pretrain(golden: Golden) -> Iterator[Quantity]:
    """The autoencoder: embeddings, which tokens are hidden and which dropped, predictions."""
    tensors, weights = golden.tensors, golden.weights()
    video, embedded = tensors["video"], tensors["patch_embeddings"]
    encoder = build_encoder(golden, weights, video.shape, prefix="encoder.", final_norm=True)
    grid, decoder = (
        encoder.grid,
        measure_config(weights, "decoder.", int(golden.fact("decoder_heads"))),
    )
    pool = 1 - float(golden.fact("motion_ratio"))
    spec = MaskSpec(strategy="motion", ratio=float(golden.fact("mask_ratio")), pool=pool)
    masker = masker_for(spec, grid)
    model = Autoencoder(encoder, decoder, masker)
    load_weights(model, weights)
    tubelets = patchify(video, grid)
    noise_BN = noise_of_tokens(golden, Content(tubelets, lambda pixels: embedded), grid)
    with torch.no_grad():
        yield from difference(tensors, "patch_embeddings", encoder.embed(tubelets))
        noise_B2N = torch.stack((noise_BN, noise_BN), dim=1)
        mask = masker(noise_B2N, Content(tubelets, lambda pixels: embedded))
        for name, shown in (
            ("hidden_from_encoder", mask.visible_BV),
            ("not_reconstructed", mask.target_BM),
        ):
            others = torch.ones_like(noise_BN).scatter(1, shown, 0.0)
            yield from difference({name: tensors[name].float()}, name, others, 0.0)
        yield from difference(tensors, "pred", model.decode(model.encode(video, mask), mask))


def noise_of_tokens(golden: Golden, content: Content, grid: TokenGrid) -> Tensor:
    """Spread the file's noise, which is by rank in the pool, over the tokens.

    Tokens with the same score have no order, and the reference's sort is not stable: among such the
    file decides who is in the pool, and the visible ones get the lower noise.
    """
    noise, hidden = golden.tensors["noise"], golden.tensors["hidden_from_encoder"]
    dropped = hidden & golden.tensors["not_reconstructed"]
    scores_BN = scores(content, grid, "online")
    spread_BN = torch.full_like(scores_BN, 1 - 2**-24)
    for score_N, hidden_N, dropped_N, drawn, spread_N in zip(
        scores_BN.tolist(),
        hidden.tolist(),
        dropped.tolist(),
        noise.tolist(),
        spread_BN,
        strict=True,
    ):
        order = sorted(range(len(score_N)), key=lambda n: (-score_N[n], dropped_N[n], hidden_N[n]))
        start = 0
        for _, equals in groupby(order[: len(drawn)], key=score_N.__getitem__):
            tokens = list(equals)
            values = sorted(drawn[start : start + len(tokens)])
            spread_N[tokens] = torch.tensor(values)
            start += len(tokens)
    return spread_BN
