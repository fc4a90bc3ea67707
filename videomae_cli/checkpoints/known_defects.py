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
    biases = [t for name, t in weights.items() if name.endswith((".q_bias", ".v_bias"))]
    head = [weights["head.bias"]] if "head.bias" in weights else []
    shown = {
        ZERO_BIASES: format_name.startswith("hf") and _all_zero(biases),
        UNTRAINED_HEAD: _all_zero(head),
        FIRST_TOKEN: config.pooling == "first",
    }
    return tuple(defect for defect, is_shown in shown.items() if is_shown)


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
    """Return whether there are tensors and all their values are zero."""
    return bool(tensors) and not any(tensor.is_meta or bool(tensor.any()) for tensor in tensors)
