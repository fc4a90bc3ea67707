"""What the findings of the health report are made of."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from videomae_cli import __version__
from videomae_cli.config.model import Task
from videomae_cli.data.health.facts import VideoHealth
from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo
from videomae_cli.data.layouts.video_entry import VideoEntry
from videomae_cli.data.manifest import Video
from videomae_cli.report import encodable
from videomae_cli.units import plural

SHOWN = 10
JSON, HTML = "health.json", "health.html"
Severity = Literal["error", "warning", "note"]


class Item(NamedTuple):
    """One readable video: its row of the manifest, and the facts of its file."""

    video: Video
    health: VideoHealth
    notes: tuple[str, ...]

    @property
    def path(self) -> str:
        """Return the path as the manifest has it."""
        return self.video.path


class RejectedItem(NamedTuple):
    """One video that cannot be used."""

    path: str
    reason: str
    split: str | None = None
    """None if the source gives none."""


class DataSet(NamedTuple):
    """All that the findings are about."""

    items: tuple[Item, ...]
    rejected: tuple[RejectedItem, ...]
    classes: tuple[str, ...] | None
    task: Task
    max_bad: float | None
    """Largest allowed share of rejected videos; None: any."""
    facts: dict[str, Any]
    """Mean and standard deviation of the training pixels, as in `dataset.json`."""
    sources: Mapping[str, VideoHealth] = MappingProxyType({})
    """Facts of the files that the videos were written from, by path; none if they are used as they
    are."""

    @property
    def total(self) -> int:
        """Return the number of listed videos."""
        return len(self.items) + len(self.rejected)

    def add_sources(
        self,
        entries: Sequence[VideoEntry],
        probed: Sequence[ReadableVideo | RejectedVideo],
        form: str | None,
    ) -> "DataSet":
        """Return the data set with the facts of the sources, if its videos were written anew."""
        if form is None:
            return self
        table = zip(entries, probed, strict=True)
        facts = {entry.path: one.health for entry, one in table if isinstance(one, ReadableVideo)}
        return self._replace(sources={item.path: facts[item.path] for item in self.items})

    def split(self, name: str) -> list[Item]:
        """Return the readable videos of a split."""
        return [item for item in self.items if item.video.split == name]


class Example(NamedTuple):
    """One video that a finding is about."""

    path: str
    detail: str


class Finding(NamedTuple):
    """Something that is, or may be, wrong."""

    name: str
    """A short name for programs, such as `sparse-key-frames`."""
    severity: Severity
    number: int
    """How many videos (or classes) it is about."""
    text: str
    """One line, with the number."""
    action: str
    examples: tuple[Example, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the finding for a program, with names that can be encoded."""
        fields: dict[str, object] = self._asdict()
        fields["examples"] = [
            {key: encodable(text) for key, text in example._asdict().items()}
            for example in self.examples
        ]
        return fields


class Health(NamedTuple):
    """The findings about a data set, errors first, and the numbers behind them."""

    source: str
    out: Path
    findings: tuple[Finding, ...]
    numbers: dict[str, Any]

    @property
    def problems(self) -> int:
        """Return the number of findings, without notes."""
        return sum(finding.severity != "note" for finding in self.findings)

    def summary(self) -> str:
        """Return the line for the terminal."""
        notes = len(self.findings) - self.problems
        texts = [
            plural(count, word)
            for count, word in ((self.problems, "finding"), (notes, "note"))
            if count
        ]
        return f"health: {' and '.join(texts) or 'no findings'}, see {self.out / HTML}"

    def as_json(self) -> dict[str, object]:
        """Return the content of `health.json`."""
        return {
            "source": self.source,
            "version": __version__,
            "findings": [finding.as_json() for finding in self.findings],
            "data": self.numbers,
        }


def first(examples: Iterable[Example]) -> tuple[Example, ...]:
    """Return the examples that are shown."""
    return tuple(example for example, _ in zip(examples, range(SHOWN), strict=False))
