"""Children decode and encode; only this process writes, and only files that are complete."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.make_clips import write_clip
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.ingest.child_process import ENVIRONMENT
from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo, readable_video
from videomae_cli.data.transcoding.forms import H264, UINT8, Settings
from videomae_cli.data.transcoding.pool import COMMAND, StoredVideo, Task, transcode_videos

# a child process that sends half a file, and then does what the name of the source says
FAKE = """
import json, os, sys, time
def send(**answer):
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\\n")
    sys.stdout.buffer.flush()
send(ready=True)
for line in sys.stdin:
    name = os.path.basename(json.loads(line)["path"])
    send(bytes=4)
    sys.stdout.buffer.write(b"half")
    sys.stdout.buffer.flush()
    if "hang" in name:
        time.sleep(600)
    if "crash" in name:
        os.abort()
    if "short" in name:
        send(bytes=99); os._exit(3)
    while "endless" in name:
        send(bytes=1 << 20); sys.stdout.buffer.write(bytes(1 << 20))
    if "reason" in name:
        send(reason="no")
    send(done=[64, 64, 3])
"""
VIDEO = ReadableVideo(40, 25.0, 64, 64, "pyav")


def transcoded(
    *tasks: Task, seconds: float = 60.0, fake: str = ""
) -> dict[str, StoredVideo | RejectedVideo]:
    command = (sys.executable, "-c", fake) if fake else COMMAND
    results = transcode_videos(tasks, seconds=seconds, workers=1, command=command)
    return {task.source.name: result for task, result in results}


def make_task(folder: Path, name: str, form: str = H264) -> Task:
    source = folder / name
    video = VIDEO
    if source.exists():
        video = readable_video(probe_video(source), "pyav")
    else:
        source.write_bytes(b"a source")
    return Task(source, folder / "out" / name, video, Settings(form, 256))


def test_a_file_that_fails_leaves_nothing_and_the_next_is_written(tmp_path: Path) -> None:
    good = write_clip(tmp_path / "good.mp4", 20)
    os.utime(good, ns=(10**18, 10**18 + 5))
    write_clip(tmp_path / "b.mp4", 20)
    tasks = [make_task(tmp_path, name) for name in ("b.mp4", "good.mp4")]
    (tmp_path / "b.mp4").write_bytes(good.read_bytes()[:500])

    results = transcoded(*tasks)

    rejected, stored = results["b.mp4"], results["good.mp4"]
    assert isinstance(rejected, RejectedVideo) and rejected.reason
    assert str(tmp_path) not in rejected.reason
    assert isinstance(stored, StoredVideo) and stored[:3] == (64, 64, 3)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.mp4"]
    state = (tmp_path / "out/good.mp4").stat()
    assert (state.st_size, state.st_mtime_ns) == (stored.bytes, 10**18 + 5)


def test_a_source_that_has_other_frames_now_is_rejected(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", 20)
    for form in (H264, UINT8):
        task = make_task(tmp_path, "a.mp4", form)
        task = task._replace(video=task.video._replace(frames=19))

        result = transcoded(task)["a.mp4"]

        assert isinstance(result, RejectedVideo)
        assert "20 frames now, 19 when it was probed" in result.reason
        assert not task.output.exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hang", "takes longer than 4.5 s (--timeout)"),  # and a tenth of a second for each frame
        ("crash", "SIGABRT"),
        ("short", "exit code 3"),
        ("endless", "becomes larger than"),
        ("reason", "no"),
    ],
)
def test_a_child_that_fails_costs_only_its_file(name: str, words: str, tmp_path: Path) -> None:
    tasks = [make_task(tmp_path, each) for each in ("a", name, "b")]

    results = transcoded(*tasks, seconds=0.5, fake=FAKE)

    bad = results[name]
    assert isinstance(bad, RejectedVideo) and words in bad.reason
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "b"]
    assert (tmp_path / "out/a").read_bytes() == b"half"
    assert isinstance(results["b"], StoredVideo)


def test_a_disk_that_refuses_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    task = make_task(tmp_path, "a")
    (tmp_path / "out").write_text("a file where the folder should be")

    with pytest.raises(OSError, match="out"):
        transcoded(task, fake=FAKE)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits are those of Linux")
def test_the_real_child_can_write_no_file(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", 5)
    script = f"""
import videomae_cli.data.transcoding.child as child
def write_elsewhere(*_):
    open({str(tmp_path / "stolen")!r}, "wb", buffering=0).write(b"x")
child.write_file = write_elsewhere
child.main()
"""
    request = f'{{"path": "{tmp_path}/a.mp4", "form": "jpeg", "short_side": 256, "fps": 25, '
    request += '"times": [], "frames": 5, "seconds": 60}\n'

    done = subprocess.run(
        (sys.executable, "-c", script),
        input=request,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **ENVIRONMENT},
    )

    assert "File too large" in done.stdout.splitlines()[1]
    assert (tmp_path / "stolen").read_bytes() == b""
