"""A golden file: inputs, outputs and weights of a reference; and the difference of our outputs."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

TOLERANCE = 1e-5
NUMBER = r"([-+.\de]*\d)"


class UnknownFileError(Exception):
    """A file that is none of the golden kinds, or lacks what its kind needs."""


class Golden(NamedTuple):
    """Content of a golden file."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]

    def tensor(self, name: str) -> Tensor:
        """Return a tensor that its kind needs."""
        if name not in self.tensors:
            raise UnknownFileError(f"it has no tensor {name!r}")
        return self.tensors[name]

    def weights(self) -> dict[str, Tensor]:
        """Return the state dict of the reference."""
        return {k.removeprefix("sd."): v for k, v in self.tensors.items() if k.startswith("sd.")}

    def fact(self, name: str) -> str:
        """Return an entry of the metadata."""
        if name not in self.metadata:
            raise UnknownFileError(f"its metadata has no {name!r}")
        return self.metadata[name]

    def optimizer(self, pattern: str, default: float | None = None) -> float:
        """Return a number in the description of the optimizer, at `NUMBER` in the pattern."""
        match = re.search(pattern.replace("NUMBER", NUMBER), self.fact("optimizer"))
        if match is not None:
            return float(match[1])
        if default is None:
            raise UnknownFileError(f"its optimizer {self.fact('optimizer')!r} lacks {pattern!r}")
        return default


class Quantity(NamedTuple):
    """The difference between our value and the reference."""

    name: str
    difference: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the tolerance; NaN never is."""
        return self.difference <= self.tolerance


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


def load_weights(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Load every weight into every parameter.

    Raises:
        UnknownFileError: A weight is missing, unexpected, or of another shape.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise UnknownFileError(f"its weights do not fit: {error}") from error
    model.train()


def difference(
    tensors: dict[str, Tensor], name: str, ours: Tensor, tolerance: float = TOLERANCE
) -> Iterator[Quantity]:
    """Yield the largest difference from a tensor of the file, if any; inf if shapes differ."""
    reference = tensors.get(name)
    if reference is None:
        return
    reference = (
        reference.reshape(ours.shape) if reference.numel() == ours.numel() == 1 else reference
    )
    gap = math.inf if reference.shape != ours.shape else (reference - ours).abs().max().item()
    yield Quantity(name, gap, tolerance)
