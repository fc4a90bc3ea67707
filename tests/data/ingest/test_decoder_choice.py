"""decord reads a file only if its frames are those of PyAV, to the bit."""

from pathlib import Path

import av
import numpy as np
import pytest

from tests.data.decoding.odd_clips import write_video
from tests.data.make_clips import moving_square, write_clip
from videomae_cli.data.decode import read_frames
from videomae_cli.data.decoding import pyav
from videomae_cli.data.decoding.readers.decord_reader import decord_frames
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.ingest import decoder_choice
from videomae_cli.data.ingest.decoder_choice import choose_decoder, decord_is_right


def still_with_counter(frames: int) -> np.ndarray:
    """A still, noisy background with 8 small cells that count in binary."""
    noise = np.random.default_rng(0).integers(60, 90, (128, 192, 3), dtype=np.uint8)
    clip = np.repeat(noise[None], frames, axis=0)
    for number in range(frames):
        for bit in range(8):
            clip[number, 8:14, 8 + 8 * bit : 14 + 8 * bit] = 220 if number >> bit & 1 else 20
    return clip


def test_a_counter_that_is_shifted_on_a_still_background_is_noticed(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "belt.mp4", still_with_counter(60), key_every=24)
    info = probe_video(path)
    assert decord_is_right(path, info)
    numbers = [0, 14, 29, 44, 59]
    right = dict(zip(numbers, pyav.read(path, numbers), strict=True))
    assert decoder_choice._agrees(decord_frames, path, numbers, right, 60)

    for shift in (1, 24):
        others = [min(number + shift, 59) for number in numbers]
        frames = read_frames(path, others, decoder="pyav")
        shifted = dict(zip(numbers, frames, strict=True))

        assert np.abs(shifted[14].astype(int) - right[14]).mean() < 8  # the former tolerance
        assert not decoder_choice._agrees(decord_frames, path, numbers, shifted, 60)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.ts", "libx264"), ("a.m2ts", "libx264"), ("a.mpg", "mpeg2video"), ("a.vob", "mpeg2video")],
)
def test_decord_is_not_tried_on_transport_and_program_streams(
    name: str, codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = still_with_counter(30)
    path = write_video(tmp_path / name, source, codec=codec, pixels="yuv420p")

    def refuse(*_: object) -> None:
        raise AssertionError("decord was tried")

    monkeypatch.setattr(decoder_choice, "decord_frames", refuse)
    info = probe_video(path)

    assert choose_decoder(path, info) == "pyav"
    frames = read_frames(path, [7, 29], decoder="pyav").astype(int)
    for frame, number in zip(frames, (7, 29), strict=True):
        assert np.abs(source.astype(int) - frame).mean(axis=(1, 2, 3)).argmin() == number


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "properties"),
    [
        ("even.webm", "libvpx", "yuv420p", {}),
        ("odd.webm", "libvpx-vp9", "yuv444p", {}),
        ("odd.mkv", "libx264", "yuv444p", {}),
        ("even.mkv", "mjpeg", "yuvj422p", {}),
        ("bt709.mp4", "libx264", "yuv420p", {"colorspace": 1, "color_range": 1}),
        ("full.mp4", "libx264", "yuv420p", {"colorspace": 5, "color_range": 2}),
        ("flash.flv", "flv", "yuv420p", {}),
    ],
)
def test_frames_of_8_bit_video_are_equal_to_the_bit(
    name: str, codec: str, pixels: str, properties: dict[str, object], tmp_path: Path
) -> None:
    width = 99 if name.startswith("odd") else 128
    frames = moving_square(20, 67 if width == 99 else 64, width)
    path = write_video(tmp_path / name, frames, codec=codec, pixels=pixels, **properties)

    found, _ = decord_frames(path, range(20))

    assert np.array_equal(found, pyav.read(path, range(20)))
    assert decord_is_right(path, probe_video(path))


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "width"),
    [("odd.webm", "libvpx", "yuv420p", 99), ("deep.mkv", "libx264", "yuv420p10le", 128)],
)
def test_decord_is_not_chosen_where_it_converts_colours_differently(
    name: str, codec: str, pixels: str, width: int, tmp_path: Path
) -> None:
    frames = moving_square(20, 67, width) if width % 2 else moving_square(20, 64, width)
    path = write_video(tmp_path / name, frames, codec=codec, pixels=pixels)

    assert choose_decoder(path, probe_video(path)) == "pyav"


@pytest.mark.parametrize(
    ("name", "options", "decoder"),
    [
        ("a.mp4", {"bf": "2"}, "pyav"),
        ("a.mkv", {"bf": "2"}, "pyav"),
        ("a.mp4", {"bf": "2", "b-pyramid": "none"}, "pyav"),
        ("a.mp4", {"bf": "0"}, "decord"),
        ("a.flv", {"bf": "2"}, "decord"),
    ],
)
def test_pyav_reads_h264_with_pictures_that_can_be_left_out(
    name: str, options: dict[str, str], decoder: str, tmp_path: Path
) -> None:
    if decoder == "pyav" and int(av.__version__.split(".")[0]) < 18:
        pytest.skip("PyAV before 18 does not leave out pictures")
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("libx264", 25, options=options)
        stream.height = stream.width = 64
        for pixels in moving_square(40, 64, 64):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))

    info = probe_video(tmp_path / name)

    assert choose_decoder(tmp_path / name, info) == decoder
    assert decord_is_right(tmp_path / name, info)


def test_colours_of_bt709_are_right(tmp_path: Path) -> None:
    red, green, blue = np.array([200, 30, 30]) / 255
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    stored = 16 + 219 * luma, 128 + 224 * (blue - luma) / 1.8556, 128 + 224 * (red - luma) / 1.5748
    frames = np.empty((4, 3, 64, 128), np.uint8)
    frames[:] = np.round(stored)[:, None, None]
    path = write_video(
        tmp_path / "hd.mp4",
        frames,
        codec="libx264",
        pixels="yuv420p",
        given="yuv444p",
        colorspace=1,
        color_range=1,
    )

    for decoder in ("decord", "pyav"):
        pixel = read_frames(path, [1], decoder=decoder)[0, 30, 60].astype(int)

        assert np.abs(pixel - (200, 30, 30)).max() <= 3
