"""Workers of a Dask cluster write the videos that this machine writes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.executors import dask_cluster
from tests.data.executors.dask_cluster import Processes, start_cluster
from tests.data.make_clips import moving_square, write_clip
from tests.notes import Notes
from tests.tasks.prepare.test_transcoding_shards import contents
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.executors import cluster as cluster_module
from videomae_cli.data.executors.cluster import connect_cluster
from videomae_cli.data.executors.cluster_probing import DEATH
from videomae_cli.data.executors.cluster_transcoding import (
    Job,
    _describe_software,
    transcode_job,
    transcode_on_cluster,
)
from videomae_cli.data.executors.share import Share
from videomae_cli.data.ingest.probe import RejectedVideo, readable_video
from videomae_cli.data.transcoding.forms import Settings
from videomae_cli.data.transcoding.pool import StoredVideo, Task
from videomae_cli.data.transcoding.record import Mark, TranscodeRecord
from videomae_cli.errors import DataError, UsageError
from videomae_cli.tasks.prepare import shard
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import run


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    with start_cluster(tmp_path_factory.mktemp("cluster"), 2) as processes:
        yield processes


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait longer for workers than users must: this machine may be busy."""
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 60.0)
    monkeypatch.setattr(cluster_module, "WORKER_SECONDS", 60.0)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for number in range(24):
        frames = moving_square(4 + number % 5, 32, 64, seed=number)
        write_clip(tmp_path / "source" / str(number % 2) / f"{number}.mp4", frames)
    (tmp_path / "source" / "1" / "broken.mp4").write_bytes(b"no video")
    return tmp_path / "source"


@pytest.mark.parametrize("form", ["h264", "jpeg"])
def test_workers_write_the_files_that_one_machine_writes(
    form: str, cluster: Processes, source: Path, tmp_path: Path
) -> None:
    out, whole, notes = tmp_path / "out", tmp_path / "whole", Notes()
    options = PrepareOptions(form=form, workers=1)
    run(source, out, Notes(), options)
    out.rename(whole)

    run(source, out, notes, options._replace(scheduler=cluster.address))

    assert contents(out) == contents(whole)
    assert notes.has("more with 2 processes, as measured on 20 of them")
    assert sum("2 tasks at a time" in line for line in notes.said) == 2  # probing, and writing
    again = Notes()
    run(source, out, again, options._replace(scheduler=cluster.address))
    assert again.has("24 of 24 videos are written already and unchanged")


def test_workers_write_the_files_of_a_shard(
    cluster: Processes, source: Path, tmp_path: Path
) -> None:
    out, whole, notes = tmp_path / "out", tmp_path / "whole", Notes()
    options = PrepareOptions(form="uint8", workers=1)
    run(source, out, Notes(), options)
    out.rename(whole)

    shard.run(source, out, Notes(), options._replace(share=Share(0, 2), scheduler=cluster.address))
    shard.run(source, out, Notes(), options._replace(share=Share(1, 2)))
    run(source, out, notes, options)

    assert notes.has("24 of 24 videos are written already")
    assert contents(out) == contents(whole)


def make_job(tmp_path: Path, name: str = "a") -> Job:
    path = write_clip(tmp_path / f"{name}.mp4", 4)
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    with TranscodeRecord(out) as record:
        assert isinstance(record, TranscodeRecord)
        mark = record.put_mark()
    task = Task(
        path,
        out / f"videos/{name}.mp4.mjpeg",
        readable_video(probe_video(path), "pyav"),
        Settings("jpeg", 256),
    )
    return Job(task, path.stat().st_size, 60.0, _describe_software(), mark)


def test_the_video_that_kills_every_worker_is_rejected_and_the_others_are_kept(
    tmp_path: Path,
) -> None:
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    jobs = [make_job(tmp_path, name) for name in ("a", "poison", "b")]
    tasks = [job.task for job in jobs]

    with (
        start_cluster(tmp_path, 2, nanny=True, failures=1) as processes,
        connect_cluster(processes.address, Notes()) as connection,
    ):
        results = dict(
            transcode_on_cluster(
                connection, jobs[-1].mark, 60.0, tasks, transcode=dask_cluster.transcode_or_die
            )
        )

    assert results.pop(tasks[1]) == RejectedVideo(DEATH, is_lasting=False)
    assert all(isinstance(result, StoredVideo) for result in results.values())
    assert sorted(path.name for path in (tmp_path / "out/videos").iterdir()) == [
        "a.mp4.mjpeg",
        "b.mp4.mjpeg",
    ]


def test_a_worker_that_sees_another_out_or_none_writes_nothing(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    path = Path(job.mark.path)
    other = job.mark.text.replace(job.mark.text[-6:-2], "____")

    for mark, words in (
        (Mark(str(tmp_path / "none/transcoded.jsonl"), 0, job.mark.text), "is not visible"),
        (job.mark._replace(text=other), "is another directory"),
        (job.mark._replace(start=99_999), "is another directory"),
        (job.mark._replace(path=str(path / "below")), "cannot be read"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            transcode_job(job._replace(mark=mark))
        assert caught.value.message.startswith(f"--out {Path(mark.path).parent} ")
        assert "shared file system" in caught.value.hint
    assert not job.task.output.exists()
    assert isinstance(transcode_job(job), StoredVideo)


def can_mount() -> bool:
    """Return whether a process with another view of the disk can be started here."""
    program = shutil.which("unshare")
    return (
        program is not None
        and not subprocess.run(
            [program, "-m", "mount", "-t", "tmpfs", "none", "/mnt"],
            check=False,
            capture_output=True,
        ).returncode
    )


@pytest.mark.skipif(not can_mount(), reason="no other file system can be mounted here")
def test_a_machine_whose_out_is_another_directory_is_named(source: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    out = tmp_path / "out"
    out.mkdir()
    with start_cluster(tmp_path, 0) as processes:
        line = f"mount -t tmpfs none {out} && exec {sys.executable} -m distributed.cli.dask_worker"
        line += f" {processes.address} --nthreads 1 --no-nanny --no-dashboard"
        worker = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", f"{line} --local-directory {tmp_path}"],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(dask_cluster.ROOT)},
        )
        try:
            with pytest.raises(DataError, match=f"--out {out} is not visible on the machine of"):
                run(source, out, Notes(), PrepareOptions(form="jpeg", scheduler=processes.address))
        finally:
            worker.kill()
            worker.wait()
    assert not (out / "videos").exists() and not (out / "manifest.csv").exists()


def test_a_worker_that_sees_other_sources_or_has_other_software_writes_nothing(
    tmp_path: Path,
) -> None:
    job = make_job(tmp_path)

    with pytest.raises(DataError, match=r"has .* bytes, and 9 elsewhere"):
        transcode_job(job._replace(size=9))
    with pytest.raises(DataError, match="this process has other versions") as caught:
        transcode_job(job._replace(software="videomae 0"))
    assert "install the same packages" in caught.value.hint
    assert not job.task.output.exists()


def test_a_place_where_the_worker_cannot_write_is_named(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    (tmp_path / "out/videos").write_text("a file where the folder should be")

    with pytest.raises(UsageError, match=r"videos/?.* cannot be written by this process"):
        transcode_job(job)
