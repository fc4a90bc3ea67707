"""A file that hangs its decoder is cut and left out; the samples are those of a damaged file."""

import json
import logging
import multiprocessing
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.data.make_clips import write_clip
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.training import PretrainAugmentSpec
from videomae_cli.data.dataset import PretrainClips
from videomae_cli.data.loader import Order, Share, load_each, load_train_batches
from videomae_cli.data.manifest import Video
from videomae_cli.data.watchdog.watchdog import Watchdog, WatchedClips
from videomae_cli.errors import DataError

CLIP = ClipSpec(frames=4, stride_frames=2, size=32, patch=8)
AUGMENT = PretrainAugmentSpec(crop="multiscale", flip=True)
VIDEOS, BAD = 12, 5
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes")


def write_videos(folder: Path) -> Path:
    """Write videos; opening one of them waits for ever."""
    for number in range(VIDEOS):
        if number != BAD:
            write_clip(folder / f"{number}.mp4", 20, height=40, width=48, seed=number)
    os.mkfifo(folder / f"{BAD}.mp4")
    return folder


def copy_with_damage(folder: Path, copy: Path) -> Path:
    """Copy the videos; opening one of them fails."""
    copy.mkdir()
    for path in folder.iterdir():
        if path.stem != str(BAD):
            shutil.copy(path, copy)
    (copy / f"{BAD}.mp4").write_bytes(b"damaged")
    return copy


def open_clips(folder: Path) -> PretrainClips:
    videos = [
        Video(f"{number}.mp4", None, "train", 20, 25.0, 48, 40, "pyav") for number in range(VIDEOS)
    ]
    return PretrainClips(videos, folder, CLIP, AUGMENT, seed=1)


def load(clips: Any, *, workers: int, start: int = 0) -> list[Any]:
    order = Order(VIDEOS, 2, seed=4)  # 6 steps in an epoch
    steps = load_train_batches(
        clips, order, Share(2), start_step=start, stop_step=12, workers=workers
    )
    return [batch for step in steps for batch in step]


def assert_equal(found: list[Any], expected: list[Any]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for name in one._fields:
            assert torch.equal(getattr(one, name), getattr(other, name)), name


def entries(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_hung_file_is_left_out_and_the_run_goes_on(
    workers: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hanging = open_clips(write_videos(tmp_path / "hanging"))
    damaged = open_clips(copy_with_damage(tmp_path / "hanging", tmp_path / "damaged"))
    expected = load(damaged, workers=0)
    file = tmp_path / "quarantine.jsonl"
    with caplog.at_level(logging.WARNING, logger="videomae"):
        found = load(WatchedClips(hanging, Watchdog(2.0, file)), workers=workers)

    assert_equal(found, expected)
    assert sum(int(batch.failed.sum()) for batch in found) >= 2  # once in each epoch
    path = str(tmp_path / "hanging" / f"{BAD}.mp4")
    assert [(entry["path"], entry["epoch"]) for entry in entries(file)] == [(path, 0)]
    assert f"{path}: decoding it takes longer than 2 s" in caplog.text
    assert not multiprocessing.active_children()


def test_a_run_that_resumes_leaves_the_file_out_from_the_start(tmp_path: Path) -> None:
    hanging = open_clips(write_videos(tmp_path))
    file = tmp_path / "quarantine.jsonl"
    first = load(WatchedClips(hanging, Watchdog(2.0, file)), workers=2)

    for workers in (0, 1):  # without workers a file that is not listed would hang for ever
        resumed = load(WatchedClips(hanging, Watchdog(2.0, file)), workers=workers, start=4)
        assert_equal(resumed, first[4:])
    assert len(entries(file)) == 1


def test_a_file_is_read_in_the_epochs_before_the_one_in_which_it_hung(tmp_path: Path) -> None:
    write_clip(tmp_path / f"{BAD}.mp4", 20, height=40, width=48)
    for number in set(range(VIDEOS)) - {BAD}:
        write_clip(tmp_path / f"{number}.mp4", 20, height=40, width=48, seed=number)
    file = tmp_path / "quarantine.jsonl"
    file.write_text(json.dumps({"path": str(tmp_path / f"{BAD}.mp4"), "epoch": 1}) + "\n")
    clips = WatchedClips(open_clips(tmp_path), Watchdog(60, file))

    # small splits are kept in memory once they are read: the epoch that reads it comes last
    failed = [int(clips[epoch, BAD].failed.sum()) for epoch in (2, 1, 0)]

    assert failed == [1, 1, 0]


def test_no_file_is_left_out_if_all_of_three_workers_hang(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(VIDEOS):
        os.mkfifo(tmp_path / f"{number}.mp4")
    file = tmp_path / "quarantine.jsonl"
    watched = WatchedClips(open_clips(tmp_path), Watchdog(3.0, file))
    samples = load_each(watched, [(0, n) for n in range(6)], workers=3, timeout_seconds=8)

    with caplog.at_level(logging.WARNING, logger="videomae"), pytest.raises(DataError):
        list(samples)

    assert not file.exists()
    assert caplog.text.count("all 3 workers have been reading for more than 1.5 s") == 1


class _Slow:
    """Samples that take longer than the limit, but read no file for so long."""

    def path(self, index: int) -> Path:
        return Path(f"{index}.mp4")

    def __getitem__(self, key: tuple[int, int]) -> int:
        time.sleep(0.8)
        return key[1]


def test_a_sample_that_is_slow_for_another_reason_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "quarantine.jsonl"
    watched = WatchedClips(_Slow(), Watchdog(0.2, file))

    assert list(load_each(watched, [(0, 3), (0, 1)], workers=1)) == [3, 1]
    assert not file.exists()


@pytest.mark.parametrize("line", ["{", "[]", '{"path": "a.mp4"}', '{"path": "a", "epoch": "x"}'])
def test_a_list_that_cannot_be_read_is_an_error_with_its_line(line: str, tmp_path: Path) -> None:
    file = tmp_path / "quarantine.jsonl"
    file.write_text('{"path": "a.mp4", "epoch": 0}\n' + line + "\n")

    with pytest.raises(DataError, match=r"quarantine\.jsonl, line 2"):
        Watchdog(60, file)
