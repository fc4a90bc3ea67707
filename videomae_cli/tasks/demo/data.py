"""The datasets of the demonstration: generated videos, prepared as `videomae prepare` does.

Below the run directory:

videos/unlabelled/000000.npy ...            for pretraining: frames as an array, uncompressed
videos/natural/  still/  shuffled/          labelled: the same clips with frames in three orders
data/unlabelled/                            the prepared pretraining videos
data/natural-16/  natural-48/  ...          the first 16, 48, ... training videos and all of test
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from videomae_cli import __version__, atomic
from videomae_cli.data.manifest import DATASET, Manifest, read_manifest, write_manifest
from videomae_cli.report import Report
from videomae_cli.rng import stream_seed
from videomae_cli.tasks.demo.videos import (
    MOTIONS,
    FrameOrder,
    motion_index,
    video_name,
    write_videos,
)
from videomae_cli.tasks.prepare import prepare
from videomae_cli.tasks.prepare.options import PrepareOptions

LIST_FILE = "list.csv"
FIRST_TEST = 1_000_000  # number of the first test video, far above those for training


class VideoCounts(NamedTuple):
    """The number of videos of each kind."""

    unlabelled: int
    budgets: tuple[int, ...]
    """Labelled videos for fine-tuning, one comparison each, in ascending multiples of 8."""
    control: int
    """Labelled videos for each of the two controls."""
    test: int
    """Test videos of the comparisons; a multiple of 8."""
    control_test: int
    """Test videos of the controls; a multiple of 8."""


def unlabelled_dir(run_dir: Path) -> Path:
    """Return the directory of the prepared pretraining videos."""
    return run_dir / "data" / "unlabelled"


def labelled_dir(run_dir: Path, order: FrameOrder, labels: int) -> Path:
    """Return the directory of the prepared dataset with this number of labelled videos."""
    return run_dir / "data" / f"{order}-{labels}"


def make_unlabelled(run_dir: Path, counts: VideoCounts, *, seed: int, report: Report) -> None:
    """Generate and prepare the pretraining videos, unless they exist."""
    folder = run_dir / "videos" / "unlabelled"
    seed = stream_seed(seed, "unlabelled")
    numbers = range(counts.unlabelled)
    _write_missing(folder, numbers, seed=seed, order="natural", report=report)
    _write_list(folder, "path,split", [f"{video_name(n)},train" for n in numbers])
    _prepare_missing(folder / LIST_FILE, unlabelled_dir(run_dir), report)


def make_labelled(
    run_dir: Path, order: FrameOrder, counts: VideoCounts, *, seed: int, report: Report
) -> None:
    """Generate and prepare the labelled videos: one dataset for each number of labels."""
    # the test clips are the same in all orders and budgets, but there are fewer for the controls
    is_natural = order == "natural"
    budgets = counts.budgets if is_natural else (counts.control,)
    tests = counts.test if is_natural else counts.control_test
    folder, prepared = run_dir / "videos" / order, run_dir / "data" / order
    train, test = range(max(budgets)), range(FIRST_TEST, FIRST_TEST + tests)
    seed = stream_seed(seed, "labelled")
    _write_missing(folder, [*train, *test], seed=seed, order=order, report=report)
    lines = [
        f"{video_name(n)},{MOTIONS[motion_index(n)]},{split}"
        for split, numbers in (("train", train), ("test", test))
        for n in numbers
    ]
    _write_list(folder, "path,label,split", lines)
    _prepare_missing(folder / LIST_FILE, prepared, report)
    manifest = read_manifest(prepared)
    for labels in budgets:
        _write_subset(manifest, labelled_dir(run_dir, order, labels), labels)


def _write_missing(
    folder: Path, numbers: Sequence[int], *, seed: int, order: FrameOrder, report: Report
) -> None:
    """Write the videos that do not exist yet."""
    missing = [number for number in numbers if not (folder / video_name(number)).is_file()]
    if not missing:
        return
    report.start(f"generating {folder.name} videos", total=len(missing), unit="video")
    for count in write_videos(folder, missing, seed=seed, order=order, workers=_count_cpus()):
        report.advance(count)
    report.finish()


def _prepare_missing(source: Path, prepared: Path, report: Report) -> None:
    if not _is_prepared(prepared):
        prepare.run(source, prepared, report, PrepareOptions())


def _write_list(folder: Path, header: str, lines: Sequence[str]) -> None:
    if not (folder / LIST_FILE).is_file():
        atomic.write_text(folder / LIST_FILE, "\n".join([header, *lines]) + "\n")


def _write_subset(manifest: Manifest, directory: Path, labels: int) -> None:
    """Write a dataset of the first `labels` training videos, balanced by class, and all of test."""
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


def _count_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
