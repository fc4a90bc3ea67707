"""Workers of a Dask cluster probe as this machine does; what fails there is explained."""

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.executors import dask_cluster
from tests.data.executors.dask_cluster import Processes, start_cluster
from tests.data.make_clips import write_clip
from tests.notes import Notes
from videomae_cli.data.executors import cluster as cluster_module
from videomae_cli.data.executors.cluster import compare_versions, connect_cluster
from videomae_cli.data.executors.cluster_probing import (
    DEATH,
    Batch,
    File,
    IdleProcesses,
    plan_batches,
    probe_batch,
    probe_on_cluster,
)
from videomae_cli.data.ingest.pool import probe_videos
from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo
from videomae_cli.errors import DataError, UsageError
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import run

WRITTEN = ("manifest.csv", "dataset.json", "classes.json", "rejected.csv")


@pytest.fixture(scope="module")
def needs_dask() -> None:
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")


@pytest.fixture(scope="module")
def cluster(needs_dask: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with start_cluster(tmp_path_factory.mktemp("cluster"), 3) as processes:
        yield processes


def test_three_workers_write_the_files_that_one_machine_writes(
    cluster: Processes, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    for number in range(40):
        name = 'a b, "c"' if number == 7 else str(number)
        write_clip(
            source / str(number % 2) / f"{name}.mp4",
            4 + number % 5,
            height=32,
            width=48,
            seed=number,
        )
    (source / "1" / "broken.mp4").write_bytes(b"no video")
    local, remote, notes = tmp_path / "local", tmp_path / "remote", Notes()

    run(source, local, Notes(), PrepareOptions(workers=1))
    run(source, remote, notes, PrepareOptions(scheduler=cluster.address))

    for name in WRITTEN:
        assert (local / name).read_bytes() == (remote / name).read_bytes()
    assert "broken.mp4" in (remote / "rejected.csv").read_text()
    assert notes.has("tasks at a time")
    again = Notes()
    run(source, remote, again, PrepareOptions(scheduler=cluster.address))
    assert again.has("41 of 41 files are unchanged")


def test_tasks_of_a_worker_that_dies_are_done_by_another(needs_dask: None, tmp_path: Path) -> None:
    with start_cluster(tmp_path, 2) as processes:
        tasks = deque(str(tmp_path / f"marker {number}") for number in range(3))
        (tmp_path / "marker 0").touch()
        (tmp_path / "marker 2").touch()
        with connect_cluster(processes.address, Notes()) as connection:
            results = {
                task: result()
                for task, result in connection.run(
                    dask_cluster.die_once, lambda: tasks.popleft() if tasks else None
                )
            }

        assert sorted(results.values()) == ["marker 0", "marker 1", "marker 2"]
        assert sorted(worker.poll() is None for worker in processes.workers) == [False, True]


def test_the_file_that_kills_every_worker_is_rejected_and_the_others_are_kept(
    needs_dask: None, tmp_path: Path
) -> None:
    paths = [write_clip(tmp_path / f"{name}.mp4", 4) for name in ("a", "poison", "b")]

    with start_cluster(tmp_path, 1, nanny=True, failures=1) as processes:
        found = probe_on_cluster(
            paths,
            processes.address,
            Notes(),
            decoder="pyav",
            seconds=60,
            probe=dask_cluster.probe_or_die,
        )
        results = dict(found)

    expected = dict(probe_videos(paths, decoder="pyav", seconds=60, workers=1))
    assert results.pop(paths[1]) == RejectedVideo(DEATH, is_lasting=False)
    del expected[paths[1]]
    assert results == expected


CLIENT = """
import sys
from tests.data.executors.dask_cluster import wait_while_wanted
from videomae_cli.data.executors.cluster import connect_cluster
from videomae_cli.report import Silence
tasks = [sys.argv[2]]
with connect_cluster(sys.argv[1], Silence()) as connection:
    for task, result in connection.run(wait_while_wanted, lambda: tasks.pop() if tasks else None):
        result()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_task_learns_that_the_process_that_waits_for_it_has_ended(
    number: signal.Signals, cluster: Processes, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", CLIENT, cluster.address, str(tmp_path)]
    client = subprocess.Popen(command, cwd=dask_cluster.ROOT, stderr=subprocess.DEVNULL)

    dask_cluster.wait_until((tmp_path / "started").exists)
    assert not (tmp_path / "ended").exists()
    client.send_signal(number)
    client.wait(60)

    dask_cluster.wait_until((tmp_path / "ended").exists)


def test_a_scheduler_that_dies_is_an_error_after_the_results_so_far(
    needs_dask: None, tmp_path: Path
) -> None:
    numbers = iter(range(1_000_000))
    with (
        start_cluster(tmp_path, 1) as processes,
        pytest.raises(DataError) as caught,
        connect_cluster(processes.address, Notes()) as connection,
    ):
        for task, result in connection.run(dask_cluster.double, lambda: next(numbers)):
            assert result() == 2 * task
            if task == 10:
                processes.scheduler.kill()

    assert f"the connection to the scheduler at {processes.address} is lost" in str(caught.value)
    assert "it continues" in caught.value.hint


def test_a_cluster_without_workers_is_an_error(
    needs_dask: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "WORKER_SECONDS", 2.0)
    with (
        start_cluster(tmp_path, 0) as processes,
        pytest.raises(UsageError, match="no worker is connected") as caught,
        connect_cluster(processes.address, Notes()),
    ):
        pass

    assert f"dask worker {processes.address}" in caught.value.hint


@pytest.mark.parametrize("address", ["host", "http://127.0.0.1:8786", "tcp://127.0.0.1", ""])
def test_another_address_is_refused_with_an_example(needs_dask: None, address: str) -> None:
    with pytest.raises(UsageError, match="not the address") as caught:
        connect_cluster(address, Notes()).__enter__()

    assert "tcp://HOST:8786" in caught.value.hint


def test_no_scheduler_is_an_error_within_seconds(
    needs_dask: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 1.0)
    with pytest.raises(UsageError, match="no scheduler answers within 1 s") as caught:
        connect_cluster("tcp://127.0.0.1:9", Notes()).__enter__()

    assert "dask scheduler" in caught.value.hint


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError) as caught:
        connect_cluster("tcp://127.0.0.1:9", Notes()).__enter__()

    assert caught.value.hint == "pip install 'videomae[cluster]'"


def test_a_worker_that_sees_other_files_or_has_other_software_probes_nothing(
    tmp_path: Path,
) -> None:
    path = write_clip(tmp_path / "a.mp4", 4)
    batch = next(plan_batches([path], "pyav", 60.0))

    for wrong, words in (
        (batch._replace(files=(File(str(tmp_path / "b.mp4"), 9),)), "does not exist"),
        (batch._replace(files=(File(str(path), 9),)), "has [0-9,]+ bytes, and 9 elsewhere"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            probe_batch(wrong)
        assert "shared file system" in caught.value.hint
    with pytest.raises(DataError, match="this process has other versions") as caught:
        probe_batch(batch._replace(software="videomae 0"))
    assert "install the same packages" in caught.value.hint


def test_frames_of_a_known_file_are_not_counted_again(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 4)
    (counted,) = (video for _, video in probe_videos([path], decoder="any", seconds=60, workers=1))
    assert isinstance(counted, ReadableVideo)
    known = {path: counted._replace(frames=3)}

    (batch,) = plan_batches([path], "decord", 60.0, known)

    assert probe_batch(batch) == [counted._replace(frames=3, decoder="decord")]


def test_batches_are_limited_by_number_and_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number:02d}" for number in range(70)]
    for path in paths:
        path.write_bytes(b"1")
    for number in (2, 3):
        with paths[number].open("wb") as file:
            file.truncate(60_000_000)  # takes no space

    batches: list[Batch] = list(plan_batches(paths, "auto", 60.0))

    assert [len(batch.files) for batch in batches] == [3, 1, 32, 32, 2]
    assert [Path(file.path) for batch in batches for file in batch.files] == paths


def test_a_child_process_serves_the_next_batch_and_ends_when_none_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, idle = write_clip(tmp_path / "a.mp4", 4), IdleProcesses()
    process = idle.take("pyav", 60.0)
    process.probe(path)
    child = process._process
    assert child is not None
    idle.give_back("pyav", 60.0, process)

    assert idle.take("auto", 60.0) is not process
    assert idle.take("pyav", 60.0) is process
    monkeypatch.setattr("videomae_cli.data.executors.cluster_probing.IDLE_SECONDS", 0.01)
    idle.give_back("pyav", 60.0, process)

    child.wait(30)
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_versions_that_differ_are_named_with_their_place() -> None:
    here = {"packages": {"python": "3.11.7.final.0", "dask": "2026.8.0"}}
    other = {"packages": {"python": "3.11.7.final.0", "dask": "2025.1.0"}}

    (line,) = compare_versions(
        {"client": here, "scheduler": here, "workers": {"tcp://a:1": other, "tcp://b:1": other}}
    )

    assert line.startswith("dask is 2026.8.0 here and 2025.1.0 at tcp://a:1 and at 1 other places")
