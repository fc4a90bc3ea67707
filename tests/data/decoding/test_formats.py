"""Formats that cameras and tools write are read, or refused by their name."""

import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.decoding.odd_clips import write_video
from tests.data.make_clips import moving_square, write_clip
from videomae_cli.data.decode import read_frames
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.ingest.decoder_choice import choose_decoder
from videomae_cli.data.layouts.file_search import VIDEO_SUFFIXES
from videomae_cli.errors import DataError

READ = [
    ("pi.h264", "libx264", "yuv420p"),
    ("tape.dv", "dvvideo", "yuv420p"),
    ("raw.y4m", "rawvideo", "yuv420p"),
    ("cam.mjpeg", "mjpeg", "yuvj420p"),
    ("icon.apng", "apng", "rgb24"),
    ("tool.nut", "libx264", "yuv420p"),
    ("disc.m2v", "mpeg2video", "yuv420p"),
    ("phone.3g2", "mpeg4", "yuv420p"),
]


@pytest.mark.parametrize(("name", "codec", "pixels"), READ)
def test_each_frame_of_a_rarer_format_is_found(
    name: str, codec: str, pixels: str, tmp_path: Path
) -> None:
    source = moving_square(30, *((576, 720) if codec == "dvvideo" else (48, 80)))
    path = write_video(tmp_path / name, source, codec=codec, pixels=pixels)

    info = probe_video(path)
    decoder = choose_decoder(path, info)

    assert path.suffix in VIDEO_SUFFIXES
    assert (info.frames, info.fps) == (30, 25.0)
    for order in ([0], [29], [3, 4, 5], [25, 3, 3, 14]):
        for frame, number in zip(read_frames(path, order, decoder=decoder), order, strict=True):
            assert np.abs(source.astype(int) - frame).mean(axis=(1, 2, 3)).argmin() == number


@pytest.mark.parametrize("suffix", [".qt", ".mod", ".lrv", ".trp"])
def test_a_known_format_under_a_rarer_ending_is_read(suffix: str, tmp_path: Path) -> None:
    kind = {".qt": ".mov", ".mod": ".ts", ".lrv": ".mp4", ".trp": ".ts"}[suffix]
    path = write_clip(tmp_path / f"a{kind}", 9).rename(tmp_path / f"a{suffix}")

    assert suffix in VIDEO_SUFFIXES
    assert probe_video(path).frames == 9


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("a.swf", "flv", "yuv420p"), ("a.rm", "rv10", "yuv420p"), ("a.wtv", "mpeg2video", "yuv420p")],
)
def test_another_format_is_refused_by_its_name_with_the_command(
    name: str, codec: str, pixels: str, tmp_path: Path
) -> None:
    frames = moving_square(10, 144, 176)
    path = write_video(tmp_path / name, frames, codec=codec, pixels=pixels)
    kind = name[2:]

    with pytest.raises(DataError) as caught:
        probe_video(path)

    assert f"the format {kind} is not read; put the video into MP4" in caught.value.message
    assert f"ffmpeg -i IN.{kind} -c copy OUT.mp4" in caught.value.message
    assert "damaged" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.png", r"it is a picture \(png\), .* ffmpeg -i IN.png OUT.mp4"),
        ("a.webp", r"it is a picture \(webp\)"),
        ("a.mp4", r"it is a picture \(jpeg\)"),
        ("a.wav", r"it is sound \(wav\), not a video"),
    ],
)
def test_pictures_and_sound_are_called_so(name: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "a.wav":
        with wave.open(str(path), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(bytes(16000))
    else:
        kind = {"a.mp4": "jpeg"}.get(name, path.suffix[1:])
        Image.fromarray(moving_square(1, 48, 64)[0]).save(path, kind)

    with pytest.raises(DataError, match=words):
        probe_video(path)


def test_a_playlist_is_still_not_followed(tmp_path: Path) -> None:
    write_clip(tmp_path / "real.ts", 5)
    for start in (b"\0", b"\0\0\0\0"):
        path = tmp_path / "list.mp4"
        path.write_bytes(start + b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nreal.ts\n")

        with pytest.raises(DataError):
            probe_video(path)
