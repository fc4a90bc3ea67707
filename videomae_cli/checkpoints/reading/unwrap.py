"""Where the weights lie in a saved object, and the prefixes other programs put on their names."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from videomae_cli.checkpoints.keymap import named
from videomae_cli.checkpoints.native import MODEL_CONFIG_KEY
from videomae_cli.checkpoints.reading.files import is_weights
from videomae_cli.errors import CheckpointError

# plain torch saves; DeepSpeed saves and many published files; PySlowFast; MMAction2 and timm; forks
WRAPPERS = ("model", "module", "model_state", "state_dict", "net", "teacher", "student")
AVERAGE = "model_ema"
DEEPEST = 3  # wrappers inside wrappers
COUNTERS = ("epoch", "step", "iter", "global_step", "global_steps")
MOST_NAMED = 8
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
    config: str
    """The card of a file that videomae wrote, as JSON; else empty."""
    progress: dict[str, int]
    """How far training had come, in the file's own words: epoch, step."""
    prefixes: tuple[str, ...]
    """What training put before names, taken off again."""


def unwrap(held: object, *, ema: bool = False) -> Unwrapped:
    """Find the weights in a saved object, and strip what training puts before their names.

    Args:
        held: What a file holds.
        ema: Take the moving average, which is never taken unasked.

    Raises:
        CheckpointError: There are none, or two names become one.
    """
    wrappers = (AVERAGE,) if ema else WRAPPERS
    found = None if ema and is_weights(held) else _find(held, wrappers, DEEPEST)
    if found is None:
        if not isinstance(held, Mapping):
            raise CheckpointError(f"it holds a {type(held).__name__}, not named tensors")
        raise CheckpointError(
            f"no weights under {' or '.join(wrappers)}; it holds {_keys(held)}",
            f"--ema takes {AVERAGE}" if is_weights(held.get(AVERAGE)) else "",
        )
    path, weights = found
    around = held if isinstance(held, Mapping) and path else {}
    args, config = around.get("args"), around.get(MODEL_CONFIG_KEY)
    return Unwrapped(
        weights=_strip(weights),
        wrapper=".".join(path),
        beside=tuple(
            sorted(_word(key) for key in around if key not in (path[0], MODEL_CONFIG_KEY))
        ),
        settings=dict(vars(args)) if isinstance(args, Namespace) else {},
        config=config if isinstance(config, str) else "",
        progress=_progress(around),
        prefixes=tuple(p for p in (COMPILED, PARALLEL) if any(p in name for name in weights)),
    )


def _find(
    held: object, wrappers: Sequence[str], deepest: int
) -> tuple[tuple[str, ...], Mapping[str, Tensor]] | None:
    """Return the keys that lead to the weights, and the weights. A cycle ends with `deepest`."""
    if is_weights(held):
        return (), held
    if not isinstance(held, Mapping) or deepest == 0:
        return None
    for wrapper in wrappers:
        found = _find(held.get(wrapper), wrappers, deepest - 1)
        if found is not None:
            return (wrapper, *found[0]), found[1]
    return None


def _progress(around: Mapping[object, object]) -> dict[str, int]:
    meta = around.get("meta")  # MMEngine counts there
    both = {**meta, **around} if isinstance(meta, Mapping) else around
    found = {counter: both.get(counter) for counter in COUNTERS}
    return {counter: count for counter, count in found.items() if type(count) is int}


def _keys(held: Mapping[object, object]) -> str:
    words = sorted(_word(key) for key in held)
    more = f" and {len(words) - MOST_NAMED} more" if len(words) > MOST_NAMED else ""
    return ", ".join(words[:MOST_NAMED]) + more or "nothing"


def _word(key: object) -> str:
    """Return a key of a saved object as it can be printed."""
    is_plain = isinstance(key, str) and key.isprintable() and len(key) <= 80
    return str(key) if is_plain or isinstance(key, int) else f"a key of {type(key).__name__}"


def shorten(weights: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Strip a prefix that all names share, as parts of larger models have it; None if none is."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in weights):
            return {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    return None


def _strip(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    stripped: dict[str, Tensor] = {}
    twice = []
    hidden = [name for name in weights if not name.isprintable()]
    if hidden:
        raise CheckpointError(f"{len(hidden)} tensors have names that cannot be printed; refused")
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
