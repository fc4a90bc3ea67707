"""Limits of what is opened and decoded, each with a harmless file just beyond a lowered limit."""

from pathlib import Path

import av
import pytest

from tests.data.make_clips import moving_square, write_clip
from videomae_cli.data.decoding import pyav
from videomae_cli.data.ingest import probe
from videomae_cli.data.ingest.probe import count_frames
from videomae_cli.errors import DataError


def write_streams(path: Path, count: int) -> Path:
    """Write a video with several equal streams."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in range(count)]
        for stream in streams:
            stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for pixels in moving_square(5, 48, 64):
            for stream in streams:
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


def test_the_number_of_streams_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_streams(tmp_path / "a.mkv", 3)
    assert count_frames(path).frames == 5

    monkeypatch.setattr(probe, "MAX_STREAMS", 2)

    with pytest.raises(DataError, match="3 streams are too many"):
        count_frames(path)


def test_a_name_like_a_pattern_of_images_is_only_a_name(tmp_path: Path) -> None:
    for name in ("a1.mp4", "a2.mp4"):
        write_clip(tmp_path / name, 4)
    path = write_clip(tmp_path / "a%d.mp4", 7)

    assert count_frames(path).frames == 7


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nreal.mp4\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", "ffconcat version 1.0\nfile real.mp4\n"),
        ("list.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n"),
    ],
)
def test_ffmpeg_itself_refuses_files_that_refer_to_others(
    name: str, text: str, tmp_path: Path
) -> None:
    write_clip(tmp_path / "real.mp4", 4)
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(DataError, match=r"is not read|cannot decode it"), pyav.open_video(path):
        pass
