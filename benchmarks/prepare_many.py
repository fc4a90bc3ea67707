"""Time `videomae prepare` on many tiny videos: 1 and 2 processes, two shards, a Dask cluster.

    python benchmarks/prepare_many.py --videos 10000 --json prepare.json

The videos have 64 x 64 pixels and 8 to 16 frames, so the time of a file is that of opening,
choosing the decoder and passing results on, hardly of decoding. One in `COPIES` is encoded, the
others differ from it in bytes that are not decoded. Each side starts with an empty directory; then
the command runs once more, which finds all results there.

Seconds by the clock, the CPU seconds of the command itself and of its children (which depend less
on other programs), and peaks of memory: resident memory of the command, and the memory that each
process has for itself (USS, without the libraries that all share), together, of everything that
decodes or distributes. All sides must give the same digest.
"""

import argparse
import json
import os
import struct
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

COPIES = 40
SAMPLE_SECONDS = 0.5
ADDRESS = "tcp://127.0.0.1:8798"
Figures = dict[str, Any]


def write_copies(folder: Path, number: int, copies: int) -> None:
    """Encode one video, and write it `copies` times with different bytes at the end."""
    rng = np.random.default_rng(number)
    first = folder / f"class_{number % 10}" / f"{number:05d}_000.mp4"
    first.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(first), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height = stream.width = 64
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for _ in range(8 + number % 9):
            picture = np.kron(rng.integers(0, 256, (8, 8, 3), np.uint8), np.ones((8, 8, 1)))
            frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = first.read_bytes()
    for copy in range(1, copies):
        box = struct.pack(">I4sQ", 16, b"free", copy)
        first.with_name(f"{number:05d}_{copy:03d}.mp4").write_bytes(content + box)


def write_videos(folder: Path, count: int) -> None:
    """Write `count` videos, in two processes."""
    masters, rest = divmod(count, COPIES)
    copies = [COPIES] * masters + [rest] * bool(rest)
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(write_copies, [folder] * len(copies), range(len(copies)), copies))


def measure(words: Sequence[str], others: Sequence[psutil.Process] = ()) -> Figures:
    """Run a command to its end, and return its figures.

    Args:
        words: The command, after `videomae`.
        others: Processes of a cluster, counted with the children.
    """
    started = time.perf_counter()
    command = [sys.executable, "-m", "videomae_cli", *words]
    with tempfile.TemporaryFile() as log:
        process = psutil.Popen(command, stdout=log, stderr=log)
        own = rest = own_cpu = rest_cpu = 0.0
        before = sum(map(cpu_seconds, others))
        while process.poll() is None:
            own = max(own, memory(process))
            own_cpu = max(own_cpu, cpu_seconds(process))
            below = [*others, *children(process), *(c for one in others for c in children(one))]
            rest = max(rest, sum(map(own_memory, below)))
            rest_cpu = max(rest_cpu, sum(map(cpu_seconds, below)) - before)
            time.sleep(SAMPLE_SECONDS)
        if process.returncode:
            log.seek(0)
            raise SystemExit(log.read().decode())
    return {
        "seconds": time.perf_counter() - started,
        "own_cpu_seconds": own_cpu,
        "other_cpu_seconds": rest_cpu,
        "own_megabytes": own / 1e6,
        "other_megabytes": rest / 1e6,
    }


def children(process: psutil.Process) -> list[psutil.Process]:
    """Return all processes below one."""
    try:
        below: list[psutil.Process] = process.children(recursive=True)
        return below
    except psutil.Error:
        return []


def memory(process: psutil.Process) -> float:
    """Return the resident memory of a process in bytes; 0 if it has ended."""
    try:
        return float(process.memory_info().rss)
    except psutil.Error:
        return 0.0


def own_memory(process: psutil.Process) -> float:
    """Return the memory that a process shares with no other, in bytes; 0 if it has ended."""
    try:
        return float(process.memory_full_info().uss)
    except psutil.Error:
        return 0.0


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time of a process; 0 if it has ended."""
    try:
        times = process.cpu_times()
        return float(times.user + times.system)
    except psutil.Error:
        return 0.0


@contextmanager
def start_dask(folder: Path, workers: int) -> Iterator[list[psutil.Process]]:
    """Start a scheduler and workers on this machine."""
    port, local = ADDRESS.rpartition(":")[2], ["--host", "127.0.0.1", "--no-dashboard"]
    each = ["--nthreads", "1", "--local-directory", str(folder), "--no-nanny"]
    commands = [["dask_scheduler", "--port", port], *[["dask_worker", ADDRESS, *each]] * workers]
    started = []
    with tempfile.TemporaryFile() as log:
        try:
            for name, *words in commands:
                command = [sys.executable, "-m", f"distributed.cli.{name}", *words, *local]
                started.append(psutil.Popen(command, stdout=log, stderr=log, cwd=folder))
                time.sleep(3)
            yield started
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait()


def run_sides(source: Path, out: Path, sides: Sequence[str]) -> dict[str, Figures]:
    """Run each side twice; the second run finds all results of the first."""
    results: dict[str, Figures] = {}
    for side in sides:
        words = ["prepare", str(source), "--out", str(out / side)]
        if side.startswith("dask"):
            with start_dask(out, int(side.removeprefix("dask_"))) as processes:
                figures = measure([*words, "--scheduler", ADDRESS], processes)
        elif side == "shards_2":
            parts = [
                measure([*words, "--workers", "1", "--shard", f"{number}/2"]) for number in (0, 1)
            ]
            figures = {name: max(part[name] for part in parts) for name in parts[0]}
        else:
            figures = measure([*words, "--workers", side.removeprefix("processes_")])
        again = measure(words)
        facts = json.loads((out / side / "dataset.json").read_text())
        videos = sum(facts["videos"].values()) / (2 if side == "shards_2" else 1)
        results[side] = {
            **figures,
            "files_per_second": videos / figures["seconds"],
            "again_seconds": again["seconds"],
            "digest": facts["digest"],
        }
        print(describe(side, results[side]), flush=True)
    digests = {one["digest"] for one in results.values()}
    assert len(digests) == 1, digests
    return results


def describe(side: str, figures: Figures) -> str:
    """Return the line of a side."""
    return (
        f"{side:12} {figures['seconds']:7.1f} s {figures['files_per_second']:6.1f} files/s"
        f"  CPU {figures['own_cpu_seconds']:6.1f} + {figures['other_cpu_seconds']:6.1f} s"
        f"  memory {figures['own_megabytes']:5.0f} + {figures['other_megabytes']:5.0f} MB"
        f"  again {figures['again_seconds']:5.1f} s"
    )


def main() -> None:
    """Write the videos, run the sides, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--sides", nargs="+", default=["processes_1", "processes_2", "shards_2", "dask_2"]
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "source"), Path(folder, "out")
        out.mkdir()
        write_videos(source, args.videos)
        load = os.getloadavg()
        print(f"{args.videos:,} videos; load {load[0]:.1f}, {os.cpu_count()} CPUs")
        sides = run_sides(source, out, args.sides)
    if args.json:
        result = {"videos": args.videos, "load_before": load, "sides": sides}
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
