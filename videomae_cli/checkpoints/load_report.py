"""What happened to every tensor on the way in: nothing is lost or made up without a line here."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from torch import Tensor

from videomae_cli.checkpoints.keymap import named
from videomae_cli.errors import CheckpointError

Shapes = Mapping[str, Sequence[int]]


class LoadReport(NamedTuple):
    """The fate of each source tensor and the origin of each tensor of the model."""

    matched: tuple[str, ...] = ()
    """Native names filled from the source as they are."""
    moved: dict[str, str] = {}  # noqa: RUF012  (never written to)
    """Source name to the native name it fills instead; among `matched` under the latter."""
    interpolated: dict[str, str] = {}  # noqa: RUF012  (never written to)
    """Native names filled from the source after a change of geometry, each with the change."""
    initialised: tuple[str, ...] = ()
    """Native names not in the source, left as the model drew them."""
    dropped: dict[str, str] = {}  # noqa: RUF012  (never written to)
    """Source names not used, each with its reason."""
    assumed: tuple[str, ...] = ()
    """What the source does not tell and was taken for granted, as sentences."""
    traps: tuple[str, ...] = ()
    """Known defects of such sources that this one shows, as sentences."""

    def summary(self) -> str:
        """Return one line with the counts."""
        parts = [f"{len(self.matched)} tensors matched"]
        for label, names in (
            ("moved", self.moved),
            ("interpolated", self.interpolated),
            ("initialised", self.initialised),
            ("dropped", self.dropped),
            ("assumed", self.assumed),
        ):
            if names:
                parts.append(f"{len(names)} {label}")
        return ", ".join(parts)

    def reasons(self) -> list[tuple[str, int]]:
        """Return each reason for dropping with the number of tensors it took, most first."""
        return _counted(self.dropped.values())

    def changes(self) -> list[tuple[str, int]]:
        """Return each change of geometry with the number of tensors it fitted, most first."""
        return _counted(self.interpolated.values())


def match_tensors(
    weights: Mapping[str, Tensor],
    expected: Shapes,
    *,
    allow_initialised: Sequence[str] = (),
    allow_dropped: Mapping[str, str] | None = None,
    origins: Mapping[str, str] | None = None,
) -> tuple[dict[str, Tensor], LoadReport]:
    """Account for every tensor of a source and of a model.

    Args:
        weights: Native names to tensors.
        expected: Native names to shapes, taken from the model.
        allow_initialised: Patterns (`head.*`) of names the source may lack.
        allow_dropped: Patterns of source names the model may do without, each with the reason.
        origins: Native names to those in the source, for messages.

    Returns:
        The weights the model takes, and the report.

    Raises:
        CheckpointError: A tensor is missing, unknown or of another shape; all of them are named.
    """
    allow_dropped = allow_dropped or {}
    dropped = {}
    faults = []
    for name in weights:
        if name not in expected:
            reason = next((r for p, r in allow_dropped.items() if fnmatchcase(name, p)), None)
            if reason is None:
                faults.append(name)
            else:
                dropped[name] = reason
    absent = [name for name in expected if name not in weights]
    initialised = [n for n in absent if any(fnmatchcase(n, p) for p in allow_initialised)]
    missing = [name for name in absent if name not in initialised]
    shared = [name for name in expected if name in weights]
    misfits = [
        f"{_known_as(name, origins or {})} is {_size(weights[name].shape)},"
        f" the model has {_size(expected[name])}"
        for name in shared
        if tuple(weights[name].shape) != tuple(expected[name])
    ]
    problems = [
        *([f"not in the model: {named(faults)}"] if faults else []),
        *([f"missing: {named(missing)}"] if missing else []),
        *([f"other shape: {named(misfits)}"] if misfits else []),
    ]
    if problems:
        raise CheckpointError(
            "the weights do not fit; " + "; ".join(problems),
            "is this the checkpoint of this model, and whole?",
        )
    report = LoadReport(
        matched=tuple(sorted(shared)), initialised=tuple(sorted(initialised)), dropped=dropped
    )
    return {name: weights[name] for name in shared}, report


def _known_as(name: str, origins: Mapping[str, str]) -> str:
    origin = origins.get(name, name)
    return name if origin == name else f"{name} (in the file {origin})"


def _counted(words: Iterable[str]) -> list[tuple[str, int]]:
    return Counter(words).most_common()


def casts_in(weights: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Say in which other types than float32 tensors were stored."""
    kinds = sorted({str(t.dtype).removeprefix("torch.") for t in weights.values()})
    casts = [kind for kind in kinds if kind != "float32"]
    return (f"stored as {', '.join(casts)}, read as float32",) if casts else ()


def _size(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a number"
