"""Masking strategies by the names that `--strategy` accepts, with their papers' parameters."""

import difflib

from pydantic import ValidationError

from videomae_cli.config.model import MaskSpec, MotionSource
from videomae_cli.errors import UsageError

STRATEGIES: dict[str, MaskSpec] = {
    "tube": MaskSpec(strategy="tube", ratio=0.9),
    "random": MaskSpec(strategy="random", ratio=0.9),
    "time": MaskSpec(strategy="time", ratio=0.875),
    "motion": MaskSpec(strategy="motion", ratio=0.9, pool=0.3),
    "tube+running-cell": MaskSpec(
        strategy="tube", ratio=0.9, targets="running-cell", targets_ratio=0.5
    ),
    "space": MaskSpec(strategy="space", ratio=0.9),
}
ALL = "all"
ALL_STRATEGIES = tuple(name for name in STRATEGIES if name != "space")  # space is MAE-ST's tube


def format_name(spec: MaskSpec) -> str:
    """Return the name of a mask: its strategy, and the selection of its targets if there is one."""
    return spec.strategy if spec.targets == "all" else f"{spec.strategy}+{spec.targets}"


def select_masks(
    names: str | None, ratio: float | None, trained: MaskSpec | None = None, *, slices: int = 8
) -> tuple[MaskSpec, ...]:
    """Return the masks for comma-separated names, each once, in the order of the names.

    Without names it is `trained`, the mask of the checkpoint, or a tube; the strategy of the same
    name as `trained` gets its parameters. In a clip of few slices, the default ratio of `time` is
    lowered so that one slice stays visible.

    Raises:
        UsageError: A name is unknown, or a strategy does not support this ratio.
    """
    # with a model, motion is measured on its embeddings
    source: MotionSource = "pixels" if trained is None else "online"
    known = {name: _adapt_mask(spec, source, slices) for name, spec in STRATEGIES.items()}
    if trained is not None:
        known[format_name(trained)] = _adapt_mask(trained, source, 0)
    if names is None:
        specs = [known[format_name(trained) if trained else "tube"]]
    else:
        specs = [known[name] for name in _parse_names(names, tuple(known))]
    return tuple(specs if ratio is None else (replace_ratio(spec, ratio) for spec in specs))


def replace_ratio(spec: MaskSpec, ratio: float) -> MaskSpec:
    """Return the mask with another ratio.

    Raises:
        UsageError: The ratio hides nothing or everything, or the strategy does not support it.
    """
    if not 0 < ratio < 1:
        raise UsageError(
            f"--ratio {ratio:g}: must be greater than 0 and less than 1",
            "use for example --ratio 0.75 or --ratio 0.9",
        )
    try:
        return MaskSpec.model_validate({**spec.model_dump(), "ratio": ratio})
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"{format_name(spec)} at ratio {ratio:g}: {reason}",
            f"use a larger --ratio, or leave {format_name(spec)} out of --strategy",
        ) from error


def _adapt_mask(spec: MaskSpec, source: MotionSource, slices: int) -> MaskSpec:
    if spec.strategy == "motion" and spec.source is None:
        return spec.model_copy(update={"source": source})
    if spec.strategy == "time" and slices > 1:
        return spec.model_copy(update={"ratio": min(spec.ratio, 1 - 1 / slices)})
    return spec


def _parse_names(names: str, known: tuple[str, ...]) -> list[str]:
    selected: dict[str, None] = {}
    for name in (word.strip() for word in names.split(",")):
        if name == ALL:
            selected |= dict.fromkeys(ALL_STRATEGIES)
        elif name in known:
            selected[name] = None
        else:
            close = difflib.get_close_matches(name, (*known, ALL), n=1)
            guess = f" (did you mean '{close[0]}'?)" if close else ""
            raise UsageError(
                f"--strategy {names}: '{name}' is not a strategy{guess}",
                f"choose from {', '.join(known)}, several separated by commas, or {ALL}",
            )
    return list(selected)
