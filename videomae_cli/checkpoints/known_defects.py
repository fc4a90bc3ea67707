"""Known defects of files in circulation that can be seen in the weights themselves."""

import re
from collections.abc import Mapping

from torch import Tensor

from videomae_cli.config.model_config import ModelConfig

LOST_BIASES = (
    "every query and value bias is zero: transformers 5.5.1 to 5.17.0 lose them when they read a"
    " folder and write it again; take the folder it was made from"
)
FRESH_HEAD = "every bias of the head is zero: the head looks never trained"
FIRST_TOKEN = (
    "the head reads the first token and not the mean over the tokens, as transformers does with"
    " classifiers made from its pretraining folders; kept so"
)


def misnamed(name: str, digest: str) -> tuple[str, ...]:
    """Say whether a file is another than the one whose sha256 begins as its name ends."""
    found = re.search(r"[-_]([0-9a-f]{8})\.pth$", name)
    if found is None or digest.startswith(found[1]):
        return ()
    return (
        f"by its name sha256 begins with {found[1]}, but it begins with {digest[:8]}: altered?",
    )


def traps_in(
    weights: Mapping[str, Tensor], config: ModelConfig, format_name: str
) -> tuple[str, ...]:
    """Say which traps native weights from elsewhere have stepped into."""
    found = []
    biases = [t for name, t in weights.items() if name.endswith((".q_bias", ".v_bias"))]
    if format_name.startswith("hf") and biases and _all_zero(biases):
        found.append(LOST_BIASES)
    if "head.bias" in weights and _all_zero([weights["head.bias"]]):
        found.append(FRESH_HEAD)
    if config.pooling == "first":
        found.append(FIRST_TOKEN)
    return tuple(found)


def _all_zero(tensors: list[Tensor]) -> bool:
    return not any(tensor.is_meta or bool(tensor.any()) for tensor in tensors)
