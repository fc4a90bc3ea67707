"""Compare our models with golden outputs of the reference: python tests/parity/golden.py FILE...

Reads `.safetensors` files of the kinds `videomae_pretrain` and `videomae_finetune`: inputs, outputs
and the weights under `sd.`. The kind is told by the tensors inside, sizes by their shapes, and only
what shapes cannot tell (heads, the optimizer) by the metadata. One line per quantity: the largest
difference and the tolerance. Exit code 0 when all agree, 1 when one does not, 2 for a file of no
kind it knows.
"""

import argparse
import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  (its usual name)
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from videomae_cli.config.card import StackSpec
from videomae_cli.engine.optim import Group, adamw, parameter_groups
from videomae_cli.grid import TokenGrid
from videomae_cli.masking.mask import Mask, check
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.encoder import Encoder

TOLERANCE = 1e-5
NORM_TOLERANCE = 1e-4
TARGETS: tuple[tuple[Literal["none", "patch"], str, str], ...] = (
    ("none", "target_pixels", "loss_pixels"),
    ("patch", "target_normalized", "loss"),
)
NUMBER = r"([-+.\de]*\d)"


class UnknownFileError(Exception):
    """A file that is none of the golden kinds, or lacks what its kind needs."""


class Golden(NamedTuple):
    """What a file holds."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]

    def tensor(self, name: str) -> Tensor:
        """One tensor that its kind needs."""
        if name not in self.tensors:
            raise UnknownFileError(f"it has no tensor {name!r}")
        return self.tensors[name]

    def weights(self) -> dict[str, Tensor]:
        """The reference's state dict."""
        return {k.removeprefix("sd."): v for k, v in self.tensors.items() if k.startswith("sd.")}

    def fact(self, name: str) -> str:
        """One entry of the metadata."""
        if name not in self.metadata:
            raise UnknownFileError(f"its metadata has no {name!r}")
        return self.metadata[name]

    def optimizer(self, pattern: str, default: float | None = None) -> float:
        """One number of the optimizer's description; `NUMBER` stands for it in the pattern."""
        found = re.search(pattern.replace("NUMBER", NUMBER), self.fact("optimizer"))
        if found is not None:
            return float(found[1])
        if default is None:
            raise UnknownFileError(f"its optimizer {self.fact('optimizer')!r} lacks {pattern!r}")
        return default


class Quantity(NamedTuple):
    """How far apart one quantity is."""

    name: str
    difference: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Is it near enough? Not-a-number never is."""
        return self.difference <= self.tolerance


def main(arguments: list[str]) -> int:
    """Compare every file; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", nargs="+", type=Path)
    worst = 0
    for path in parser.parse_args(arguments).file:
        try:
            for quantity in compare(path):
                verdict = "ok" if quantity.agrees else "DIFFERS"
                print(
                    f"{path.name}  {quantity.name:20} {quantity.difference:.2e}"
                    f"  (tolerance {quantity.tolerance:.0e})  {verdict}"
                )
                worst = max(worst, int(not quantity.agrees))
        except UnknownFileError as error:
            print(f"{path}: not a golden file this script knows: {error}", file=sys.stderr)
            worst = 2
    return worst


def compare(path: Path) -> Iterator[Quantity]:
    """Yield every quantity that the file fixes.

    Raises:
        UnknownFileError: The file is none of the kinds.
    """
    golden = read(path)
    for signature, quantities in KINDS.values():
        if signature <= golden.tensors.keys():
            yield from quantities(golden)
            return
    some = ", ".join(sorted(golden.tensors)[:4]) or "no tensors"
    raise UnknownFileError(f"it holds {some}, ... and is none of {', '.join(KINDS)}")


def read(path: Path) -> Golden:
    """Read tensors and metadata.

    Raises:
        UnknownFileError: It cannot be read as safetensors.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return Golden(tensors, file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise UnknownFileError(str(error)) from error


def pretrain(golden: Golden) -> Iterator[Quantity]:
    """VideoMAE's autoencoder: parts, losses, and optimizer steps."""
    tensors, weights = golden.tensors, golden.weights()
    clip = tensors["frames"].permute(0, 4, 1, 2, 3)
    model, mask = build_autoencoder(golden)
    fill(model, weights)
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
    fill(model, {native(name): value for name, value in weights.items()})
    video = tensors["video"]
    with torch.no_grad():
        yield from difference(tensors, "features", model.features(video))
        yield from difference(tensors, "logits", model(video))
    if "param_groups" not in golden.metadata:
        return
    expected = json.loads(golden.fact("param_groups"))
    groups = parameter_groups(
        model,
        weight_decay=max(entry["weight_decay"] for entry in expected.values()),
        layer_decay=float(golden.fact("layer_decay")),
        depth=encoder.stack.depth,
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


KINDS: dict[str, tuple[set[str], Callable[[Golden], Iterator[Quantity]]]] = {
    "videomae_pretrain": (
        {"frames", "mask", "sd.encoder.blocks.0.attn.qkv.weight", "sd.encoder_to_decoder.weight"},
        pretrain,
    ),
    "videomae_finetune": (
        {"video", "sd.blocks.0.attn.qkv.weight", "sd.fc_norm.weight", "sd.head.weight"},
        finetune,
    ),
}


def build_autoencoder(golden: Golden) -> tuple[Autoencoder, Mask]:
    """Build the model that the file's shapes describe, and its mask."""
    weights, hidden = golden.weights(), golden.tensors["mask"].bool()
    batch, frames, height, width, channels = golden.tensors["frames"].shape
    shape = torch.Size((batch, channels, frames, height, width))
    encoder = build_encoder(golden, weights, shape, prefix="encoder.", final_norm=True)
    visible, target = ((x.nonzero()[:, 1].reshape(batch, -1)) for x in (~hidden, hidden))
    mask = Mask(visible, target, torch.ones_like(target, dtype=torch.bool))
    check(mask, encoder.grid)
    decoder = stack_of(weights, "decoder.", int(golden.fact("decoder_heads")))
    return Autoencoder(encoder, decoder, encoder.grid, lambda noise, content: mask), mask


def build_encoder(
    golden: Golden,
    weights: dict[str, Tensor],
    clip_shape: torch.Size,
    *,
    final_norm: bool,
    prefix: str = "",
) -> Encoder:
    """Build the encoder that the file's shapes describe."""
    _, channels, tubelet, patch, _ = weights[f"{prefix}patch_embed.proj.weight"].shape
    _, _, frames, height, width = clip_shape
    grid = TokenGrid(frames, height, width, tubelet, patch, channels)
    stack = stack_of(weights, prefix, int(golden.fact("encoder_heads")))
    return Encoder(grid, stack, final_norm=final_norm)


def stack_of(weights: dict[str, Tensor], prefix: str, heads: int) -> StackSpec:
    """Measure a stack of blocks."""
    mlp_dim, dim = weights[f"{prefix}blocks.0.mlp.fc1.weight"].shape
    pattern = re.compile(re.escape(prefix) + r"blocks\.\d+\.norm1\.weight")
    depth = sum(bool(pattern.fullmatch(name)) for name in weights)
    return StackSpec(dim=dim, depth=depth, heads=heads, mlp_dim=mlp_dim)


def native(name: str) -> str:
    """Rename a classifier's weight."""
    return f"encoder.{name}" if name.startswith(("patch_embed.", "blocks.")) else name


def fill(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Load every weight into every parameter.

    Raises:
        UnknownFileError: One is missing, left over, or of another shape.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise UnknownFileError(f"its weights do not fit: {error}") from error
    model.train()


def optimizer_of(golden: Golden, groups: list[Group]) -> torch.optim.AdamW:
    """Build the optimizer that the metadata describes."""
    betas = golden.optimizer(r"betas=\(NUMBER"), golden.optimizer(r"betas=\([^,]*,\s*NUMBER")
    return adamw(groups, betas=betas, eps=golden.optimizer("eps=NUMBER"))


def steps(
    loss_of: Callable[[], Tensor],
    optimizer: torch.optim.AdamW,
    *,
    rates: list[float],
    clip_norm: float,
) -> tuple[Tensor, Tensor]:
    """Take one step per rate; return the losses and the gradient norms before clipping."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    losses, norms = [], []
    for rate in rates:
        for group in optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        optimizer.zero_grad()
        loss = loss_of()
        torch.autograd.backward(loss)
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, clip_norm).item())
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses, dtype=torch.float64), torch.tensor(norms, dtype=torch.float64)


def differing_groups(
    model: nn.Module, groups: list[Group], expected: dict[str, dict[str, float]]
) -> int:
    """Count the parameters whose decay or factor is not the expected one, missing ones included."""
    ours = {id(p): group for group in groups for p in group["params"]}
    found = {name: ours[id(p)] for name, p in model.named_parameters()}
    wanted = {native(name): entry for name, entry in expected.items()}
    return sum(
        name not in found
        or name not in wanted
        or any(
            not math.isclose(found[name][key], wanted[name][key], rel_tol=1e-12)
            for key in ("lr_scale", "weight_decay")
        )
        for name in found.keys() | wanted.keys()
    )


def difference(
    tensors: dict[str, Tensor], name: str, ours: Tensor, tolerance: float = TOLERANCE
) -> Iterator[Quantity]:
    """Yield the largest difference from a tensor of the file, if it is there; inf for shapes."""
    theirs = tensors.get(name)
    if theirs is None:
        return
    theirs = theirs.reshape(ours.shape) if theirs.numel() == ours.numel() == 1 else theirs
    gap = math.inf if theirs.shape != ours.shape else (theirs - ours).abs().max().item()
    yield Quantity(name, gap, tolerance)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
