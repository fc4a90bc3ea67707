"""`features` and `predict` on a Dask cluster write what they write on this machine."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.executors.dask_cluster import ROOT, Processes, start_cluster, wait_until
from tests.e2e.kill_evaluation import read_all
from tests.tasks.predict.clips import write_classifier, write_videos
from videomae_cli.data.manifest import Video, write_manifest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    with start_cluster(tmp_path_factory.mktemp("cluster"), 2) as processes:
        yield processes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a classifier, six videos and 60 prepared ones; one is missing."""
    folder = tmp_path_factory.mktemp("videos")
    write_classifier(folder / "weights")
    clips = write_videos(folder / "videos")
    videos = []
    for number in range(60):
        path = folder / "many" / f"{number:02d}.mp4"
        path.parent.mkdir(exist_ok=True)
        if number != 33:
            path.hardlink_to(clips[number % 6])
        size = 72 - 4 * (number % 6), 40 + 8 * (number % 6)
        videos.append(Video(path.name, 0, "val", 9 + 4 * (number % 6), 25.0, *size, "pyav"))
    classes, root = ["left", "right", "up"], folder / "many"
    write_manifest(folder / "data", root=root, videos=videos, classes=classes, facts={})
    return folder


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "videomae_cli", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"},
    )


def finish(folder: Path, *words: str, stdin: str = "") -> tuple[int, str, str]:
    process = start(folder, *words)
    out, error = process.communicate(stdin, timeout=300)
    return process.returncode, out, error


def test_features_of_a_cluster_are_those_of_this_machine_to_the_bit(
    cluster: Processes, folder: Path
) -> None:
    words = ["features", "--checkpoint", "weights", "--data", "data", "--level", "video"]

    code, out, error = finish(
        folder, *words, "--out", "remote", "--scheduler", cluster.address, "--json"
    )
    local, _, _ = finish(folder, *words, "--out", "local")

    assert code == local == 3, error  # one video is missing, and named
    assert json.loads(out)["is_complete"] and "33.mp4" in json.loads(out)["rejected"][0]
    assert read_all(folder / "remote") == read_all(folder / "local")


def test_predictions_of_a_cluster_are_those_of_this_machine(
    cluster: Processes, folder: Path
) -> None:
    (folder / "bad.mp4").write_bytes(b"not a video at all, but long enough to be opened")
    words = ["predict", "-", "--checkpoint", "weights", "--json"]
    listed = "\n".join(["bad.mp4", *(f"many/{number:02d}.mp4" for number in range(9))])

    code, out, error = finish(
        folder, *words, "--out", "remote.jsonl", f"--scheduler={cluster.address}", stdin=listed
    )
    local, _, _ = finish(folder, *words, "--out", "local.jsonl", stdin=listed)

    assert code == local == 3, error
    facts = json.loads(out)
    assert facts["videos"] == 9 and facts["files"] == ["remote.jsonl"]
    assert [one["video"] for one in facts["rejected"]] == ["bad.mp4"]
    assert "no result for 1 of 10 inputs" in error
    remote, expected = (
        [json.loads(line) for line in (folder / name).read_text().splitlines()]
        for name in ("remote.jsonl", "local.jsonl")
    )
    assert len(remote) == len(expected) == 10
    for row, other in zip(remote, expected, strict=True):
        assert row["video"] == other["video"]
        for one, two in zip(row.get("classes", ()), other.get("classes", ()), strict=True):
            assert one["name"] == two["name"]
            assert one["probability"] == pytest.approx(two["probability"], abs=1e-6)
    assert not list(folder.glob("remote-*"))


def test_a_shard_that_fails_is_an_error_with_its_own_words(
    cluster: Processes, folder: Path
) -> None:
    words = ["--checkpoint", "weights", "--scheduler", cluster.address, "--out", "failed"]

    code, _, error = finish(folder, "features", "--data", "data", "--layer", "99", *words)

    assert code == 3
    assert "fails on the cluster: " in error and "99" in error
    assert not (folder / "failed" / "features.json").exists()


def test_commands_on_workers_end_when_the_one_that_started_them_is_killed(
    cluster: Processes, folder: Path
) -> None:
    words = ["features", "--checkpoint", "weights", "--data", "data", "--out", "killed"]
    process = start(folder, *words, "--level", "token", "--scheduler", cluster.address)

    def count_commands() -> int:
        listed = subprocess.run(
            ["ps", "-ww", "-eo", "args="], capture_output=True, text=True
        ).stdout
        return sum("--out killed" in line and "--shard" in line for line in listed.splitlines())

    try:
        wait_until(lambda: count_commands() > 0, seconds=120)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()

    wait_until(lambda: count_commands() == 0, seconds=120)
    assert not (folder / "killed" / "features.json").exists()
