"""A golden file as data: inputs, outputs and weights of a reference; and how far ours are off."""

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
        UnknownFileError: One is missing, left over, or of another shape.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise UnknownFileError(f"its weights do not fit: {error}") from error
    model.train()


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
