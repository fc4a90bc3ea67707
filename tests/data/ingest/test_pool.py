"""Untrusted files are decoded or rejected with a reason; none can hang or kill the program."""

import os
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from tests.data.make_clips import write_clip
from tests.data.make_frames import write_frame_folder
from videomae_cli.data.health.facts import UNKNOWN
from videomae_cli.data.ingest.pool import COMMAND, ENVIRONMENT, probe_videos
from videomae_cli.data.ingest.probe import LATE_NOTE, ReadableVideo, RejectedVideo
from videomae_cli.errors import DataError

# of H.264 with B-frames; PyAV before 18 does not leave out pictures
FASTER = "pyav" if int(av.__version__.split(".")[0]) >= 18 else "decord"
# a child process that answers like ours, except for files named after a failure
FAKE = """
import json, os, sys, time
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    name = os.path.basename(json.loads(line)["path"])
    if name.startswith("late"):
        print(json.dumps({"counted": [5, 25.0, 8, 8, "pyav"]}), flush=True)
    if "hang" in name:
        time.sleep(600)
    if "crash" in name:
        os.abort()
    if "half" in name:
        sys.stdout.write('{"probe": [5'); sys.stdout.flush(); os._exit(3)
    print(json.dumps({"probe": [5, 25.0, 8, 8, "decord"]}), flush=True)
"""


def probed(
    *paths: Path,
    decoder: str = "auto",
    seconds: float = 60.0,
    workers: int = 1,
    fake: str = "",
) -> dict[str, ReadableVideo | RejectedVideo]:
    command = (sys.executable, "-c", fake) if fake else COMMAND
    results = probe_videos(
        paths, decoder=decoder, seconds=seconds, workers=workers, command=command
    )
    # moments of pixels and facts for the health report have tests of their own
    return {
        path.name: result._replace(moments=(), health=UNKNOWN)
        if isinstance(result, ReadableVideo)
        else result
        for path, result in results
    }


def reason(result: ReadableVideo | RejectedVideo) -> str:
    assert isinstance(result, RejectedVideo)
    return result.reason


def test_good_and_bad_files_go_through_the_same_children(tmp_path: Path) -> None:
    cut = write_clip(tmp_path / "cut.mp4", 40)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    strange = write_clip(tmp_path / "strange.avi", 3, codec="mpeg4")
    strange.write_bytes(strange.read_bytes().replace(b"FMP4", b"ZZZZ"))
    paths = [
        strange,
        write_clip(tmp_path / "a b.mp4", 7, height=48, width=80, fps=10),
        write_clip(tmp_path / "one.mkv", 1),
        cut,
        write_clip(tmp_path / "bomb.mp4", np.zeros((1, 4320, 7744, 3), np.uint8), codec="mpeg4"),
    ]
    for name, content in {
        "empty.mp4": b"",
        "page.mp4": b"<!DOCTYPE html><html></html>",
        "list.mp4": b"#EXTM3U\n#EXTINF:1,\nsecret.mp4\n",
        "noise.mp4": np.random.default_rng(0).bytes(5000),
    }.items():
        (tmp_path / name).write_bytes(content)
        paths.append(tmp_path / name)

    results = probed(*paths, workers=2)

    assert results.pop("a b.mp4") == ReadableVideo(7, 10.0, 80, 48, FASTER)
    one = results.pop("one.mkv")
    assert isinstance(one, ReadableVideo) and one.frames == 1
    assert "7744 x 4320" in reason(results["bomb.mp4"])
    assert "codec" in reason(results["strange.avi"])
    assert "empty" in reason(results["empty.mp4"])
    assert "text" in reason(results["page.mp4"]) and "text" in reason(results["list.mp4"])
    assert all(
        reason(result) and str(tmp_path) not in reason(result) for result in results.values()
    )


def test_a_folder_of_frames_has_its_own_decoder_whatever_is_asked_for(tmp_path: Path) -> None:
    good = write_frame_folder(tmp_path / "good", 5)
    bad = write_frame_folder(tmp_path / "bad", 5)
    cut = bad / "img_00003.png"
    cut.write_bytes(cut.read_bytes()[:99])
    large = write_frame_folder(tmp_path / "large", np.zeros((1, 4320, 7744, 3), np.uint8))

    for decoder in ("auto", "decord", "pyav"):
        results = probed(good, bad, large, decoder=decoder)

        assert results["good"] == ReadableVideo(
            5, 0.0, 80, 64, "frames", notes=("an unknown frame rate",)
        )
        assert reason(results["bad"]).startswith("img_00003.png cannot be decoded")
        assert reason(results["large"]).startswith("img_00001.png: frames of 7744 x 4320")


def test_a_width_that_decord_cannot_read_goes_to_pyav(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 5, height=64, width=48)

    assert probed(path)["a.mp4"] == ReadableVideo(5, 25.0, 48, 64, "pyav")


def test_the_decoder_asked_for_is_the_one_recorded(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 5)

    for decoder in ("pyav", "decord"):
        assert probed(path, decoder=decoder)["a.mp4"] == ReadableVideo(5, 25.0, 64, 64, decoder)


@pytest.mark.parametrize(
    ("name", "words"),
    [("hang", "longer than 0.5 s"), ("crash", "SIGABRT"), ("half", "exit code 3")],
)
def test_a_child_that_hangs_or_dies_costs_only_its_file(
    name: str, words: str, tmp_path: Path
) -> None:
    paths = [tmp_path / file for file in ("a", name, "b")]

    results = probed(*paths, seconds=0.5, fake=FAKE)

    assert words in reason(results[name])
    assert isinstance(results[name], RejectedVideo) and not results[name].is_lasting
    assert results["a"] == results["b"] == ReadableVideo(5, 25.0, 8, 8, "decord")


def test_a_decord_that_hangs_or_dies_leaves_the_file_to_pyav(tmp_path: Path) -> None:
    kept = ReadableVideo(5, 25.0, 8, 8, "pyav")

    hung, died = (
        probed(tmp_path / name, seconds=0.5, fake=FAKE)[name]
        for name in ("late hang", "late crash")
    )

    assert hung == kept._replace(notes=(LATE_NOTE,))
    assert died == kept


def test_any_exception_in_a_child_rejects_its_file_with_the_class(tmp_path: Path) -> None:
    write_clip(tmp_path / "good.mp4", 4)
    write_clip(tmp_path / "odd.mp4", 4)
    fake = """
import videomae_cli.data.ingest.child as child
choose = child.select_decoder
def fail(path, info, decoder):
    if path.name == "odd.mp4":
        raise ValueError("shapes differ")
    return choose(path, info, decoder)
child.select_decoder = fail
child.main()
"""

    results = probed(tmp_path / "odd.mp4", tmp_path / "good.mp4", fake=fake)

    assert reason(results["odd.mp4"]) == "cannot be decoded: ValueError: shapes differ"
    assert results["good.mp4"] == ReadableVideo(4, 25.0, 64, 64, FASTER)


def test_a_child_that_never_starts_is_an_error_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not start \(exit code 9\)") as caught:
        probed(tmp_path / "a", fake="raise SystemExit(9)")

    assert sys.executable in caught.value.hint


def test_leaving_early_ends_all_children(tmp_path: Path) -> None:
    mark = f"open(os.path.join({str(tmp_path)!r}, f'pid{{os.getpid()}}'), 'w').close()"
    fake = FAKE.replace("print(json", f"{mark}\nprint(json", 1)
    results = probe_videos(
        [tmp_path / name for name in ("a", "hang 1", "hang 2", "b")],
        decoder="auto",
        seconds=60,
        workers=2,
        command=(sys.executable, "-c", fake),
    )
    started = time.monotonic()

    next(results)
    results.close()  # type: ignore[attr-defined]

    assert time.monotonic() - started < 20
    children = [int(path.name.removeprefix("pid")) for path in tmp_path.glob("pid*")]
    assert children
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="limits are those of POSIX systems")
def test_cpu_time_is_limited_for_each_file_anew(tmp_path: Path) -> None:
    fake = """
import videomae_cli.data.ingest.child as child
child.CPU_SHARE, child.GRACE_SECONDS = 0, 1.0
count = child.count_frames
def spin(path):
    while path.name == "spin.mp4":
        pass
    return count(path)
child.count_frames = spin
child.main()
"""
    paths = [write_clip(tmp_path / name, 4) for name in ("a.mp4", "spin.mp4", "b.mp4")]

    results = probed(*paths, decoder="pyav", seconds=50, fake=fake)

    assert reason(results["spin.mp4"]) == "ends the decoding process (SIGXCPU)"
    assert results["a.mp4"] == results["b.mp4"] == ReadableVideo(4, 25.0, 64, 64, "pyav")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits are those of Linux")
def test_the_real_child_cannot_take_memory_or_write_files(tmp_path: Path) -> None:
    script = f"""
from videomae_cli.data.ingest.child import MAX_OPEN_FILES, MEMORY_BYTES, limit_process
limit_process()
try:
    bytearray(MEMORY_BYTES + (1 << 30))
except MemoryError:
    print("no memory")
try:
    open({str(tmp_path / "x")!r}, "wb", buffering=0).write(b"x")
except OSError:
    print("no file")
try:
    kept = [open("/dev/null") for _ in range(MAX_OPEN_FILES)]
except OSError:
    print("no more files")
"""
    done = subprocess.run(
        (sys.executable, "-c", script),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **ENVIRONMENT},
    )

    assert done.stdout.split("\n")[:3] == ["no memory", "no file", "no more files"]
