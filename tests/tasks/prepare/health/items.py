"""Facts about videos, without files."""

from typing import Any

from videomae_cli.data.health.facts import VideoHealth
from videomae_cli.data.manifest import Video
from videomae_cli.tasks.prepare.health.finding import DataSet, Finding, Item
from videomae_cli.tasks.prepare.health.report import find_all

HASHES = ("0123456789abcdef", "fedcba9876543210", "00ff00ff00ff00ff")
VIDEO = Video("a.mp4", None, "train", 100, 25.0, 320, 240, "pyav")
HEALTH = VideoHealth("mov,mp4", "h264", "yuv420p", 1000, key_distance=12)


def item(path: str = "a.mp4", *notes: str, health: VideoHealth = HEALTH, **changes: Any) -> Item:
    """Return a healthy video, with changes of its row of the manifest."""
    return Item(VIDEO._replace(path=path, **changes), health, notes)


def data_set(*items: Item, **changes: Any) -> DataSet:
    return DataSet(items, (), None, "single-label", None, {})._replace(**changes)


def found(data: DataSet) -> dict[str, Finding]:
    return {finding.name: finding for finding in find_all(data)}


def change_bits(hashes: tuple[str, ...], *places: int) -> tuple[str, ...]:
    """Return hashes with some of their 192 bits inverted."""
    code = int("".join(hashes), 16)
    for place in places:
        code ^= 1 << place
    text = f"{code:048x}"
    return tuple(text[start : start + 16] for start in range(0, 48, 16))
