import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from videomae_cli.models import pixel_loss as module
from videomae_cli.models.pixel_loss import pixel_loss


def make_targets(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.float().div(255)


@pytest.mark.parametrize("values", [1, 5 * 12, 2**19])
@pytest.mark.parametrize("share", [1.0, 1 / 3])
def test_slices_have_the_bits_of_the_whole(
    values: int, share: float, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "SLICE", values)
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (3, 7, 12), dtype=torch.uint8)
    counted = torch.rand(3, 7) > 0.3
    prediction = torch.randn(3, 7, 12, requires_grad=True)
    errors = F.mse_loss(prediction, make_targets(pixels), reduction="none").mean(dim=-1)
    expected = (errors * counted).sum() / counted.sum()
    (right,) = torch.autograd.grad(expected * share, prediction)

    loss = pixel_loss(prediction, pixels, counted, make_targets)
    (gradient,) = torch.autograd.grad(loss * share, prediction)

    assert torch.equal(loss, expected)
    assert torch.equal(gradient, right)
    assert not gradient[~counted].any() and gradient[counted].all()


def test_of_a_bfloat16_prediction_the_loss_is_exact_and_the_gradient_is_rounded():
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (2, 9, 24), dtype=torch.uint8)
    counted = torch.ones(2, 9, dtype=torch.bool)
    prediction = torch.randn(2, 9, 24).bfloat16().requires_grad_()
    exact = prediction.detach().float().requires_grad_()

    loss = pixel_loss(prediction, pixels, counted, make_targets)
    expected = pixel_loss(exact, pixels, counted, make_targets)
    (gradient,) = torch.autograd.grad(loss, prediction)
    (right,) = torch.autograd.grad(expected, exact)

    assert torch.equal(loss, expected) and loss.dtype == torch.float32
    assert gradient.dtype == torch.bfloat16
    torch.testing.assert_close(gradient.float(), right, rtol=2**-7, atol=0)
