"""The data sets of the demonstration: made, then prepared by the same code as anybody's videos.

Below the run directory:

videos/unlabelled/000000.mp4 ...            for pretraining
videos/natural/  still/  shuffled/          labelled: the same scenes, frames in three orders
data/unlabelled/                            as `videomae prepare` leaves them
data/natural-48/  natural-160/  ...         the first 48, 160, ... training videos and all of test
"""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli import __version__
from videomae_cli.data.manifest import DATASET, Manifest, read_manifest, write_manifest
from videomae_cli.report import Report
from videomae_cli.rng import stream_seed
from videomae_cli.tasks.demo.videos import MOTIONS, Order, motion_of, name_of, write_videos
from videomae_cli.tasks.prepare import prepare
from videomae_cli.tasks.prepare.options import PrepareOptions

LIST = "list.csv"
FIRST_TEST = 1_000_000  # numbers of test videos, far from those of training
# made here and a moment ago: every frame is counted, but the decoders need not be compared
AS_MADE = PrepareOptions(decoder="decord")


class Scale(NamedTuple):
    """How many videos of each kind."""

    unlabelled: int
    """For pretraining."""
    budgets: tuple[int, ...]
    """Labelled videos for fine-tuning, one contest each, fewest first; multiples of 8."""
    control: int
    """Labelled videos for the two controls."""
    test: int
    """For the accuracies of the contests; a multiple of 8."""
    control_test: int
    """For those of the controls; a multiple of 8."""

    @property
    def videos(self) -> int:
        """All video files."""
        contests = max(self.budgets) + self.test
        return self.unlabelled + contests + 2 * (self.control + self.control_test)


def unlabelled_data(folder: Path) -> Path:
    """Return where the prepared pretraining videos are, or will be."""
    return folder / "data" / "unlabelled"


def labelled_data(folder: Path, order: Order, labels: int) -> Path:
    """Return where so many prepared labelled videos are, or will be."""
    return folder / "data" / f"{order}-{labels}"


def make_unlabelled(folder: Path, scale: Scale, *, seed: int, report: Report) -> None:
    """Make and prepare the pretraining videos."""
    videos = folder / "videos" / "unlabelled"
    numbers = range(scale.unlabelled)
    _make(videos, numbers, seed=stream_seed(seed, "unlabelled"), order="natural", report=report)
    prepared = unlabelled_data(folder)
    if not _is_prepared(prepared):
        prepare.run(videos, prepared, report, AS_MADE)


def make_labelled(folder: Path, order: Order, scale: Scale, *, seed: int, report: Report) -> None:
    """Make and prepare labelled videos, a prepared directory for each budget of labels."""
    budgets = scale.budgets if order == "natural" else (scale.control,)
    videos, prepared = folder / "videos" / order, folder / "data" / order
    train = range(max(budgets))
    # the test scenes are the same for all orders and budgets, but fewer for the controls
    tests = scale.test if order == "natural" else scale.control_test
    test = range(FIRST_TEST, FIRST_TEST + tests)
    _make(videos, [*train, *test], seed=stream_seed(seed, "labelled"), order=order, report=report)
    if not (videos / LIST).is_file():
        _write_list(videos / LIST, train, test)
    if not _is_prepared(prepared):
        prepare.run(videos / LIST, prepared, report, AS_MADE)
    manifest = read_manifest(prepared)
    for labels in budgets:
        _cut(manifest, labelled_data(folder, order, labels), labels)


def _make(folder: Path, numbers: Sequence[int], *, seed: int, order: Order, report: Report) -> None:
    """Write the videos that are not there yet."""
    missing = [number for number in numbers if not (folder / name_of(number)).is_file()]
    if not missing:
        return
    report.start(f"making {folder.name} videos", total=len(missing), unit="video")
    for count in write_videos(folder, missing, seed=seed, order=order, workers=_workers()):
        report.advance(count)
    report.finish()


def _write_list(path: Path, train: Sequence[int], test: Sequence[int]) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "label", "split"))
        for split, numbers in (("train", train), ("test", test)):
            writer.writerows((name_of(n), MOTIONS[motion_of(n)], split) for n in numbers)
    partial.replace(path)


def _cut(manifest: Manifest, directory: Path, labels: int) -> None:
    """Keep the first `labels` training videos (every class equally often) and all test videos."""
    if not _is_prepared(directory):
        videos = [*manifest.split("train")[:labels], *manifest.split("test")]
        write_manifest(
            directory,
            root=manifest.root,
            videos=videos,
            classes=manifest.classes,
            facts={"source": str(manifest.root), "versions": {"videomae": __version__}},
        )


def _is_prepared(directory: Path) -> bool:
    return (directory / DATASET).is_file()


def _workers() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
