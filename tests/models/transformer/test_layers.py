import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.grid import TokenGrid
from videomae_cli.models.targets import patchify
from videomae_cli.models.transformer.layers import (
    Block,
    DropPath,
    Mlp,
    TubeletEmbed,
    build_blocks,
)


def test_the_embedding_is_a_strided_convolution():
    grid = TokenGrid(6, 24, 16, tubelet=3, patch=8)
    embed = TubeletEmbed(grid, 10)
    clip = torch.rand(2, 3, 6, 24, 16)

    tokens = embed(patchify(clip, grid))

    expected = F.conv3d(clip, embed.proj.weight, embed.proj.bias, stride=(3, 8, 8))
    torch.testing.assert_close(tokens, expected.flatten(2).transpose(1, 2), atol=1e-5, rtol=0)


def test_the_mlp_is_that_of_timm_bit_for_bit():
    timm_mlp = pytest.importorskip("timm.layers").Mlp
    torch.manual_seed(0)
    theirs = timm_mlp(12, 20)
    torch.manual_seed(0)
    ours = Mlp(12, 20)
    x = torch.randn(2, 5, 12)

    assert {n: w.shape for n, w in ours.named_parameters()} == {
        n: w.shape for n, w in theirs.named_parameters()
    }
    assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize("drop_prob", [0.1, 0.75, 1.0])
def test_stochastic_depth_is_that_of_timm_bit_for_bit(drop_prob: float):
    theirs, ours = pytest.importorskip("timm.layers").DropPath(drop_prob), DropPath(drop_prob)
    x = torch.randn(64, 3, 4)

    for is_training in (True, False):
        torch.manual_seed(1)
        expected = theirs.train(is_training)(x)
        torch.manual_seed(1)
        assert torch.equal(ours.train(is_training)(x), expected)
    dropped = ours.train()(x).flatten(1).eq(0).all(dim=1)
    assert dropped.any() and (drop_prob == 1) == bool(dropped.all())


def test_the_residual_stream_stays_float32_under_autocast():
    block = Block(16, 2, 64)

    with torch.autocast("cpu", torch.bfloat16):
        out = block(torch.randn(1, 4, 16))

    assert out.dtype == torch.float32


def test_stochastic_depth_increases_linearly_to_its_last_block():
    blocks = build_blocks(TransformerConfig(dim=8, depth=5, heads=2, mlp_dim=8), 0.2)

    probabilities = [getattr(block.drop_path, "drop_prob", 0.0) for block in blocks]

    assert probabilities == pytest.approx([0.0, 0.05, 0.1, 0.15, 0.2])


def test_a_dropped_path_does_not_change_a_clip_and_a_kept_one_is_scaled():
    torch.manual_seed(0)
    block = Block(8, 2, 16, drop_path=0.5)
    block.mlp.fc2.weight.data.zero_()
    block.mlp.fc2.bias.data.zero_()
    x = torch.randn(64, 3, 8)

    moved = block(x) - x
    whole = block.eval()(x) - x

    is_dropped = (moved == 0).flatten(1).all(dim=1)
    assert 0 < is_dropped.sum() < 64
    torch.testing.assert_close(moved[~is_dropped], 2 * whole[~is_dropped], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("recompute", [False, True])
def test_the_last_tokens_alone_are_those_of_all(recompute: bool):
    block = Block(32, 2, 80, biases="all")
    block.recomputes = recompute
    x = torch.randn(3, 20, 32, requires_grad=True)
    gradient = torch.randn(3, 13, 32)
    whole = block(x)[:, -13:]
    parameters = [x, *block.parameters()]
    expected = torch.autograd.grad(whole, parameters, gradient)

    last = block(x, 13)

    torch.testing.assert_close(last, whole)
    for found, right in zip(torch.autograd.grad(last, parameters, gradient), expected, strict=True):
        torch.testing.assert_close(found, right, atol=1e-5, rtol=1e-5)
