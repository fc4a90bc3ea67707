"""The estimate of a dry run: figures, a table for people, JSON for programs."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from videomae_cli.engine.plan import TrainingPlan
from videomae_cli.tasks.dry_run.steadiness import MeasuredSteps
from videomae_cli.units import duration, plural, seconds, si

DECODE_BOUND = 0.1  # share of a step spent waiting for data above which decoding is the limit


class Tokens(NamedTuple):
    """Token counts of one clip."""

    all: int
    visible: int
    targets: int | None
    """None for a classifier."""


class Decoding(NamedTuple):
    """Speed of data loading."""

    clips_per_s: float
    """Clips per second that `workers` processes decode while nothing is trained."""
    workers: int
    """Decoding processes per training process; 0: the training process itself decodes."""
    spare_cores: int
    """CPU cores that additional workers could use."""
    short_side: int
    """Shorter side of the training videos in pixels, median."""
    clip_size: int


class Disk(NamedTuple):
    """Disk space in bytes."""

    checkpoint: int
    kept: int
    """Number of checkpoints at the end."""
    final: int
    free: int

    @property
    def total(self) -> int:
        """Space at the end; while a checkpoint is written, one more is needed."""
        return self.checkpoint * self.kept + self.final


class Estimate(NamedTuple):
    """Estimated time, memory, disk space and cost of a run."""

    parameters: int
    executed: int
    """Multiply-accumulates of the forward pass of one clip, as executed."""
    published: int
    """The same, as papers count them."""
    tokens: Tokens
    plan: TrainingPlan
    machine: str
    step_seconds: float
    """Seconds of an optimizer step, including waiting for data."""
    measured: MeasuredSteps
    data_wait: float
    """Share of a step spent waiting for data."""
    data: Decoding | None
    """None without prepared videos."""
    peak_bytes: int | None
    steps_left: int | None
    """None if the schedule counts epochs and there are no videos."""
    save_seconds: float
    saves: int
    validation_seconds: float
    validations: int
    disk: Disk
    price_per_hour: float | None
    trained_parameters: int | None = None
    """None: all."""

    @property
    def hours(self) -> float | None:
        """Hours to the end of the run: steps, checkpoints, validations or probes."""
        if self.steps_left is None:
            return None
        seconds = self.steps_left * self.step_seconds + self.saves * self.save_seconds
        return (seconds + self.validations * self.validation_seconds) / 3600

    @property
    def is_decode_bound(self) -> bool:
        """Whether decoding limits training."""
        return self.data is not None and self.data_wait >= DECODE_BOUND

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as JSON values."""
        clips = self.plan.batch * self.plan.repeats
        cost = None if self.hours is None else self.hours * (self.price_per_hour or 0.0)
        return {
            "parameters": self.parameters,
            "trained_parameters": self.trained_parameters or self.parameters,
            "macs_per_clip": {"executed": self.executed, "published": self.published},
            "tokens": self.tokens._asdict(),
            "batch": self.plan.batch,
            "micro_batch": self.plan.micro_batch,
            "accumulation": self.plan.accumulation,
            "processes": self.plan.world,
            "machine": self.machine,
            "step_seconds": self.step_seconds,
            "step_seconds_error": self.step_seconds * self.measured.error,
            "measured_steps": self.measured.steps,
            "clips_per_s": clips / self.step_seconds,
            "data_wait": self.data_wait if self.data else None,
            "decoding": self.data._asdict() if self.data else None,
            "is_decode_bound": self.is_decode_bound if self.data else None,
            "peak_bytes": self.peak_bytes,
            "steps_left": self.steps_left,
            "hours": self.hours,
            "cost": cost if self.price_per_hour is not None else None,
            "disk": {**self.disk._asdict(), "total": self.disk.total},
        }

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield the rows of the table."""
        plan = self.plan
        is_probe = self.trained_parameters not in (None, self.parameters)
        trained = f", {self.trained_parameters:,} of them trained" if is_probe else ""
        yield "model", f"{si(self.parameters)} parameters{trained}"
        yield (
            "one clip, forward",
            f"{si(self.executed)} multiply-accumulates as executed,"
            f" {si(self.published)} as published",
        )
        yield "tokens of a clip", self._format_tokens()
        yield (
            "batch",
            f"{plan.batch} = micro-batch {plan.micro_batch} x accumulation {plan.accumulation} "
            f"x {plan.world} process{'es' if plan.world > 1 else ''}",
        )
        yield "machine", self.machine
        clips = plan.batch * plan.repeats / self.step_seconds
        wait = f", {self.data_wait:.0%} of it waiting for data" if self.data else ""
        yield "a step", f"{seconds(self.step_seconds)}, {clips:.3g} clips/s{wait}"
        yield "measured on", self._format_measured()
        yield "decoding", self._format_decoding()
        if self.peak_bytes is not None:
            yield "peak memory", f"{self.peak_bytes / 1e9:.2f} GB in each training process"
        yield "time left", self._format_time()
        if self.price_per_hour is not None and self.hours is not None:
            money = self.hours * self.price_per_hour
            yield "cost", f"{money:,.2f} at {self.price_per_hour:g} per hour"
        disk = self.disk
        yield (
            "disk",
            f"{plural(disk.kept, 'checkpoint')} of {si(disk.checkpoint)}B and the weights: "
            f"{si(disk.total)}B; {si(disk.free)}B free",
        )

    def notes(self) -> list[str]:
        """Return what limits the run, and what to do about it."""
        notes = []
        if self.data is None:
            notes.append("measured on synthetic clips: data-loading figures are omitted")
        if self.is_decode_bound:
            notes.append(f"decoding limits training; {', or '.join(self._remedies())}")
        if self.disk.total + self.disk.checkpoint > self.disk.free:
            notes.append("the disk is too small: choose another --out, or free some space")
        return notes

    def _remedies(self) -> list[str]:
        assert self.data is not None
        data, remedies = self.data, []
        if data.spare_cores:
            more = data.workers + data.spare_cores
            remedies.append(f"decode with more processes (--set train.workers={more})")
        if data.short_side > 1.5 * data.clip_size:
            remedies.append(
                f"scale the videos down once: their short side is {data.short_side} pixels,"
                f" that of a clip {data.clip_size}"
            )
        repeats = f"--set augment.repeats={2 * self.plan.repeats}"
        remedies.append(f"use more clips of each decoded video ({repeats})")
        return remedies

    def _format_tokens(self) -> str:
        all_, visible, targets = self.tokens
        asked = "" if targets is None else f", {targets:,} targets"
        return f"{all_:,}, {visible:,} visible{asked}"

    def _format_measured(self) -> str:
        count, accumulation, error = self.measured
        steps = plural(count, "step")
        if accumulation < self.plan.accumulation:
            steps += f" of {accumulation} instead of {self.plan.accumulation} micro-batches"
        return f"{steps} after a warm-up; standard error of the mean {error:.1%}"

    def _format_decoding(self) -> str:
        if self.data is None:
            return "unknown without prepared videos"
        who = f"{self.data.workers} process{'es' if self.data.workers > 1 else ''} alone"
        by = who if self.data.workers else "the training process itself"
        return f"{self.data.clips_per_s:.3g} clips/s by {by}"

    def _format_time(self) -> str:
        if self.hours is None or self.steps_left is None:
            return "unknown without prepared videos: the schedule counts epochs"
        extras = f"{plural(self.saves, 'checkpoint')} of {seconds(self.save_seconds)}"
        if self.validations:
            name = "validations" if self.tokens.targets is None else "probes"
            extras += f", {self.validations:,} {name} of {seconds(self.validation_seconds)}"
        return f"{duration(self.hours)}: {plural(self.steps_left, 'step')}, {extras}"
