"""Where the weights lie in a saved object, and the prefixes other programs put on their names."""

from argparse import Namespace
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from videomae_cli.checkpoints.cards import CARD_KEY
from videomae_cli.checkpoints.files import is_weights
from videomae_cli.checkpoints.keymap import named
from videomae_cli.errors import CheckpointError

# plain torch saves; DeepSpeed saves and many published files; PySlowFast; MMAction2 and timm; forks
WRAPPERS = ("model", "module", "model_state", "state_dict", "net", "teacher", "student")
AVERAGE = "model_ema"
PARALLEL = "module."  # DistributedDataParallel
COMPILED = "_orig_mod."  # torch.compile; a compiled part has it in the middle of its names
PREFIXES = ("backbone.", "model.", "encoder.")  # parts of larger models


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


def unwrap(held: object, *, ema: bool = False) -> Unwrapped:
    """Find the weights in a saved object, and strip what training puts before their names.

    Args:
        held: What a file holds.
        ema: Take the moving average, which is never taken unasked.

    Raises:
        CheckpointError: There are none, or two names become one.
    """
    if is_weights(held) and not ema:
        return Unwrapped(_strip(held), "", (), {}, "")
    if not isinstance(held, Mapping):
        raise CheckpointError(f"it holds a {type(held).__name__}, not named tensors")
    wrappers = (AVERAGE,) if ema else WRAPPERS
    for wrapper in wrappers:
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
    raise CheckpointError(
        f"no weights under {' or '.join(wrappers)}; it holds {keys}",
        f"--ema takes {AVERAGE}" if is_weights(held.get(AVERAGE)) else "",
    )


def shorten(weights: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Strip a prefix that all names share, as parts of larger models have it; None if none is."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in weights):
            return {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    return None


def _strip(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    stripped: dict[str, Tensor] = {}
    twice = []
    for name, tensor in weights.items():
        short = name.replace(COMPILED, "")
        while short.startswith(PARALLEL):
            short = short.removeprefix(PARALLEL)
        if short in stripped:
            twice.append(name)
        stripped[short] = tensor
    if twice:
        raise CheckpointError(f"two tensors for one name: {named(twice)}")
    return stripped
