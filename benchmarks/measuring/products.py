"""The matrix products of a pretraining step: their FLOP, the step of them alone, the matrix rate.

Two counts of one step, forward and backward:

- `flop_per_clip`: the FLOP of the plain arithmetic, from the shapes of the model. It is the same
  whatever a program leaves out or computes twice, so shares of the matrix rate compare programs.
  Attention counts as torch's FlopCounterMode counts its fused kernel, which computes q k^T again in
  the backward pass; without that are the FLOP that the mathematics needs.
- `record_products`: the products that a step really ran, with their shapes and strides.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from measuring.runner import Side, timed
from videomae_cli.config.model_config import autoencoder_config
from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.masking import masker_for
from videomae_cli.masking.clip_content import make_black_content

SQUARES = {"cpu": (1024, 2048, 4096), "cuda": (4096, 8192, 16384)}
LARGEST = 5  # this many of the model's own shapes, by FLOP
RATE_SECONDS = 0.1


class FLOP(NamedTuple):
    """Floating-point operations of one clip, forward and backward; a multiply-add is two."""

    needed: int
    """Without recomputation."""
    counted: int
    """With q k^T computed again in the backward pass, as fused attention does."""


def count_visible(recipe: PretrainRecipe) -> int:
    """Return the number of tokens that a mask without content, such as `tube`, leaves visible."""
    tokens = recipe.clip.grid().tokens
    mask = masker_for(recipe.mask, recipe.clip.grid())(
        torch.rand(1, 2, tokens), make_black_content(tokens)
    )
    return mask.visible_BV.shape[1]


def flop_per_clip(recipe: PretrainRecipe) -> FLOP:
    """Return the FLOP of a pretraining step, per clip; each hidden token is a target."""
    config, grid = autoencoder_config(recipe), recipe.clip.grid()
    encoder, decoder = config.encoder, config.decoder
    assert decoder is not None
    visible = count_visible(recipe)
    # a product has two in the backward pass; that of the pixels one, since they need no gradient
    linear = 2 * 2 * visible * grid.tubelet_pixels * encoder.dim
    linear += 3 * 2 * visible * encoder.dim * decoder.dim
    linear += 3 * 2 * (grid.tokens - visible) * decoder.dim * grid.tubelet_pixels
    attention = 0
    for tokens, stack in ((visible, encoder), (grid.tokens, decoder)):
        linear += 3 * _linear_layers(tokens, stack)
        attention += 2 * tokens**2 * stack.dim * stack.depth
    return FLOP(linear + 6 * attention, linear + 7 * attention)


def _linear_layers(tokens: int, stack: TransformerConfig) -> int:
    """Return the FLOP of q, k, v, the projection and the MLP of all blocks, forward."""
    return 2 * tokens * stack.dim * (4 * stack.dim + 2 * stack.mlp_dim) * stack.depth


class Layout(NamedTuple):
    """Shape and strides of a matrix, or of a batch of matrices."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @classmethod
    def of(cls, tensor: Tensor) -> "Layout":
        """Return the layout of a tensor."""
        return cls(tuple(tensor.shape), tensor.stride())

    def make(self, device: str) -> Tensor:
        """Return random bf16 numbers in this layout."""
        steps = zip(self.shape, self.stride, strict=True)
        size = 1 + sum((length - 1) * stride for length, stride in steps)
        storage = torch.randn(size, device=device, dtype=torch.bfloat16)
        return storage.as_strided(self.shape, self.stride)


class Product(NamedTuple):
    """A product of two matrices, or of two batches of them."""

    left: Layout
    right: Layout

    @property
    def flop(self) -> int:
        """Its floating-point operations."""
        return 2 * math.prod(self.left.shape) * self.right.shape[-1]


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the matrix products of everything that runs."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.products: list[Product] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation and record its products."""
        name = func.overloadpacket.__name__.rstrip("_")  # in place or not
        if name in ("mm", "bmm"):
            self.products.append(Product(Layout.of(args[0]), Layout.of(args[1])))
        elif name in ("addmm", "baddbmm", "_addmm_activation"):
            self.products.append(Product(Layout.of(args[1]), Layout.of(args[2])))
        elif "scaled_dot_product" in name:
            self.products += _attention_products(*args[:4], is_backward="backward" in name)
        return func(*args, **(kwargs or {}))


def record_products(step: Callable[[], object]) -> list[Product]:
    """Return the matrix products of a step in their order."""
    recorder = _Recorder()
    with recorder:
        step()
    return recorder.products


def _attention_products(*tensors: Tensor, is_backward: bool) -> list[Product]:
    """Return the products inside a fused attention, whose inputs are BhNd."""
    key_BhMd, query_BhNd = tensors[2 if is_backward else 1], tensors[1 if is_backward else 0]
    batch, n, d = query_BhNd.shape[:-2].numel(), *query_BhNd.shape[-2:]
    m = key_BhMd.shape[-2]
    short, weights = Layout((batch, n, d), (n * d, d, 1)), Layout((batch, n, m), (n * m, m, 1))
    other = Layout((batch, m, d), (m * d, d, 1))
    other_T = Layout((batch, d, m), (m * d, 1, d))
    weights_T = Layout((batch, m, n), (n * m, 1, m))
    logits, mixed = Product(short, other_T), Product(weights, other)
    if not is_backward:
        return [logits, mixed]
    # again the logits, then the gradients of the weights, values, queries and keys
    return [logits, logits, Product(weights_T, short), mixed, Product(weights_T, short)]


def make_loop(products: Sequence[Product], device: str) -> Side:
    """Return a side that computes all products in their order, in bf16, and nothing else."""
    lefts = {product.left: product.left.make(device) for product in products}
    rights = {product.right: product.right.make(device) for product in products}

    def loop() -> None:
        for left, right in products:
            torch.matmul(lefts[left], rights[right])

    return lambda: timed(loop, device)


def rate_sides(
    products: Sequence[Product], device: str, squares: Sequence[int] | None = None
) -> dict[str, Side]:
    """Return sides that measure the rate of bf16 products in FLOP per second.

    They are squares, `squares` numbers wide, and the shapes with the most FLOP of a step.
    """
    totals: Counter[Product] = Counter()
    for product in products:
        totals[product] += product.flop
    largest = [product for product, _ in totals.most_common(LARGEST)]
    widths = squares or SQUARES.get(device.split(":")[0], SQUARES["cpu"])
    square_products = [Product(Layout((n, n), (n, 1)), Layout((n, n), (n, 1))) for n in widths]
    sides = {}
    for product in (*square_products, *largest):
        *batch, rows, inner = product.left.shape
        size = " x ".join(map(str, (*batch, rows, inner, product.right.shape[-1])))
        sides[f"bf16 product {size}"] = _rate_side(product, device)
    return sides


def _rate_side(product: Product, device: str) -> Side:
    left, right = product.left.make(device), product.right.make(device)

    def measure() -> float:
        once = timed(lambda: torch.matmul(left, right), device)
        times = max(1, round(RATE_SECONDS / once))

        def repeat() -> None:
            for _ in range(times):
                torch.matmul(left, right)

        return times * product.flop / timed(repeat, device)

    return measure
