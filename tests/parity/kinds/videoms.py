"""VideoMS: VideoMAE's autoencoder among the tokens that move most."""

from collections.abc import Iterator

import torch
from torch import Tensor

from tests.parity.golden_file import Golden, Quantity, difference, fill
from tests.parity.measure import build_encoder, stack_of
from videomae_cli.config.model import MaskSpec
from videomae_cli.grid import TokenGrid
from videomae_cli.masking import masker_for
from videomae_cli.masking.content import Content
from videomae_cli.masking.motion import most_moving, scores
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.targets import patchify


def pretrain(golden: Golden) -> Iterator[Quantity]:
    """The autoencoder: embeddings, which tokens are hidden and which dropped, predictions."""
    tensors, weights = golden.tensors, golden.weights()
    video, embedded = tensors["video"], tensors["patch_embeddings"]
    encoder = build_encoder(golden, weights, video.shape, prefix="encoder.", final_norm=True)
    grid, decoder = encoder.grid, stack_of(weights, "decoder.", int(golden.fact("decoder_heads")))
    pool = 1 - float(golden.fact("motion_ratio"))
    spec = MaskSpec(strategy="motion", ratio=float(golden.fact("mask_ratio")), pool=pool)
    masker = masker_for(spec, grid)
    model = Autoencoder(encoder, decoder, grid, masker)
    fill(model, weights)
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

    Tokens with the same score have no order; the reference's sort is not stable. Among such the
    visible ones get the lower noise, so that a pair across the edge is taken as the file has it.
    """
    noise, hidden = golden.tensors["noise"], golden.tensors["hidden_from_encoder"]
    scores_BN = scores(content, grid, "online")
    pool_BK = most_moving(scores_BN, noise.shape[1])
    spread_BN = torch.zeros_like(scores_BN)
    for clip, pool in enumerate(pool_BK.tolist()):
        ranked = sorted(pool, key=lambda token: -scores_BN[clip, token].item())
        drawn: dict[float, list[float]] = {}
        for rank, token in enumerate(ranked):
            drawn.setdefault(scores_BN[clip, token].item(), []).append(noise[clip, rank].item())
        for score, values in drawn.items():
            equals = [token for token in pool if scores_BN[clip, token].item() == score]
            equals.sort(key=lambda token: bool(hidden[clip, token]))
            for token, value in zip(equals, sorted(values), strict=True):
                spread_BN[clip, token] = value
    return spread_BN
