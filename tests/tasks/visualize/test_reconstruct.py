"""Reconstructions use no hidden pixel, unless `target_stats` is set."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.notes import AUTOENCODER, GRID, learned
from videomae_cli.config.model import MaskSpec
from videomae_cli.masking import masker_for
from videomae_cli.masking.mask import Mask
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.build import build_autoencoder
from videomae_cli.models.targets import patchify, unpatchify
from videomae_cli.tasks.visualize.reconstruct import estimate_statistics, reconstruct

G = GRID


def _model(normalize: str = "patch") -> Autoencoder:
    torch.manual_seed(0)
    return build_autoencoder(AUTOENCODER.model_copy(update={"normalize": normalize})).eval()


def _joint_model() -> Autoencoder:
    torch.manual_seed(0)
    return build_autoencoder(learned(AUTOENCODER)).eval()


def _clip(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (1, 3, 4, 32, 32), dtype=torch.uint8, generator=generator)


def _noise() -> Tensor:
    return torch.rand(1, 2, G.tokens, generator=torch.Generator().manual_seed(5))


def _with_hidden_changed(clip_BCTHW: Tensor, mask: Mask) -> Tensor:
    tubelets_BNP = patchify(clip_BCTHW, G).clone()
    tubelets_BNP[:, mask.target_BM[0]] = 255 - tubelets_BNP[:, mask.target_BM[0]] // 3
    return unpatchify(tubelets_BNP, G)


@pytest.mark.parametrize("normalize", ["patch", "none", "joint"])
def test_the_picture_does_not_depend_on_a_hidden_pixel(normalize: str) -> None:
    model = _joint_model() if normalize == "joint" else _model(normalize)
    clip_BCTHW = _clip()
    first, mask = reconstruct(model, clip_BCTHW, _noise())

    other, _ = reconstruct(model, _with_hidden_changed(clip_BCTHW, mask), _noise())

    assert torch.equal(first.clip_BCTHW, other.clip_BCTHW)
    assert first.psnr != other.psnr


def test_ground_truth_statistics_depend_on_hidden_pixels_and_are_labelled() -> None:
    model, clip_BCTHW = _model(), _clip()
    first, mask = reconstruct(model, clip_BCTHW, _noise(), target_stats=True)

    other, _ = reconstruct(
        model, _with_hidden_changed(clip_BCTHW, mask), _noise(), target_stats=True
    )

    assert first.statistics == "target"
    assert not torch.equal(first.clip_BCTHW, other.clip_BCTHW)


def test_statistics_are_labelled_with_their_source() -> None:
    assert reconstruct(_model(), _clip(), _noise())[0].statistics == "visible"
    assert reconstruct(_model("none"), _clip(), _noise())[0].statistics == "none"


def test_visible_tokens_are_the_input_and_have_no_error() -> None:
    clip_BCTHW = _clip()

    reconstruction, mask = reconstruct(_model(), clip_BCTHW, _noise())

    before, after = patchify(clip_BCTHW, G), patchify(reconstruction.clip_BCTHW, G)
    visible, target = mask.visible_BV[0], mask.target_BM[0]
    assert torch.equal(before[0, visible], after[0, visible])
    assert not torch.equal(before[0, target], after[0, target])
    assert torch.isnan(reconstruction.error_BN[0, visible]).all()
    assert torch.isfinite(reconstruction.error_BN[0, target]).all()


def test_loss_and_psnr_follow_their_definitions() -> None:
    model, clip_BCTHW, noise_B2N = _model("none"), _clip(), _noise()

    reconstruction, mask = reconstruct(model, clip_BCTHW, noise_B2N)

    output = model(clip_BCTHW, noise_B2N)
    truth = patchify(clip_BCTHW, G)[0, mask.target_BM[0]].double().numpy() / 255
    filled = output.prediction_BMP[0].detach().double().numpy().clip(0, 1)
    assert reconstruction.loss == pytest.approx(float(output.loss.detach()))
    assert reconstruction.psnr == pytest.approx(
        -10 * np.log10(((filled - truth) ** 2).mean()), abs=1e-4
    )


def test_a_perfect_prediction_with_true_statistics_is_the_original() -> None:
    class Oracle(Autoencoder):
        def decode(self, latents_BVD: Tensor, mask: Mask) -> Tensor:
            return self.target(clip_BCTHW, mask)

    model, clip_BCTHW = _model(), _clip()
    model.__class__ = Oracle

    reconstruction, _ = reconstruct(model, clip_BCTHW, _noise(), target_stats=True)
    assert reconstruction.predicted_frames == 2
    honest, _ = reconstruct(model, clip_BCTHW, _noise())

    assert torch.equal(reconstruction.clip_BCTHW, clip_BCTHW)
    assert reconstruction.loss < 1e-9 and reconstruction.psnr > 60
    assert honest.psnr < reconstruction.psnr and honest.psnr == honest.ceiling_psnr


def test_the_estimated_mean_of_a_uniform_clip_is_its_colour() -> None:
    mask = Mask(torch.tensor([[0, 5]]), torch.tensor([[1, 20, 31]]), torch.ones(1, 3).bool())
    colour = torch.tensor([0.2, 0.5, 0.9])

    mean_BMC, std_BMC = estimate_statistics(colour.repeat(1, 2, 128), mask, G)

    assert torch.allclose(mean_BMC, colour.expand(1, 3, 3), atol=1e-6)
    assert torch.allclose(std_BMC, torch.full((1, 3, 3), 1e-6), atol=1e-6)


def test_nearer_tokens_have_larger_weights() -> None:
    # tokens 0 and 3 are the ends of a row of four; 1 is next to 0
    mask = Mask(torch.tensor([[0, 3]]), torch.tensor([[1]]), torch.ones(1, 1).bool())
    visible_BVP = torch.stack([torch.zeros(384), torch.ones(384)])[None]

    mean_BMC, _ = estimate_statistics(visible_BVP, mask, G)

    # distances 1 and 2, to the power of 4: weights 16 and 1
    assert mean_BMC[0, 0].tolist() == pytest.approx([1 / 17] * 3)


def test_a_perfect_prediction_of_a_joint_model_is_the_original_in_the_predicted_frames() -> None:
    class Oracle(Autoencoder):
        def decode(self, latents_BVD: Tensor, mask: Mask) -> Tensor:
            return self.target(clip_BCTHW, mask)

    model, clip_BCTHW = _joint_model(), _clip()
    model.__class__ = Oracle

    reconstruction, mask = reconstruct(model, clip_BCTHW, _noise(), target_stats=True)
    honest, _ = reconstruct(model, clip_BCTHW, _noise())

    hidden_N1 = torch.zeros(G.tokens, 1, dtype=torch.uint8)
    hidden_N1[mask.target_BM[0]] = 1
    is_hidden = unpatchify(hidden_N1.expand(-1, G.tubelet_pixels)[None], G).bool()[0]
    filled, original = reconstruction.clip_BCTHW[0].int(), clip_BCTHW[0].int()
    for shown, predicted in enumerate([0, 0, 3, 3]):  # the last tubelet's second frame is predicted
        difference = (filled[:, shown] - original[:, predicted])[is_hidden[:, shown]]
        assert difference.abs().max() <= 1
    assert torch.equal(filled[~is_hidden], original[~is_hidden])
    assert (
        reconstruction.predicted_frames == 1
        and reconstruction.psnr > 60
        and reconstruction.loss < 1e-9
    )
    assert honest.statistics == "visible" and honest.psnr < reconstruction.psnr
    assert honest.psnr == pytest.approx(honest.ceiling_psnr, abs=1e-4)


def test_a_joint_model_fills_a_uniform_clip_with_its_colour() -> None:
    model = _joint_model()
    colour = torch.tensor([40, 128, 220], dtype=torch.uint8)
    clip_BCTHW = colour[None, :, None, None, None].expand(1, 3, 4, 32, 32).contiguous()

    class Uniform(Autoencoder):
        def decode(self, latents_BVD: Tensor, mask: Mask) -> Tensor:
            return self.target(clip_BCTHW, mask)

    model.__class__ = Uniform
    reconstruction, _ = reconstruct(model, clip_BCTHW, _noise())

    assert (reconstruction.clip_BCTHW.int() - clip_BCTHW.int()).abs().max() <= 1
    assert reconstruction.plain_psnr > 60


@pytest.mark.parametrize(
    "spec",
    [
        MaskSpec(strategy="motion", ratio=0.75, pool=0.5, source="pixels"),
        MaskSpec(strategy="tube", ratio=0.75, targets="running-cell", targets_ratio=0.5),
    ],
)
def test_tokens_neither_visible_nor_predicted_stay_black(spec: MaskSpec) -> None:
    model, clip_BCTHW = _model(), _clip()
    model.masker = masker_for(spec, G)

    reconstruction, mask = reconstruct(model, clip_BCTHW, _noise(), target_stats=True)

    before, after = patchify(clip_BCTHW, G)[0], patchify(reconstruction.clip_BCTHW, G)[0]
    visible, target = mask.visible_BV[0], mask.target_BM[0]
    unpredicted = torch.ones(G.tokens, dtype=torch.bool)
    unpredicted[visible] = unpredicted[target] = False
    assert unpredicted.any() and not after[unpredicted].any()
    assert torch.equal(after[visible], before[visible])
    counted = target[mask.counted_BM[0]]
    assert after[counted].any(dim=-1).all()
    assert torch.equal(torch.isfinite(reconstruction.error_BN[0]).nonzero()[:, 0], counted)
    error = (after[counted].double() - before[counted].double()) / 255
    assert reconstruction.psnr == pytest.approx(-10 * float((error**2).mean().log10()), abs=0.02)
