"""Detect known defects of published files from the weights, the configuration and the file name."""

import re
from collections.abc import Mapping

from torch import Tensor

from videomae_cli.config.model_config import ModelConfig

ZERO_BIASES = (
    "all query and value biases are zero: transformers 5.5.1 to 5.17.0 lose them when they load a"
    " folder and save it again; use the original folder"
)
UNTRAINED_HEAD = "all biases of the head are zero: the head was probably never trained"
FIRST_TOKEN = (
    "the head reads the first token instead of the mean over the tokens, as transformers does for"
    " classifiers made from its pretraining folders; kept as it is"
)


def find_defects(
    weights: Mapping[str, Tensor], config: ModelConfig, format_name: str
) -> tuple[str, ...]:
    """Return one sentence for each known defect that native weights read from a format show."""
    defects = []
    biases = [t for name, t in weights.items() if name.endswith((".q_bias", ".v_bias"))]
    if format_name.startswith("hf") and biases and _all_zero(biases):
        defects.append(ZERO_BIASES)
    if "head.bias" in weights and _all_zero([weights["head.bias"]]):
        defects.append(UNTRAINED_HEAD)
    if config.pooling == "first":
        defects.append(FIRST_TOKEN)
    return tuple(defects)


def find_digest_mismatch(name: str, digest: str) -> tuple[str, ...]:
    """Return a sentence if a file's SHA-256, in hexadecimal, differs from the one in its name.

    Published files are named `NAME-12345678.pth` after the first eight digits of their SHA-256.
    """
    match = re.search(r"[-_]([0-9a-f]{8})\.pth$", name)
    if match is None or digest.startswith(match[1]):
        return ()
    return (
        f"the file name gives a SHA-256 that begins with {match[1]}, but the SHA-256 of the file"
        f" begins with {digest[:8]}: the file may have been altered",
    )


def _all_zero(tensors: list[Tensor]) -> bool:
    return not any(tensor.is_meta or bool(tensor.any()) for tensor in tensors)
