"""Both decoders find the same, correct frames; other files are rejected with a reason."""

import gc
import hashlib
import logging
import multiprocessing
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.data.make_clips import moving_square, write_clip
from videomae_cli.data.decode import FILE_DECODERS, read_frames
from videomae_cli.data.decoding.video_info import VideoInfo, probe_video
from videomae_cli.data.health.facts import UNKNOWN
from videomae_cli.data.ingest.decoder_choice import choose_decoder, decord_is_right
from videomae_cli.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
# key frames in the middle, B-frames, and a container without timestamps
KINDS = [("libx264", ".mp4"), ("libx264", ".mkv"), ("mpeg4", ".avi"), ("ffv1", ".mkv")]
ORDERS = [[0], [29], [3, 4, 5], [1, 9, 17, 25], [20, 21, 29], [25, 3, 3, 14, 0]]


@pytest.mark.parametrize("decoder", sorted(FILE_DECODERS))
@pytest.mark.parametrize(("codec", "suffix"), KINDS)
def test_frames_come_by_number_in_the_order_asked_for(
    tmp_path: Path, codec: str, suffix: str, decoder: str
) -> None:
    source = moving_square(30, 64, 80)
    path = write_clip(tmp_path / f"clip{suffix}", source, codec=codec, key_every=8)

    for order in ORDERS:
        frames = read_frames(path, order, decoder=decoder)

        assert frames.shape == (len(order), 64, 80, 3)
        assert frames.dtype == np.uint8
        for frame, number in zip(frames, order, strict=True):
            apart = np.abs(source.astype(int) - frame).mean(axis=(1, 2, 3))
            assert apart.argmin() == number


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", ".ts"), ("libx264", ".avi")])
def test_pyav_is_right_and_chosen_where_a_seek_misses(
    tmp_path: Path, codec: str, suffix: str
) -> None:
    source = moving_square(30, 64, 80)
    path = write_clip(tmp_path / f"clip{suffix}", source, codec=codec, key_every=8)

    for order in ORDERS:
        for frame, number in zip(read_frames(path, order, decoder="pyav"), order, strict=True):
            apart = np.abs(source.astype(int) - frame).mean(axis=(1, 2, 3))
            assert apart.argmin() == number

    assert choose_decoder(path, probe_video(path)) == "pyav"


@pytest.mark.parametrize(("codec", "suffix"), KINDS)
def test_the_decoders_agree_to_the_bit(tmp_path: Path, codec: str, suffix: str) -> None:
    path = write_clip(tmp_path / f"clip{suffix}", 30, height=48, width=72, codec=codec)

    for order in ORDERS:
        one, other = (read_frames(path, order, decoder=name) for name in ("decord", "pyav"))

        assert (one == other).all()


def test_a_lossless_clip_comes_back_as_it_went_in(tmp_path: Path) -> None:
    source = moving_square(10, 40, 56)
    path = write_clip(tmp_path / "clip.mkv", source, codec="ffv1")

    assert (read_frames(path, list(range(10)), decoder="pyav") == source).all()


def test_probing_counts_frames_and_reads_size_and_frame_rate(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "spaces, and commas.mp4", 17, height=50, width=70, fps=12)

    assert probe_video(path)._replace(moments=(), health=UNKNOWN) == VideoInfo(17, 12.0, 70, 50)


def test_a_frame_out_of_range_is_an_error(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 12)

    accepted = []
    for decoder in FILE_DECODERS:
        for numbers in ([0, 12], [40], [-1], []):
            try:
                read_frames(path, numbers, decoder=decoder)
            except DataError as error:
                assert "clip.mp4" in error.message
            else:
                accepted.append((decoder, numbers))

    assert accepted == []


def test_an_unknown_decoder_in_a_manifest_is_an_error(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 3)

    with pytest.raises(DataError, match="'nvdec' is not one of decord, pyav"):
        read_frames(path, [0], decoder="nvdec")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "is empty"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://localhost/a.ts\n", "is text"),
        (b"<!DOCTYPE html><html>not found</html>", "is text"),
        (b"ffconcat version 1.0\nfile other.mp4\n", "is text"),
        (bytes(range(256)) * 40, "cannot decode"),
    ],
)
def test_a_file_that_is_not_a_video_is_rejected_with_the_reason(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)

    for attempt in (
        lambda: probe_video(path),
        lambda: read_frames(path, [0]),
        lambda: read_frames(path, [0], decoder="pyav"),
    ):
        with pytest.raises(DataError, match=reason) as caught:
            attempt()
        assert str(path) in caught.value.message


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        read_frames(tmp_path, [0])


def test_a_playlist_cannot_hide_behind_a_binary_start(tmp_path: Path) -> None:
    write_clip(tmp_path / "real.ts", 5)
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"\0#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nreal.ts\n")

    with pytest.raises(DataError):
        read_frames(path, [0], decoder="pyav")


def test_an_address_is_not_opened() -> None:
    with pytest.raises(DataError, match="No such file"):
        read_frames(Path("http://localhost:1/clip.mp4"), [0], decoder="pyav")


def test_a_cut_off_file_is_refused(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mkv", 30, key_every=30, codec="mpeg4")
    cut = tmp_path / "cut.mp4"
    moov_first = write_clip(tmp_path / "whole.mp4", 30, key_every=30)
    cut.write_bytes(moov_first.read_bytes()[: moov_first.stat().st_size // 2])  # loses its index

    with pytest.raises(DataError):
        probe_video(cut)

    cut_stream = tmp_path / "cut.mkv"
    cut_stream.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    for decoder in FILE_DECODERS:
        with pytest.raises(DataError):
            read_frames(cut_stream, [0, 29], decoder=decoder)


def test_pyav_reads_a_file_whose_width_decord_does_not_support_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_clip(tmp_path / "narrow.mp4", 12, height=32, width=48)

    with caplog.at_level(logging.WARNING, logger="videomae"):
        first = read_frames(path, [0, 5])
        again = read_frames(path, [0, 5])

    assert (first == read_frames(path, [0, 5], decoder="pyav")).all()
    assert (first == again).all()
    assert len(caplog.messages) == 1  # one line per file, not one per clip
    assert "narrow.mp4: read with PyAV, because decord cannot" in caplog.messages[0]
    assert choose_decoder(path, probe_video(path)) == "pyav"


def test_pyav_is_loaded_only_for_a_file_that_needs_it_and_then_reads_beside_decord(
    tmp_path: Path,
) -> None:
    wide = write_clip(tmp_path / "wide.mp4", 12)
    narrow = write_clip(tmp_path / "narrow.mp4", 12, height=32, width=48)
    script = f"""
import hashlib, sys
from pathlib import Path
import videomae_cli.data.training_videos
from videomae_cli.data.decode import read_frames
for path in ({str(wide)!r}, {str(narrow)!r}, {str(wide)!r}):
    print(hashlib.sha256(read_frames(Path(path), [0, 5])).hexdigest(), "av" in sys.modules)
"""

    done = subprocess.run(
        (sys.executable, "-c", script), capture_output=True, text=True, check=True, cwd=ROOT
    )

    digests = [
        hashlib.sha256(read_frames(path, [0, 5], decoder="pyav")).hexdigest()
        for path in (wide, narrow)
    ]
    assert done.stdout.splitlines() == [
        f"{digests[0]} False",
        f"{digests[1]} True",
        f"{digests[0]} True",
    ]


def test_decord_is_chosen_where_it_agrees(tmp_path: Path) -> None:
    for frames in (1, 2, 30):
        path = write_clip(tmp_path / f"{frames}.mp4", frames)

        assert decord_is_right(path, probe_video(path))


def test_decord_is_not_chosen_where_timestamps_go_back(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", 20, codec="libx264")  # B-frames, which AVI cannot time

    info = probe_video(path)

    assert info.pyav_reason == "its timestamps do not ascend"
    assert choose_decoder(path, info) == "pyav"


def test_decord_is_not_chosen_where_the_counts_differ(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", 20)
    fewer = probe_video(path)._replace(frames=19)

    assert choose_decoder(path, fewer) == "pyav"


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork"
)
@pytest.mark.parametrize("decoder", sorted(FILE_DECODERS))
def test_reading_works_on_both_sides_of_a_fork(tmp_path: Path, decoder: str) -> None:
    path = write_clip(tmp_path / "clip.mp4", 20)
    read_frames(path, [3, 10], decoder=decoder)
    context = multiprocessing.get_context("fork")
    gc.collect()  # as the loader does: a child that frees a decoder of PyAV waits for its threads

    child = context.Process(target=read_frames, args=(path, [3, 10]), kwargs={"decoder": decoder})
    child.start()
    child.join(timeout=30)

    assert child.exitcode == 0
    read_frames(path, [3, 10], decoder=decoder)


# real files for which decord must not be chosen, and files that are not compared
WRONG_IN_DECORD = ("hmdb51_", "packed_b_frames", "hevc_10_frames", "hd_1080p", "h264_10bit")
NOT_COMPARED = ("corrupted",)


@pytest.mark.parametrize("folder", ["misc", "trouble"])
def test_the_decoders_agree_on_real_files_or_decord_is_not_chosen(
    shared: Path, folder: str
) -> None:
    for path in sorted((shared / "videos" / folder).iterdir()):
        if path.name.startswith(NOT_COMPARED):
            continue
        info = probe_video(path)

        is_right = decord_is_right(path, info)

        assert is_right == (not path.name.startswith(WRONG_IN_DECORD)), path
        assert is_right or choose_decoder(path, info) == "pyav"
        if is_right:
            numbers = [info.frames * 2 // 3, info.frames - 1, info.frames // 5]
            one, other = (read_frames(path, numbers, decoder=name) for name in FILE_DECODERS)
            assert one.shape == (3, info.height, info.width, 3)
            assert (one == other).all(), path


def test_a_damaged_real_file_is_refused(shared: Path) -> None:
    with pytest.raises(DataError, match=r"corrupted\.mp4"):
        probe_video(shared / "videos/trouble/corrupted.mp4")


def test_a_rotation_flag_turns_the_frames(shared: Path) -> None:
    plain, one, other = (
        probe_video(shared / "videos/trouble" / name)
        for name in ("three_frames.mov", "rotated_90.mov", "rotated_270.mov")
    )

    assert (plain.width, plain.height) == (568, 320)
    assert (one.width, one.height) == (other.width, other.height) == (320, 568)
