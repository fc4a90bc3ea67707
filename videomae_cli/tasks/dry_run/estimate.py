"""What a dry run found out about a run, in numbers for programs and in lines for people."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from videomae_cli.engine.plan import TrainingPlan
from videomae_cli.units import duration, seconds, si

WAIT = 0.1  # share of a step spent waiting for data, from which on a run is called decode-bound


class Tokens(NamedTuple):
    """Of one clip."""

    all: int
    visible: int
    targets: int | None
    """None for a classifier."""


class Decoding(NamedTuple):
    """How fast clips come."""

    clips_per_s: float
    """Decoded by `workers` processes while nothing is trained."""
    workers: int
    """Per training process; 0: the training process itself decodes."""
    spare_cores: int
    """That more workers could use."""
    short_side: int
    """Pixels, median of the training videos."""
    clip_size: int
    """Pixels."""


class Disk(NamedTuple):
    """Space in bytes."""

    checkpoint: int
    kept: int
    """Checkpoints at the end."""
    final: int
    free: int

    @property
    def total(self) -> int:
        """At the end; while a save is written there is one checkpoint more."""
        return self.checkpoint * self.kept + self.final


class Estimate(NamedTuple):
    """A run before it is run."""

    parameters: int
    executed: int
    """Multiply-accumulates of one clip's forward pass, as we run it."""
    published: int
    """The same as papers count them."""
    tokens: Tokens
    plan: TrainingPlan
    machine: str
    step_seconds: float
    """Of a whole optimizer step, waiting for data included."""
    measured_steps: int
    data_wait: float
    """Share of it spent waiting for data."""
    data: Decoding | None
    """None without prepared videos."""
    peak_bytes: int | None
    steps_left: int | None
    """None where the schedule counts epochs and there are no videos."""
    save_seconds: float
    saves: int
    validation_seconds: float
    """Of one validation."""
    validations: int
    disk: Disk
    price_per_hour: float | None

    @property
    def hours(self) -> float | None:
        """To the end of the run: steps, saves, validations."""
        if self.steps_left is None:
            return None
        seconds = self.steps_left * self.step_seconds + self.saves * self.save_seconds
        return (seconds + self.validations * self.validation_seconds) / 3600

    @property
    def is_decode_bound(self) -> bool:
        """Whether training will wait for data."""
        return self.data is not None and self.data_wait >= WAIT

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        clips = self.plan.batch * self.plan.repeats
        cost = None if self.hours is None else self.hours * (self.price_per_hour or 0.0)
        return {
            "parameters": self.parameters,
            "macs_per_clip": {"executed": self.executed, "published": self.published},
            "tokens": self.tokens._asdict(),
            "batch": self.plan.batch,
            "micro_batch": self.plan.micro_batch,
            "accumulation": self.plan.accumulation,
            "processes": self.plan.world,
            "machine": self.machine,
            "step_seconds": self.step_seconds,
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

    def rows(self) -> list[tuple[str, str]]:
        """Return what to show in a table."""
        return list(self._rows())

    def _rows(self) -> Iterator[tuple[str, str]]:
        plan = self.plan
        yield "model", f"{si(self.parameters)} parameters"
        yield (
            "one clip, forward",
            f"{si(self.executed)} multiply-accumulates as run, {si(self.published)} as published",
        )
        yield "tokens of a clip", self._token_words()
        yield (
            "batch",
            f"{plan.batch} = micro-batch {plan.micro_batch} x accumulation {plan.accumulation} "
            f"x {plan.world} process{'es' if plan.world > 1 else ''}",
        )
        yield "machine", self.machine
        clips = plan.batch * plan.repeats / self.step_seconds
        wait = f", {self.data_wait:.0%} of it waiting for data" if self.data else ""
        yield "a step", f"{seconds(self.step_seconds)}, {clips:.3g} clips/s{wait}"
        yield "decoding", self._decoding_words()
        if self.peak_bytes is not None:
            yield "peak memory", f"{self.peak_bytes / 1e9:.2f} GB in each training process"
        yield "to the end", self._time_words()
        if self.price_per_hour is not None and self.hours is not None:
            money = self.hours * self.price_per_hour
            yield "cost", f"{money:,.2f} at {self.price_per_hour:g} per hour"
        disk = self.disk
        yield (
            "disk",
            f"{disk.kept} saves of {si(disk.checkpoint)}B and the weights: {si(disk.total)}B; "
            f"{si(disk.free)}B free",
        )

    def notes(self) -> list[str]:
        """Say what a user should know before starting."""
        said = []
        if self.data is None:
            said.append("measured on made-up clips: the time that data take is not known")
        if self.is_decode_bound:
            said.append(f"decode-bound: training waits for data; {', or '.join(self._cures())}")
        if self.disk.total + self.disk.checkpoint > self.disk.free:
            said.append("the disk is too small: choose another --out, or raise the free space")
        return said

    def _cures(self) -> list[str]:
        assert self.data is not None
        data, cures = self.data, []
        if data.spare_cores:
            more = data.workers + data.spare_cores
            cures.append(f"decode with more processes (--set train.workers={more})")
        if data.short_side > 1.5 * data.clip_size:
            cures.append(
                f"scale the videos down once: they are {data.short_side} pixels high, clips "
                f"{data.clip_size}"
            )
        repeats = f"--set augment.repeats={2 * self.plan.repeats}"
        cures.append(f"take more clips of each decoded video ({repeats})")
        return cures

    def _token_words(self) -> str:
        all_, visible, targets = self.tokens
        asked = "" if targets is None else f", {targets:,} targets"
        return f"{all_:,}, {visible:,} visible{asked}"

    def _decoding_words(self) -> str:
        if self.data is None:
            return "not known without prepared videos"
        who = f"{self.data.workers} process{'es' if self.data.workers > 1 else ''} alone"
        by = who if self.data.workers else "the training process itself"
        return f"{self.data.clips_per_s:.3g} clips/s by {by}"

    def _time_words(self) -> str:
        if self.hours is None or self.steps_left is None:
            return "not known without prepared videos: the schedule counts epochs"
        extras = f"{self.saves:,} saves of {seconds(self.save_seconds)}"
        if self.validations:
            extras += f", {self.validations:,} validations of {seconds(self.validation_seconds)}"
        return f"{duration(self.hours)}: {self.steps_left:,} steps, {extras}"
