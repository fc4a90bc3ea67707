"""Find the weights in a saved object, and strip the prefixes that training adds to names."""

import re
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from videomae_cli.checkpoints.keymap import Weights, list_names
from videomae_cli.checkpoints.native import MODEL_CONFIG_KEY
from videomae_cli.checkpoints.reading.files import is_weights
from videomae_cli.errors import CheckpointError

# keys of weights: plain torch; DeepSpeed and many published files; PySlowFast; MMAction2 and timm;
# forks
WRAPPERS = ("model", "module", "model_state", "state_dict", "net", "teacher", "student")
EMA_WRAPPER = "model_ema"
MAX_DEPTH = 3  # wrappers inside wrappers
COUNTERS = ("epoch", "step", "iter", "global_step", "global_steps")
PARALLEL = "module."  # DistributedDataParallel
COMPILED = "_orig_mod."  # torch.compile; it is in the middle of a name if a part was compiled
PREFIXES = ("backbone.", "model.", "encoder.")  # parts of larger models
MODELS = ("model.", "net.", "network.", "backbone.")  # the model, among other parts of a program
# tensors of a loss or of a metric: a part of the name, or the state of a metric at its end
TRAINING_PART = re.compile(
    r"criterion|criteria|\w*loss(es|_fn|_func|_function)?|loss_\w+|\w*metrics?|\w*accuracy"
    r"|(\w+_)?(acc|acc1|acc5|top1|top5|auroc|auc|f1|precision|recall|confmat|confusion_matrix)",
    re.IGNORECASE,
)
METRIC_STATES = {
    "tp",
    "fp",
    "tn",
    "fn",
    "confmat",
    "correct",
    "total",
    "mean_value",
    "_extra_state",
}
OF_TRAINING = "of a loss or a metric, not of the model"


class SavedWeights(NamedTuple):
    """The weights inside a saved object, and other content of the object."""

    weights: dict[str, Tensor]
    wrapper: str
    """Key of the weights; empty if the object is the weights."""
    other_keys: tuple[str, ...]
    training_args: dict[str, object]
    """Arguments of the training script, if stored; shapes take precedence over them."""
    config_json: str
    """Model configuration as JSON, in files that videomae wrote; else empty."""
    progress: dict[str, int]
    """Training progress under the file's own keys: epoch, step."""
    prefixes: tuple[str, ...]
    """Prefixes that training added to the names; stripped here."""


def unwrap(saved: object, *, ema: bool = False) -> SavedWeights:
    """Find the weights in a saved object, and strip the prefixes that training adds to names.

    `ema` takes the moving average instead.

    Raises:
        CheckpointError: There are no weights, or two names are the same without prefixes.
    """
    wrappers = (EMA_WRAPPER,) if ema else WRAPPERS
    result = None if ema and is_weights(saved) else _find_weights(saved, wrappers, MAX_DEPTH)
    if result is None:
        if not isinstance(saved, Mapping):
            raise CheckpointError(f"it contains a {type(saved).__name__}, not named tensors")
        raise CheckpointError(
            f"no weights under {' or '.join(wrappers)}; it contains"
            f" {list_names(map(_format_key, saved)) or 'nothing'}",
            f"--ema reads {EMA_WRAPPER}" if is_weights(saved.get(EMA_WRAPPER)) else "",
        )
    path, weights = result
    around = saved if isinstance(saved, Mapping) and path else {}
    args, config_json = around.get("args"), around.get(MODEL_CONFIG_KEY)
    others = (key for key in around if key not in (path[0], MODEL_CONFIG_KEY))
    return SavedWeights(
        weights=_strip_training_prefixes(weights),
        wrapper=".".join(path),
        other_keys=tuple(sorted(map(_format_key, others))),
        training_args=dict(vars(args)) if isinstance(args, Namespace) else {},
        config_json=config_json if isinstance(config_json, str) else "",
        progress=_read_progress(around),
        prefixes=tuple(p for p in (COMPILED, PARALLEL) if any(p in name for name in weights)),
    )


def strip_common_prefix(weights: Weights) -> dict[str, Tensor] | None:
    """Strip a prefix that all names share, as in parts of larger models; None without one."""
    for prefix in PREFIXES if weights else ():
        if all(name.startswith(prefix) for name in weights):
            return {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    return None


def split_training_tensors(weights: Weights) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the weights without the tensors of losses and metrics, and those with the reason.

    Lightning stores such tensors beside those of the model, under the names of its attributes.
    """
    dropped = {name: OF_TRAINING for name in weights if _is_of_training(name)}
    return {name: weights[name] for name in weights if name not in dropped}, dropped


def split_model(weights: Weights) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """Return the tensors of the model in a larger program, and all others with the reason.

    The model is under one of the names in `MODELS`, else under that of most tensors, if these
    are not the encoder or the decoder of an autoencoder. None if there is nothing to split.
    """
    counts = Counter(name.partition(".")[0] + "." for name in weights if "." in name)
    prefix = next((prefix for prefix in MODELS if prefix in counts), "")
    if not prefix and counts:
        most, count = counts.most_common(1)[0]
        is_model = 2 * count > len(weights) and most not in ("encoder.", "decoder.", "blocks.")
        prefix = most if is_model else ""
    if not prefix:
        return None
    model = {n.removeprefix(prefix): t for n, t in weights.items() if n.startswith(prefix)}
    reason = f"outside {prefix}*, which is the model"
    return model, {name: reason for name in weights if not name.startswith(prefix)}


def _is_of_training(name: str) -> bool:
    *parts, last = name.split(".")
    return last in METRIC_STATES or any(TRAINING_PART.fullmatch(part) for part in parts)


def _find_weights(
    saved: object, wrappers: Sequence[str], max_depth: int
) -> tuple[tuple[str, ...], Weights] | None:
    """Return the keys that lead to the weights, and the weights. The depth limit ends cycles."""
    if is_weights(saved):
        return (), saved
    if not isinstance(saved, Mapping) or max_depth == 0:
        return None
    for wrapper in wrappers:
        inner = _find_weights(saved.get(wrapper), wrappers, max_depth - 1)
        if inner is not None:
            return (wrapper, *inner[0]), inner[1]
    return None


def _read_progress(around: Mapping[object, object]) -> dict[str, int]:
    meta = around.get("meta")  # MMEngine's counters
    merged = {**meta, **around} if isinstance(meta, Mapping) else around
    counts = {counter: merged.get(counter) for counter in COUNTERS}
    return {counter: count for counter, count in counts.items() if type(count) is int}


def _format_key(key: object) -> str:
    """Return a key of a saved object in a form that can be printed."""
    is_plain = isinstance(key, str) and key.isprintable() and len(key) <= 80
    return str(key) if is_plain or isinstance(key, int) else f"a key of {type(key).__name__}"


def _strip_training_prefixes(weights: Weights) -> dict[str, Tensor]:
    unprintable = [name for name in weights if not name.isprintable()]
    if unprintable:
        raise CheckpointError(
            f"the names of {len(unprintable)} tensors contain unprintable characters; refused"
        )
    stripped: dict[str, Tensor] = {}
    duplicates = []
    for name, tensor in weights.items():
        short = name.replace(COMPILED, "")
        while short.startswith(PARALLEL):
            short = short.removeprefix(PARALLEL)
        if short in stripped:
            duplicates.append(name)
        stripped[short] = tensor
    if duplicates:
        raise CheckpointError(f"two tensors for one name: {list_names(duplicates)}")
    return stripped
