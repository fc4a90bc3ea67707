"""What is known of a file gives what probing it again would give, for every decoder."""

import json
from pathlib import Path

import pytest

from videomae_cli.data.ingest.cache import ProbeCache, read_stamp
from videomae_cli.data.ingest.pool import probe_videos
from videomae_cli.data.ingest.probe import (
    ANY,
    LATE_NOTE,
    ReadableVideo,
    RejectedVideo,
    decoder_versions,
)

VIDEOS = Path(__file__).resolve().parents[4] / "shared" / "videos"
DECODERS = (ANY, "auto", "pyav")
COUNTED = ReadableVideo(5, 25.0, 8, 8, "decord", notes=("interlaced", LATE_NOTE))


@pytest.fixture(scope="module")
def clips() -> list[Path]:
    found = [*sorted((VIDEOS / "trouble").iterdir()), *sorted((VIDEOS / "misc").iterdir())]
    return [path for path in found if path.is_file() and path.stat().st_size < 400_000]


@pytest.mark.skipif(not VIDEOS.is_dir(), reason="the real clips are not here")
def test_real_clips_are_the_same_by_every_way(clips: list[Path], tmp_path: Path) -> None:
    results = {
        decoder: dict(probe_videos(clips, decoder=decoder, seconds=60, workers=2))
        for decoder in DECODERS
    }
    assert len(clips) > 10
    assert {one.decoder for one in results["auto"].values() if isinstance(one, ReadableVideo)} == {
        "pyav",
        "decord",
    }
    for first in DECODERS:
        (tmp_path / first).mkdir()
        with ProbeCache(tmp_path / first, first, decoder_versions(first)) as cache:
            assert isinstance(cache, ProbeCache)
            for path, result in results[first].items():
                cache.put(path, result)
        for second in DECODERS:
            known = ProbeCache(tmp_path / first, second, decoder_versions(second))
            found = {path: one for path in clips if (one := known.get(path))}
            counted = {path: one for path in clips if (one := known.get_counted(path))}
            missing = [path for path in clips if path not in found and path in counted]
            found |= probe_videos(missing, decoder=second, seconds=60, workers=2, known=counted)
            if first == second or second == ANY:
                assert not missing
            assert found.items() <= results[second].items(), (first, second)
            readable = [one for one in results[first].values() if isinstance(one, ReadableVideo)]
            assert len(found) >= len(readable) > 10


def stored(directory: Path, decoder: str, path: Path, *results: object) -> None:
    with ProbeCache(directory, decoder, {"av": "1", "decord2": "1"}) as cache:
        assert isinstance(cache, ProbeCache)
        for result in results:
            assert isinstance(result, ReadableVideo | RejectedVideo)
            cache.put(path, result)


def test_only_the_packages_that_a_decoder_uses_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"1")
    for decoder in ("auto", "pyav"):
        stored(tmp_path, decoder, path, COUNTED)
    other_decord, other_av = {"av": "1", "decord2": "2"}, {"av": "2", "decord2": "1"}

    assert ProbeCache(tmp_path, "auto", other_decord).get(path) is None
    assert ProbeCache(tmp_path, "auto", other_decord).get_counted(path) == COUNTED._replace(
        decoder="pyav", notes=("interlaced",)
    )
    assert ProbeCache(tmp_path, "pyav", other_decord).get(path) == COUNTED
    for decoder in ("auto", "pyav", ANY):
        assert ProbeCache(tmp_path, decoder, other_av).get(path) is None
        assert ProbeCache(tmp_path, decoder, other_av).get_counted(path) is None


def test_a_rejection_counts_for_others_only_if_no_decoder_was_chosen(tmp_path: Path) -> None:
    path, versions = tmp_path / "a.mp4", {"av": "1", "decord2": "1"}
    path.write_bytes(b"1")
    for decoder in ("auto", "decord"):
        stored(tmp_path, decoder, path, RejectedVideo(f"by {decoder}"))
    assert ProbeCache(tmp_path, "auto", versions).get(path) == RejectedVideo("by auto")
    assert ProbeCache(tmp_path, ANY, versions).get(path) is None

    stored(tmp_path, ANY, path, RejectedVideo("cut off"))
    assert ProbeCache(tmp_path, "pyav", versions).get(path) == RejectedVideo("cut off")
    assert ProbeCache(tmp_path, "auto", versions).get(path) == RejectedVideo("by auto")


def test_a_line_of_an_older_release_does_not_say_what_decord_may_read(tmp_path: Path) -> None:
    path, versions = tmp_path / "a.mp4", {"av": "1", "decord2": "1"}
    path.write_bytes(b"1")
    stored(tmp_path, "pyav", path, COUNTED)
    file = tmp_path / "probe-cache.jsonl"
    line = json.loads(file.read_text())
    line["probe"] = line["probe"][:-1]
    line["stamp"][-1] = line["stamp"][-1].replace("}", ', "decord2": "0"}')
    file.write_text(json.dumps(line) + "\n")

    assert ProbeCache(tmp_path, "auto", versions).get_counted(path) is None
    assert ProbeCache(tmp_path, "pyav", versions).get(path) == COUNTED
    assert ProbeCache(tmp_path, ANY, versions).get(path) == COUNTED._replace(
        decoder="pyav", notes=("interlaced",)
    )


def test_results_of_torchcodec_are_valid_for_its_version(tmp_path: Path) -> None:
    path, video = tmp_path / "a.mp4", ReadableVideo(8, 25.0, 64, 64, "torchcodec")
    path.write_bytes(b"1")
    with ProbeCache(tmp_path, "torchcodec", {"av": "1", "torchcodec": "1"}) as cache:
        cache.put(path, video)

    for version, known in (("1", video), ("2", None)):
        versions = {"av": "1", "torchcodec": version}
        assert ProbeCache(tmp_path, "torchcodec", versions).get(path) == known


@pytest.mark.parametrize(("decoder", "suffix"), [("uint8", ".npy"), ("jpeg", ".mjpeg")])
def test_files_whose_rate_is_in_another_file_are_read_each_time(
    tmp_path: Path, decoder: str, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"1")
    with ProbeCache(tmp_path, "pyav", {"av": "1"}) as cache:
        cache.put(path, ReadableVideo(8, 25.0, 64, 64, decoder))

    assert ProbeCache(tmp_path, "pyav", {"av": "1"}).get(path) is None
    ordinary = ReadableVideo(8, 25.0, 64, 64, "pyav")  # such as Motion JPEG of a camera
    with ProbeCache(tmp_path, "pyav", {"av": "1"}) as cache:
        cache.put(path, ordinary)
    assert ProbeCache(tmp_path, "pyav", {"av": "1"}).get(path) == ordinary


@pytest.mark.parametrize("ending", ["6 pyav", "6 pyav {", "6 pyav 3", 6])
def test_a_damaged_line_is_no_result(tmp_path: Path, ending: str | int) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"1")
    line = {"path": str(path), "stamp": [*read_stamp(path), ending], "reason": "x"}
    (tmp_path / "probe-cache.jsonl").write_text(json.dumps(line) + "\n")

    assert ProbeCache(tmp_path, "pyav", {"av": "1"}).get(path) is None
