"""Find the numbered images of a folder: the frames of a video that is stored as images.

The number of a frame is the last group of digits in which the names of the folder differ, so
`img_00001.jpg`, `0.png` and `cam2_0001_256.webp` are all read. Leading zeros do not matter. Names
that start with a dot, and files that are not images, are ignored. In a folder without any image,
arrays (`.npy`) are the frames.
"""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from videomae_cli.errors import DataError

ARRAY_SUFFIX = ".npy"  # of frames with other channels than RGB
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
DIGITS = re.compile(r"([0-9]+)")
RGB_NAME = re.compile(r"(?<![a-z])(rgb|colou?r|img|image|frame)")
# optical flow and other data beside the frames, as in raw frames of TSN and MMAction2
OTHER_NAME = re.compile(
    r"(?<![a-z])(flow|depth|disparity|mask|seg|label|thermal|infrared|thumb)"
    r"|(?<![a-z0-9])(x|y|u|v|ir)(?![a-z0-9])"
)
MIN_STEPS = 2  # equal gaps that make a numbering in steps, such as 0, 10, 20
SHOWN = 4


class FrameSeries(NamedTuple):
    """Images whose names differ in their number only."""

    prefix: str
    suffix: str
    """What follows the number, the ending of the name included."""
    numbers: tuple[int, ...]
    """Ascending."""
    names: tuple[str, ...]

    @property
    def pattern(self) -> str:
        """Return the names as a pattern, such as `img_%05d.jpg`."""
        widths = {len(name) for name in self.names}
        digits = len(self.names[0]) - len(self.prefix) - len(self.suffix)
        is_padded = len(widths) == 1 and digits > 1
        number = f"%0{digits}d" if is_padded else "%d"
        return f"{self.prefix}{number}{self.suffix}"

    @property
    def step(self) -> int:
        """Return the smallest difference of two numbers: 1 for frames without gaps."""
        return min((later - now for now, later in pairwise(self.numbers)), default=1)


class FolderFrames(NamedTuple):
    """The frames of a folder, and what else a viewer would notice in it."""

    folder: Path
    names: tuple[str, ...]
    """One image per frame, in the order of the numbers."""
    first: int
    """Number of the first frame in its name."""
    notes: tuple[str, ...]
    step: int = 1
    """Difference of the numbers of two frames."""

    def path(self, index: int) -> Path:
        """Return the file of the frame at a position, counted from 0."""
        return self.folder / self.names[index]


def find_frames(folder: Path) -> FolderFrames:
    """Return the images of a folder that are the frames of one video, ordered by number.

    Other series beside the RGB frames (flow, depth) are not used. Numbers in equal steps (0, 10,
    20) are accepted, and noted.

    Raises:
        DataError: The folder cannot be read or has no numbered images; there are several series and
            it is not clear which are the RGB frames; a number is missing or occurs twice.
    """
    names, others = _list_folder(folder)
    series = group_series(names)
    if not series:
        raise DataError(
            f"{folder}: no numbered images; it contains {_count_names([*names, *others])}",
            "a video is a file, or a folder of frames such as img_00001.jpg, img_00002.jpg",
        )
    frames = _choose_series(folder, series)
    _check_numbers(folder, frames)
    notes = []
    if unused := [one.pattern for one in series if one is not frames]:
        notes.append(f"other images, which are not read ({_join(unused)})")
    if len(names) > sum(len(one.names) for one in series):
        notes.append("images without a number, which are not read")
    if frames.step > 1:
        notes.append(f"frames numbered in steps of {frames.step}")
    return FolderFrames(folder, frames.names, frames.numbers[0], tuple(notes), frames.step)


def group_series(names: Iterable[str]) -> list[FrameSeries]:
    """Return the series among the names of images, the largest first; names without digits none."""
    alike = defaultdict(list)
    for name in names:
        stem, ending = os.path.splitext(name)  # noqa: PTH122  (Path decodes dots differently)
        texts = DIGITS.split(stem)
        if len(texts) > 1:
            alike[(*texts[::2], ending.lower())].append((texts, ending))
    found = [series for group in alike.values() for series in _split_by_number(group)]
    return sorted(found, key=lambda series: (-len(series.names), series.names))


def has_images(folder: Path) -> bool:
    """Return whether a folder directly contains an image; an OSError if it cannot be read."""
    with os.scandir(folder) as entries:
        return any(is_frame(entry.name) for entry in entries)


def is_array(name: str) -> bool:
    """Return whether a name is that of an array, and not hidden."""
    return name.lower().endswith(ARRAY_SUFFIX) and not name.startswith(".")


def is_frame(name: str) -> bool:
    """Return whether a name may be that of a frame: an image or an array."""
    return is_image(name) or is_array(name)


def is_image(name: str) -> bool:
    """Return whether a name is that of an image, and not hidden."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def _list_folder(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the images in a folder, and of other files and (with "/") folders.

    Without any image, arrays take their place.
    """
    images: list[str] = []
    others: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    others.append(f"{entry.name}{os.sep}")
                elif not is_image(entry.name):
                    others.append(entry.name)
                elif entry.is_file():
                    images.append(entry.name)
                else:
                    raise DataError(f"{entry.path} is a broken link, or not a regular file")
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}", "check the data root") from error
    if not images:
        images, others = (
            [name for name in others if is_array(name) is wanted] for wanted in (True, False)
        )
    return images, [name for name in others if not name.startswith(".")]


def _split_by_number(group: Sequence[tuple[list[str], str]]) -> Iterator[FrameSeries]:
    """Split names that differ in digits only into series that differ in one group of digits."""
    length = len(group[0][0])
    differing = [
        place for place in range(1, length, 2) if len({int(texts[place]) for texts, _ in group}) > 1
    ]
    place = differing[-1] if differing else length - 2
    by_rest = defaultdict(list)
    for texts, ending in group:
        before, after = "".join(texts[:place]), "".join(texts[place + 1 :])
        name = "".join(texts) + ending
        by_rest[before, after].append((int(texts[place]), name, after + ending))
    for (before, _), frames in by_rest.items():
        numbers, names, suffixes = zip(*sorted(frames), strict=True)
        yield FrameSeries(before, suffixes[0], numbers, names)


def _choose_series(folder: Path, series: Sequence[FrameSeries]) -> FrameSeries:
    """Return the RGB frames: the only series, or the only one that is not named otherwise."""
    if len(series) == 1:
        return series[0]
    named = [(one, f"{one.prefix} {Path(one.suffix).stem}".lower()) for one in series]
    possible = [(one, name) for one, name in named if not OTHER_NAME.search(name)]
    if len(possible) > 1:
        possible = [(one, name) for one, name in possible if RGB_NAME.search(name)]
    # a stray image beside many others is not the video
    if len(possible) == 1 and 2 * len(possible[0][0].names) >= len(series[0].names):
        return possible[0][0]
    shown = _join([f"{one.pattern} ({len(one.names)} images)" for one in series])
    raise DataError(
        f"{folder}: {len(series)} series of images, and it is not clear which are the frames: "
        f"{shown}",
        "keep one video per folder, its frames named img_00001.jpg, img_00002.jpg",
    )


def _check_numbers(folder: Path, frames: FrameSeries) -> None:
    for (now, name), (later, other) in pairwise(zip(frames.numbers, frames.names, strict=True)):
        if now == later:
            raise DataError(f"{folder}: {name} and {other} have the same number", "remove one")
    steps = [later - now for now, later in pairwise(frames.numbers)]
    step = frames.step if len(steps) >= MIN_STEPS else 1
    gap = next((position for position, width in enumerate(steps) if width != step), None)
    if gap is None:
        return
    number = frames.numbers[gap] + step
    digits = len(frames.names[gap]) - len(frames.prefix) - len(frames.suffix)
    raise DataError(
        f"{folder}: {frames.prefix}{number:0{digits}}{frames.suffix} is missing: {len(steps) + 1} "
        f"images are numbered from {frames.numbers[0]} to {frames.numbers[-1]}",
        "copy the folder again; if nothing is lost, number its frames without gaps",
    )


def _count_names(names: Iterable[str]) -> str:
    counts = Counter(
        "folders" if name.endswith(os.sep) else Path(name).suffix.lower() or "without ending"
        for name in names
    )
    return _join([f"{count} {kind}" for kind, count in counts.most_common()]) or "nothing"


def _join(texts: Sequence[str]) -> str:
    return ", ".join(texts[:SHOWN]) + (", ..." if len(texts) > SHOWN else "")
