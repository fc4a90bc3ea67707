"""Results of an earlier run are reused for unchanged files only."""

import json
import os
from pathlib import Path

import pytest

from tests.data.make_frames import touch_all
from videomae_cli.data.executors.share import Share
from videomae_cli.data.ingest.cache import ProbeCache, count_finished
from videomae_cli.data.ingest.probe import ReadableVideo, RejectedVideo


def test_a_cache_forgets_changed_files_other_versions_and_passing_failures(tmp_path: Path) -> None:
    good, bad, slow = (tmp_path / name for name in ("good", "bad", "slow"))
    for path in (good, bad, slow):
        path.write_bytes(b"1")
    with ProbeCache(tmp_path, "auto", {"av": "1"}) as cache:
        cache.put(good, ReadableVideo(5, 25.0, 8, 8, "decord"))
        cache.put(bad, RejectedVideo("damaged"))
        cache.put(slow, RejectedVideo("takes longer", is_lasting=False))

    again = ProbeCache(tmp_path, "auto", {"av": "1"})

    assert again.get(good) == ReadableVideo(5, 25.0, 8, 8, "decord")
    assert again.get(bad) == RejectedVideo("damaged")
    assert again.get(slow) is None
    assert ProbeCache(tmp_path, "auto", {"av": "2"}).get(good) is None
    assert ProbeCache(tmp_path, "pyav", {"av": "1"}).get(good) is None
    good.write_bytes(b"22")
    assert again.get(good) is None


@pytest.mark.parametrize("change", ["add", "remove", "rename", "size", "time", "link", "same"])
def test_a_cache_forgets_a_folder_in_which_a_file_changed(tmp_path: Path, change: str) -> None:
    folder = touch_all(tmp_path / "frames", ["1.jpg", "2.jpg", "3.jpg"])
    target = tmp_path / "target"
    target.touch()
    (folder / "4.jpg").symlink_to(target)
    with ProbeCache(tmp_path, "auto", {}) as cache:
        cache.put(folder, ReadableVideo(3, 0.0, 8, 8, "frames"))

    first = folder / "1.jpg"
    stamp = first.stat().st_mtime_ns
    if change == "add":
        (folder / "5.jpg").touch()
    elif change == "remove":
        (folder / "3.jpg").unlink()
    elif change == "rename":
        first.rename(folder / "0.jpg")
    elif change == "size":
        first.write_bytes(b"1")
        os.utime(first, ns=(stamp, stamp))
    elif change == "time":
        os.utime(first, ns=(stamp, stamp + 1000))
    elif change == "link":
        target.write_bytes(b"1")

    known = ProbeCache(tmp_path, "auto", {}).get(folder)
    assert (known is not None) == (change == "same")


def test_a_cache_cut_off_in_a_line_keeps_the_others(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_bytes(b"1")
    result = ReadableVideo(5, 25.0, 8, 8, "decord")
    with ProbeCache(tmp_path, "auto", {}) as cache:
        cache.put(paths[0], result)
        cache.put(paths[1], result)
    file = tmp_path / "probe-cache.jsonl"
    file.write_bytes(file.read_bytes()[:-9])

    with ProbeCache(tmp_path, "auto", {}) as cache:
        cache.put(paths[2], result)

    again = ProbeCache(tmp_path, "auto", {})
    assert [again.get(path) for path in paths] == [result, None, result]
    stored = json.loads(file.read_text().splitlines()[-1])["probe"]
    assert ReadableVideo.from_json(stored) == result


def test_each_job_writes_a_file_of_its_own_and_reads_those_of_all(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abcd"]
    for path in paths:
        path.write_bytes(b"1")
    results = [ReadableVideo(frames, 25.0, 8, 8, "decord") for frames in range(4)]
    shares = [Share(0, 2), Share(1, 2), Share()]
    for share, path, result in zip(shares, paths, results, strict=False):
        with ProbeCache(tmp_path, "auto", {}, share=share) as cache:
            cache.put(path, result)

    known = ProbeCache(tmp_path, "auto", {}, share=Share(5, 9), wanted=set(map(str, paths[1:])))

    assert [known.get(path) for path in paths] == [None, *results[1:3], None]
    assert sorted(path.name for path in tmp_path.glob("probe*")) == [
        "probe-cache-0-of-2.jsonl",
        "probe-cache-1-of-2.jsonl",
        "probe-cache.jsonl",
    ]


def test_the_newest_result_of_a_file_counts_whichever_job_has_written_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for frames, share in enumerate([Share(), Share(0, 2), Share(), Share(1, 3)]):
        path.write_bytes(b"1" * (frames + 1))
        with ProbeCache(tmp_path, "auto", {}, share=share) as cache:
            cache.put(path, ReadableVideo(frames, 25.0, 8, 8, "decord"))
        os.utime(cache.path, ns=(frames, frames))

        found = ProbeCache(tmp_path, "auto", {}).get(path)
        assert found is not None and found == ReadableVideo(frames, 25.0, 8, 8, "decord")


def test_jobs_are_counted_when_they_have_probed_their_files(tmp_path: Path) -> None:
    assert count_finished(tmp_path, 3) == 0
    for number in range(3):
        cache = ProbeCache(tmp_path, "auto", {}, share=Share(number, 3))
        with cache:
            cache.put(tmp_path, RejectedVideo("x"))
            assert count_finished(tmp_path, 3) == number
            cache.mark_finished()
    assert count_finished(tmp_path, 3) == 3 and count_finished(tmp_path, 2) == 0

    with cache:  # the job runs again, with more files
        cache.put(tmp_path, RejectedVideo("y"))
        assert count_finished(tmp_path, 3) == 2
