"""Write the health report as one HTML page without scripts or external resources."""

from importlib.resources import files
from typing import Any

import jinja2

from videomae_cli.report import printable
from videomae_cli.tasks.prepare.health.finding import SHOWN, Health
from videomae_cli.units import plural

SHOWN_CLASSES = 40
MEGABYTE = 1e6
PANELS = (
    ("Frames per video", "frame_counts"),
    ("Size in pixels", "size_counts"),
    ("Frames per second", "rate_counts"),
    ("Codec and pixel format", "codec_counts"),
    ("Container", "container_counts"),
    ("Frames between key frames, at most", "key_distance_counts"),
    ("Decoder", "decoder_counts"),
)
SOURCE_PANELS = (
    ("Codec and pixel format of the sources", "codec_counts"),
    ("Container of the sources", "container_counts"),
)


def render(health: Health) -> str:
    """Return the page."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(
        files(__package__).joinpath("report.html").read_text(encoding="utf-8")
    )
    numbers = health.numbers
    panels = [(title, numbers[key]) for title, key in PANELS]
    if numbers["source"] is not None:
        panels += [(title, numbers["source"][key]) for title, key in SOURCE_PANELS]
    return printable(
        template.render(
            health=health,
            shown=SHOWN,
            summary=_summarize(numbers),
            panels=[(title, _bars(rows)) for title, rows in panels if rows],
            classes=_class_rows(numbers),
            class_total=len(numbers["classes"]),
            pixels=_pixel_rows(numbers["pixels"]),
        ),
        keep_lines=True,
    )


def _summarize(numbers: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the figures at the top: value and what it counts."""
    videos = numbers["videos"]
    return [
        (f"{sum(videos.values()):,}", "readable videos"),
        *((f"{count:,}", f"in {split}") for split, count in videos.items() if count),
        (f"{numbers['rejected']:,}", "rejected"),
        (f"{numbers['hours']:,.2f} h", "of video"),
        *_summarize_files(numbers),
    ]


def _summarize_files(numbers: dict[str, Any]) -> list[tuple[str, str]]:
    size, source = f"{numbers['bytes'] / MEGABYTE:,.1f} MB", numbers["source"]
    if source is None:
        return [(size, "in files"), (f"{numbers['with_audio']:,}", "with sound")]
    return [
        (size, "in written files, without sound"),
        (f"{source['bytes'] / MEGABYTE:,.1f} MB", "in source files"),
        (f"{source['with_audio']:,}", "sources with sound"),
    ]


def _bars(rows: list[list[Any]]) -> list[tuple[str, int, float]]:
    """Return text, number and length of each bar in percent of the longest."""
    most = max(count for _, count in rows)
    return [(text, count, 100 * count / max(most, 1)) for text, count in rows]


def _class_rows(numbers: dict[str, Any]) -> list[tuple[str, list[tuple[str, int, float]]]]:
    """Return name and bars per split of each class, those with the fewest training videos first."""
    counts = numbers["class_counts"]
    if not counts:
        return []
    most = max(max(column) for column in counts.values()) or 1
    order = sorted(
        range(len(numbers["classes"])), key=lambda k: [column[k] for column in counts.values()]
    )
    return [
        (
            numbers["classes"][label],
            [
                (split, column[label], 100 * column[label] / most)
                for split, column in counts.items()
            ],
        )
        for label in order[:SHOWN_CLASSES]
    ]


def _pixel_rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the statistics of the training pixels as rows of a table."""
    if "channel_mean" not in facts:
        return []
    rows = [
        (name, ", ".join(f"{value:.4f}" for value in facts[key]))
        for name, key in (("mean", "channel_mean"), ("standard deviation", "channel_std"))
    ]
    return [*rows, ("measured on", plural(facts["measured_videos"]) + " of train")]
