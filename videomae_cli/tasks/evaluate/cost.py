"""The cost of an evaluation: parameters, multiply-accumulates, time from a few measured views."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.engine.runtime import Runtime
from videomae_cli.models.build import build_classifier
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.macs import count_macs
from videomae_cli.tasks.evaluate.parts import VIEWS_AT_ONCE
from videomae_cli.tasks.evaluate.run_views import compute_views
from videomae_cli.units import duration, plural, seconds, si

ROUNDS = 3


class Cost(NamedTuple):
    """Estimated cost of an evaluation."""

    parameters: int
    macs: int
    """Multiply-accumulates of the forward pass of one view, as papers count them."""
    views: int
    """Views per video."""
    forward_seconds: float
    """Forward pass of one view."""
    processes: int
    machine: str
    workers: int = 1
    """Processes that read, for each process that computes."""
    videos: int | None = None
    """None without prepared videos; so is the next."""
    read_seconds: float | None = None
    """Reading all views of one video, in one process."""

    @property
    def is_read_bound(self) -> bool:
        """Whether reading takes longer than the model."""
        read_seconds = (self.read_seconds or 0) / self.workers
        return read_seconds > self.views * self.forward_seconds

    @property
    def seconds(self) -> float | None:
        """Seconds of the whole evaluation: the slower of reading and computing."""
        if self.videos is None or self.read_seconds is None:
            return None
        per_video = max(self.views * self.forward_seconds, self.read_seconds / self.workers)
        return self.videos * per_video / self.processes

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as plain data."""
        total = self.macs * self.views
        return {**self._asdict(), "macs_per_video": total, "seconds": self.seconds}

    def rows(self) -> list[tuple[str, str]]:
        """Return the estimate as a table for people."""
        total = self.macs * self.views
        rows = [
            ("parameters", si(self.parameters)),
            ("multiply-accumulates of a view", _giga(self.macs)),
            ("multiply-accumulates of a video", f"{_giga(total)} (views: {self.views})"),
            ("machine", self.machine),
            ("forward pass of a view", seconds(self.forward_seconds)),
        ]
        if self.seconds is None or self.read_seconds is None:
            return [*rows, ("time", "unknown without prepared videos: --data DIR")]
        return [
            *rows,
            ("reading the views of a video", f"{seconds(self.read_seconds)} in one process"),
            ("slower of the two", "reading" if self.is_read_bound else "the model"),
            ("time", f"{_long(self.seconds)} for {plural(self.videos or 0)}"),
        ]


def _giga(macs: int) -> str:
    return f"{macs / 1e9:,.1f} G" if macs >= 1e9 else si(macs)


def _long(time_seconds: float) -> str:
    return seconds(time_seconds) if time_seconds < 60 else duration(time_seconds / 3600)


def count_view_macs(config: ModelConfig) -> int:
    """Return the multiply-accumulates of one view; computed on shapes alone where possible."""
    grid = config.clip().candidates().grid()
    needs_values = config.select is not None  # the tokens with the most motion are selected
    device = torch.device("cpu" if needs_values else "meta")
    with device:
        clip_BCTHW = torch.zeros(
            (1, grid.channels, grid.frames, grid.height, grid.width), dtype=torch.uint8
        )
        return count_macs(build_classifier(config).eval().to(device), clip_BCTHW).published


def measure_cost(
    config: ModelConfig,
    classifier: Classifier,
    protocol: Protocol,
    runtime: Runtime,
    views: EvalViews | None = None,
) -> Cost:
    """Measure the forward pass of a view and the reading of a video; nothing is written."""
    view_1CTHW, cost = _synthetic_views(config), dict[str, Any]()
    if views is not None and len(views):
        view_1CTHW = views[0].views[:1] if not views[0].error else view_1CTHW
        read_seconds = _time(lambda: views[min(1, len(views) - 1)])
        cost = {"videos": len(views), "read_seconds": read_seconds}
    return Cost(
        sum(parameter.numel() for parameter in classifier.parameters()),
        count_view_macs(config),
        protocol.views,
        _time_forward(classifier.eval(), view_1CTHW, runtime),
        runtime.world,
        runtime.summary(),
        max(1, runtime.worker_count("auto")),
        **cost,
    )


def _synthetic_views(config: ModelConfig) -> Tensor:
    grid = config.clip().candidates().grid()
    return torch.zeros((1, grid.channels, grid.frames, grid.height, grid.width), dtype=torch.uint8)


def _time_forward(classifier: Classifier, view_1CTHW: Tensor, runtime: Runtime) -> float:
    """Return the seconds of a view, in a full batch on a GPU and alone on a CPU."""
    count = VIEWS_AT_ONCE if runtime.device.type == "cuda" else 1
    batch_VCTHW = view_1CTHW.expand(count, *view_1CTHW.shape[1:])
    compute_views(classifier, batch_VCTHW, runtime)
    return _time(lambda: compute_views(classifier, batch_VCTHW, runtime)) / count


def _time(work: Callable[[], object]) -> float:
    """Return the median of a few measurements, in seconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return sorted(times)[ROUNDS // 2]
