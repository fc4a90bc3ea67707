"""What probing notes of a video, and what it rejects."""

import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.data.decoding.odd_clips import write_size_change, write_video
from tests.data.make_clips import moving_square, write_clip
from videomae_cli.data import decode
from videomae_cli.data.decode import read_frames
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.errors import DataError


def test_a_frame_size_that_changes_is_rejected_with_the_frame_and_the_command(
    tmp_path: Path,
) -> None:
    path = write_size_change(tmp_path / "call.webm", 8, ((48, 64), (64, 96)))
    words = (
        "the frame size changes at frame 8: 64 x 48, then 96 x 64 pixels; encode it with one size: "
        "ffmpeg -i IN -vf scale=64:48 OUT.mp4"
    )

    with pytest.raises(DataError, match=re.escape(words)):
        probe_video(path)
    for order in ([7, 8], [0, 15], [3, 9, 12]):
        with pytest.raises(DataError, match="the frame size changes at frame"):
            read_frames(path, order, decoder="pyav")
    assert read_frames(path, [9, 15], decoder="pyav").shape == (2, 64, 96, 3)


def test_a_phone_turned_while_recording_is_a_change_of_size(tmp_path: Path) -> None:
    path = write_size_change(tmp_path / "turned.mkv", 5, ((48, 64), (64, 48), (48, 64)))

    with pytest.raises(DataError, match="at frame 5: 64 x 48, then 48 x 64 pixels"):
        probe_video(path)


def test_a_broadcast_that_changes_its_size_is_rejected(tmp_path: Path) -> None:
    parts = [write_clip(tmp_path / f"{width}.ts", 6, height=48, width=width) for width in (64, 96)]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))

    with pytest.raises(DataError, match="at frame 6: 64 x 48, then 96 x 48 pixels"):
        probe_video(path)


def test_times_are_given_if_the_rate_is_not_constant(tmp_path: Path) -> None:
    frames = moving_square(6, 48, 64)
    steady, uneven = [0, 33, 67, 100, 133, 167], [0, 33, 67, 267, 300, 333]

    for suffix in (".mkv", ".mp4"):
        plain, variable = (
            probe_video(
                write_video(
                    tmp_path / f"{times[3]}{suffix}",
                    frames,
                    codec="libx264",
                    pixels="yuv420p",
                    times=times,
                )
            )
            for times in (steady, uneven)
        )

        assert (plain.times, plain.notes) == ((), ())
        assert variable.times == (0.0, 0.033, 0.067, 0.267, 0.3, 0.333)
        assert variable.notes == ("variable frame rate",)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_noted(transfer: int, name: str, tmp_path: Path) -> None:
    for suffix, codec in ((".mp4", "libx264"), (".webm", "libvpx-vp9")):
        path = write_video(
            tmp_path / f"hdr{suffix}",
            moving_square(4, 64, 64),
            codec=codec,
            pixels="yuv420p",
            color_trc=transfer,
        )

        assert probe_video(path).notes == (f"HDR ({name})",)


def test_pixels_that_are_not_square_are_noted_as_they_are_shown(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "dv.mp4",
        moving_square(4, 64, 64),
        codec="libx264",
        pixels="yuv420p",
        sample_aspect_ratio=Fraction(16, 15),
    )

    assert probe_video(path).notes == ("non-square pixels (16:15)",)


def test_a_second_video_stream_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=25) for _ in range(2)]
        for stream, size in zip(streams, (64, 32), strict=True):
            stream.width = stream.height = size
            stream.pix_fmt = "yuv420p"
        for stream, size in zip(streams, (64, 32), strict=True):
            for values in moving_square(4, size, size):
                frame = av.VideoFrame.from_ndarray(values, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    info = probe_video(path)

    assert (info.frames, info.width) == (4, 64)
    assert info.notes == ("2 video streams, stream 0 used",)


# a cut-off MP4 or AVI file fails when it is decoded
@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".flv"])
def test_a_file_cut_in_half_is_rejected(suffix: str, tmp_path: Path) -> None:
    codec = {".webm": "libvpx", ".flv": "flv"}.get(suffix, "mpeg4")
    frames = moving_square(200, 48, 64)
    whole = write_video(tmp_path / f"whole{suffix}", frames, codec=codec, pixels="yuv420p")
    assert probe_video(whole).frames == 200
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    with pytest.raises(DataError, match=r"promises 8\.0 s, but only [34]\.\d s can be decoded"):
        probe_video(cut)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".flv"])
def test_sound_that_lasts_longer_than_the_picture_is_no_missing_end(
    suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"film{suffix}"
    with av.open(str(path), "w") as container:
        video = container.add_stream("flv" if suffix == ".flv" else "mpeg4", rate=25)
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        sound = container.add_stream("aac", rate=8000)
        for values in moving_square(25, 48, 64):
            container.mux(video.encode(av.VideoFrame.from_ndarray(values, format="rgb24")))
        container.mux(video.encode(None))
        for number in range(80):
            samples = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
            )
            samples.sample_rate, samples.pts = 8000, number * 1024
            container.mux(sound.encode(samples))
        container.mux(sound.encode(None))

    assert probe_video(path).frames == 25

    if suffix != ".mp4":
        cut = tmp_path / f"cut{suffix}"
        cut.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
        with pytest.raises(DataError, match="its header promises 10"):
            probe_video(cut)


def test_a_last_frame_that_stays_is_no_missing_end(tmp_path: Path) -> None:
    slides = write_video(
        tmp_path / "slides.mkv",
        moving_square(4, 48, 64),
        codec="mpeg4",
        pixels="yuv420p",
        times=[0, 5000, 10000, 15000],
    )

    assert probe_video(slides).frames == 4


@pytest.mark.parametrize("error", [ValueError("bad\nshape"), AssertionError(), MemoryError("x")])
def test_any_exception_of_a_decoder_is_met_like_a_data_error(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mp4", 3)

    def fail(*_: object) -> np.ndarray:
        raise error

    monkeypatch.setitem(decode.DECODERS, "pyav", fail)
    with pytest.raises(DataError, match=rf"a\.mp4 cannot be decoded: {type(error).__name__}") as e:
        read_frames(path, [0], decoder="pyav")
    assert "\n" not in e.value.message


def test_an_interrupt_is_not_taken_for_a_bad_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setitem(decode.DECODERS, "pyav", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read_frames(write_clip(tmp_path / "a.mp4", 3), [0], decoder="pyav")
