"""Where the weights lie in a saved object, and the prefixes other programs put on their names."""

from argparse import Namespace
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from videomae_cli.checkpoints.cards import CARD_KEY
from videomae_cli.checkpoints.files import is_weights
from videomae_cli.checkpoints.keymap import named
from videomae_cli.errors import CheckpointError

WRAPPERS = ("model", "module")  # plain torch saves; DeepSpeed saves and many published files
PREFIXES = ("module.", "backbone.")  # DistributedDataParallel; MMAction2-style models
COMPILED = "_orig_mod."  # torch.compile; a compiled part has it in the middle of its names


class Unwrapped(NamedTuple):
    """The weights inside a saved object, and what lay around them."""

    weights: dict[str, Tensor]
    wrapper: str
    """Key the weights were under; empty when bare."""
    beside: tuple[str, ...]
    """Other keys of the object, not used."""
    settings: dict[str, object]
    """The training script's arguments, where stored: a record, never trusted over shapes."""
    card: str
    """The card of a file that videomae wrote, as JSON; else empty."""


def unwrap(held: object) -> Unwrapped:
    """Find the weights in a saved object, and strip the prefixes of other programs.

    Raises:
        CheckpointError: There are none, or two names become one.
    """
    if is_weights(held):
        return Unwrapped(_strip(held), "", (), {}, "")
    if not isinstance(held, Mapping):
        raise CheckpointError(f"it holds a {type(held).__name__}, not named tensors")
    for wrapper in WRAPPERS:
        inner = held.get(wrapper)
        if not is_weights(inner):
            continue
        args, card = held.get("args"), held.get(CARD_KEY)
        return Unwrapped(
            weights=_strip(inner),
            wrapper=wrapper,
            beside=tuple(sorted(str(key) for key in held if key not in (wrapper, CARD_KEY))),
            settings=dict(vars(args)) if isinstance(args, Namespace) else {},
            card=card if isinstance(card, str) else "",
        )
    keys = ", ".join(sorted(map(str, held))[:8]) or "nothing"
    raise CheckpointError(f"no weights under {' or '.join(WRAPPERS)}; it holds {keys}")


def _strip(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    stripped: dict[str, Tensor] = {}
    twice = []
    for name, tensor in weights.items():
        short = name.replace(COMPILED, "")
        while short.startswith(PREFIXES):
            short = short.split(".", 1)[1]
        if short in stripped:
            twice.append(name)
        stripped[short] = tensor
    if twice:
        raise CheckpointError(f"two tensors for one name: {named(twice)}")
    return stripped
