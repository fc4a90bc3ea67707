"""Match the tensors of a checkpoint with those of a model, and report what happened to each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from torch import Tensor

from videomae_cli.checkpoints.keymap import Weights, list_names
from videomae_cli.errors import CheckpointError

Shapes = Mapping[str, Sequence[int]]


class LoadReport(NamedTuple):
    """What happened to each tensor of the source, and where each tensor of the model is from."""

    matched: tuple[str, ...] = ()
    """Native names whose values are those of the source."""
    moved: dict[str, str] = {}  # noqa: RUF012  (never written to)
    """Source name to the other native name that it fills; the latter is also in `matched`."""
    interpolated: dict[str, str] = {}  # noqa: RUF012  (never written to)
    """Native name to the change of geometry that its values went through."""
    initialised: tuple[str, ...] = ()
    """Native names that the source lacks; they keep the model's initial values."""
    dropped: dict[str, str] = {}  # noqa: RUF012  (never written to)
    """Source name to the reason why it is not used."""
    assumed: tuple[str, ...] = ()
    """Facts that the source does not state, one sentence each."""
    defects: tuple[str, ...] = ()
    """Known defects of such sources that this one shows, one sentence each."""

    def summary(self) -> str:
        """Return one line with the counts."""
        parts = [f"{len(self.matched)} tensors matched"]
        for label in ("moved", "interpolated", "initialised", "dropped", "assumed"):
            if names := getattr(self, label):
                parts.append(f"{len(names)} {label}")
        return ", ".join(parts)

    def count_changes(self) -> list[tuple[str, int]]:
        """Return each change of geometry with its number of tensors, most frequent first."""
        return Counter(self.interpolated.values()).most_common()

    def as_json(self) -> dict[str, Any]:
        """Return the report under its published keys: `defects` is printed as `traps`."""
        return {"traps" if key == "defects" else key: v for key, v in self._asdict().items()}


def match_tensors(
    weights: Weights,
    expected: Shapes,
    *,
    allow_initialised: Sequence[str] = (),
    allow_dropped: Mapping[str, str] | None = None,
    origins: Mapping[str, str] | None = None,
) -> tuple[dict[str, Tensor], LoadReport]:
    """Return those tensors of a source that a model uses, and the load report.

    The source may lack names that match a pattern (`head.*`) in `allow_initialised`. The model may
    lack those in `allow_dropped`, which gives the reasons. `origins`: native name to source name.

    Raises:
        CheckpointError: Tensors are missing, unknown or of another shape; all of them are named.
    """
    unknown, dropped = _split_unused(weights, expected, allow_dropped or {})
    absent = [name for name in expected if name not in weights]
    initialised = [n for n in absent if any(fnmatchcase(n, p) for p in allow_initialised)]
    shared = [name for name in expected if name in weights]
    faults = {
        "not in the model": unknown,
        "missing": [name for name in absent if name not in initialised],
        "wrong shape": _find_wrong_shapes(weights, expected, shared, origins or {}),
    }
    problems = [f"{fault}: {list_names(names)}" for fault, names in faults.items() if names]
    if problems:
        raise CheckpointError(
            "the weights do not fit the model; " + "; ".join(problems),
            "check that this is a checkpoint of this model, and complete",
        )
    report = LoadReport(
        matched=tuple(sorted(shared)), initialised=tuple(sorted(initialised)), dropped=dropped
    )
    return {name: weights[name] for name in shared}, report


def describe_casts(weights: Weights) -> tuple[str, ...]:
    """Return a sentence if tensors are stored in other types than float32."""
    dtypes = sorted({str(t.dtype).removeprefix("torch.") for t in weights.values()})
    others = [dtype for dtype in dtypes if dtype != "float32"]
    return (f"stored as {', '.join(others)}, read as float32",) if others else ()


def _split_unused(
    weights: Weights, expected: Shapes, allow_dropped: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Return the source names that the model lacks: unknown ones, and dropped ones with reasons."""
    reasons = {
        name: next((r for p, r in allow_dropped.items() if fnmatchcase(name, p)), None)
        for name in weights
        if name not in expected
    }
    unknown = [name for name, reason in reasons.items() if reason is None]
    return unknown, {name: reason for name, reason in reasons.items() if reason is not None}


def _find_wrong_shapes(
    weights: Weights, expected: Shapes, names: Sequence[str], origins: Mapping[str, str]
) -> list[str]:
    """Return one phrase for each tensor whose shape is not that of the model."""
    wrong = []
    for name in names:
        shape = tuple(weights[name].shape)
        if shape != tuple(expected[name]):
            origin = origins.get(name, name)
            words = name if origin == name else f"{name} (in the file {origin})"
            wrong.append(
                f"{words} is {_format_shape(shape)}, the model has {_format_shape(expected[name])}"
            )
    return wrong


def _format_shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a scalar"
