"""What the user asks `videomae eval` for, and the protocol that follows from it."""

from pathlib import Path
from typing import Literal, NamedTuple

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.protocols import Protocol, get_protocol
from videomae_cli.engine.runtime import Precision
from videomae_cli.errors import UsageError
from videomae_cli.report import Report


class EvalOptions(NamedTuple):
    """The options of `videomae eval`; None: see `evaluate.run`."""

    data: Path | None = None
    split: str | None = None
    protocol: str | None = None
    clips: int | None = None
    crops: int | None = None
    out: Path | None = None
    precision: Precision | Literal["auto"] = "auto"
    label_map: Path | None = None
    """Names of the classes of a list; None: those in the list."""
    dump: Path | None = None
    """File for the scores in MMAction2's format."""
    dump_v1: Path | None = None
    """Directory for the scores in VideoMAE V1's format."""
    allow_untrained_head: bool = False


DEFAULTS = EvalOptions()


def choose_protocol(config: ModelConfig, options: EvalOptions, report: Report) -> Protocol:
    """Return the test protocol: the one asked for, else the one that the checkpoint was made for.

    Raises:
        UsageError: The name is unknown, or is given together with numbers of views.
        CheckpointError: The protocol is for clips of another shape.
    """
    own = config.protocol_or_default
    has_views = options.clips is not None or options.crops is not None
    if options.protocol is not None and has_views:
        raise UsageError(
            "--protocol says how many clips and crops there are",
            "leave out --clips and --crops, or --protocol",
        )
    free = Protocol(options.clips or own.clips, options.crops or own.crops)
    if options.protocol is not None:
        protocol = get_protocol(options.protocol)
        _report_difference(config.clip(), protocol.apply(config.clip()), protocol, report)
    elif own.protocol is None or has_views:
        protocol = free
    else:
        protocol = get_protocol(own.protocol)
        if not _is_made_for(protocol, config.clip()):
            report.warn(
                f"the recipe of the checkpoint names protocol {own.protocol}, but trains on clips"
                f" of another shape or stride; evaluating {free}"
            )
            return free
    if own.protocol is not None and protocol.name != own.protocol:
        report.warn(f"the checkpoint was made for protocol {own.protocol}; evaluating {protocol}")
    return protocol


def _is_made_for(protocol: Protocol, clip: ClipSpec) -> bool:
    """Return whether a model was trained on clips as a protocol has them."""
    stride = clip.stride_frames if clip.sampling == "dense" else None
    ours = clip.frames, clip.grid().size, clip.sampling, stride
    theirs = protocol.frames, protocol.size, protocol.sampling, protocol.stride_frames
    return clip.step_seconds is None and ours == theirs


def _report_difference(
    clip: ClipSpec, tested: ClipSpec, protocol: Protocol, report: Report
) -> None:
    """Report that a protocol chooses frames differently from training."""
    if not _is_made_for(protocol, clip):
        report.warn(
            f"protocol {protocol.name} has clips of {tested.describe()}; the model was trained on"
            f" clips of {clip.describe()}"
        )
