"""What the user asks `videomae features` for, and the views that follow from it."""

import math
from pathlib import Path
from typing import Literal, NamedTuple

from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.executors.share import Share
from videomae_cli.engine.runtime import Precision
from videomae_cli.errors import UsageError
from videomae_cli.models.features import Pooling
from videomae_cli.report import Report
from videomae_cli.tasks.evaluate.options import EvalOptions, choose_protocol

Level = Literal["clip", "window", "video", "token"]
Format = Literal["npz", "parquet", "npy"]
DEFAULT_CLIPS = 5


class FeatureOptions(NamedTuple):
    """The options of `videomae features`; None: see `features.run`."""

    out: Path
    data: Path | None = None
    splits: tuple[str, ...] = ()
    """Empty: all."""
    level: Level = "clip"
    pooling: Pooling | None = None
    layer: int = -1
    format: Format = "npz"
    protocol: str | None = None
    clips: int | None = None
    crops: int | None = None
    window: float | None = None
    """Seconds."""
    hop: float | None = None
    """Seconds from one window to the next; None: the duration of a window."""
    share: Share = Share()
    """The part of this job."""
    precision: Precision | Literal["auto"] = "auto"

    @property
    def pooling_or_default(self) -> Pooling:
        """Tokens at token level, else their mean."""
        return self.pooling or ("tokens" if self.level == "token" else "mean")

    def check(self) -> None:
        """Raise a `UsageError` if the options contradict each other."""
        for name, seconds in (("--window", self.window), ("--hop", self.hop)):
            if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
                raise UsageError(f"{name} {seconds}: not a duration", "give seconds, such as 2")
        if (self.level == "window") != (self.window is not None) or (
            self.hop is not None and self.window is None
        ):
            raise UsageError(
                "--level window, --window SECONDS and --hop SECONDS belong together",
                "--level window --window 2 --hop 1",
            )
        if self.level == "token" and self.pooling not in (None, "tokens"):
            raise UsageError(
                f"--level token and --pooling {self.pooling}: at token level nothing is pooled",
                f"--level clip --pooling {self.pooling}, or leave out --pooling",
            )
        if self.pooling == "tokens" and self.level != "token" and (self.crops or 1) > 1:
            raise UsageError(
                f"--pooling tokens averages over {self.crops} crops, in which a token is at"
                " different places",
                "--crops 1, or --level token, which keeps every crop",
            )


def choose_views(config: ModelConfig, options: FeatureOptions, report: Report) -> Protocol:
    """Return which views features are computed from.

    By default those that the checkpoint is evaluated on, else five clips and the centre crop. With
    `--pooling tokens`, which cannot be averaged over crops, it is the centre crop too. A window
    has one clip.
    """
    options.check()
    wanted = EvalOptions(protocol=options.protocol, clips=options.clips, crops=options.crops)
    is_one_crop = options.pooling_or_default == "tokens" and options.level != "token"
    if options.protocol is None and options.crops is None:
        own = config.protocol
        if own is None or is_one_crop:
            clips = own.clips if own else DEFAULT_CLIPS
            clips = 1 if options.level == "window" else clips
            wanted = wanted._replace(clips=options.clips or clips, crops=1)
    protocol = choose_protocol(config, wanted, report)
    if options.level == "window" and options.protocol is None and options.clips is None:
        protocol = protocol._replace(clips=1, name="")
    options._replace(crops=protocol.crops).check()
    return protocol
