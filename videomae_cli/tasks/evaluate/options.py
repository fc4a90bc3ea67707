"""What the user asks `videomae eval` for, and the protocol that follows from it."""

from pathlib import Path
from typing import Literal, NamedTuple

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
    if options.protocol is not None:
        if options.clips is not None or options.crops is not None:
            raise UsageError(
                "--protocol says how many clips and crops there are",
                "leave out --clips and --crops, or --protocol",
            )
        protocol = get_protocol(options.protocol)
    elif own.protocol is not None and options.clips is None and options.crops is None:
        protocol = get_protocol(own.protocol)
    else:
        protocol = Protocol(options.clips or own.clips, options.crops or own.crops)
    protocol.apply(config.clip())
    if own.protocol is not None and protocol.name != own.protocol:
        report.warn(f"the checkpoint was made for protocol {own.protocol}; evaluating {protocol}")
    elif own.protocol is None and protocol.name:
        report.say(f"the checkpoint names no published protocol; evaluating {protocol}")
    return protocol
