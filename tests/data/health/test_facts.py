"""What the health report knows of a video is measured from its frames, not from its header."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.data.decoding.odd_clips import write_video
from tests.data.make_clips import moving_square, write_clip
from tests.data.make_frames import write_frame_folder
from videomae_cli.data.decoding import limits
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.health.content import FrameContent, hash_points
from videomae_cli.data.health.facts import VideoHealth
from videomae_cli.data.health.points import POINTS, read_points, select_points
from videomae_cli.data.ingest.probe import ReadableVideo, readable_video
from videomae_cli.errors import DataError


def count_differences(one: VideoHealth, other: VideoHealth) -> int:
    pairs = zip(one.hashes, other.hashes, strict=True)
    return sum((int(a, 16) ^ int(b, 16)).bit_count() for a, b in pairs)


def moving_noise(frames: int) -> NDArray[np.uint8]:
    """Return T, 96, 128, 3: frames that fill a file, so that any byte of it is part of one."""
    picture = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    return np.stack([np.roll(picture, 2 * t, axis=1) for t in range(frames)])


def test_codec_container_and_key_frames_are_those_of_the_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 30, height=48, width=64, key_every=12)

    health = probe_video(path).health

    assert health.container.startswith("mov") and health.codec == "h264"
    assert health.pixel_format == "yuv420p" and health.size == path.stat().st_size
    assert (health.has_audio, health.damaged, health.black, health.frozen) == (False, 0, 0.0, 0.0)
    assert health.key_distance == 12
    assert len(health.hashes) == 3 and all(len(text) == 16 for text in health.hashes)


def test_the_distance_to_the_end_counts_as_one_between_key_frames(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 31, codec="mpeg4", key_every=100)

    assert probe_video(path).health.key_distance == 31


def test_sound_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        video, sound = container.add_stream("libx264", rate=25), container.add_stream("pcm_s16le")
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        sound.rate, sound.layout = 8000, "mono"
        for pixels in moving_square(10, 48, 64):
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 3200), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux([*sound.encode(frame), *sound.encode(None), *video.encode(None)])

    assert probe_video(path).health.has_audio


def test_black_and_frozen_parts_are_shares_of_the_frames(tmp_path: Path) -> None:
    moving = moving_square(32, 48, 64)
    black, still = moving.copy(), moving.copy()
    black[8:16] = 3
    still[8:] = still[8]
    for name, frames in {"black": black, "still": still}.items():
        write_clip(tmp_path / f"{name}.mkv", frames, codec="ffv1")

    dark, frozen = (probe_video(tmp_path / f"{name}.mkv").health for name in ("black", "still"))

    assert dark.black == 0.25 and dark.frozen == pytest.approx(7 / 31, abs=1e-3)
    assert frozen.black == 0.0 and frozen.frozen == pytest.approx(23 / 31, abs=1e-3)


def test_a_long_video_is_sampled_over_its_whole_length(tmp_path: Path) -> None:
    content = FrameContent()
    points = np.random.default_rng(0).integers(60, 200, (1000, POINTS, POINTS), dtype=np.uint8)
    points[500:] = 0
    reads = []

    for number in range(1000):
        content.add(number, lambda number=number: reads.append(number) or points[number])  # type: ignore[misc]

    facts = content.conclude(1000)
    assert facts.black == pytest.approx(0.5, abs=0.04)
    assert facts.frozen == pytest.approx(0.5, abs=0.04)
    assert facts.hashes[0] == hash_points(points[256]) and facts.hashes[1:] == ("", "")
    assert len(reads) < 250


def test_a_frame_that_cannot_be_measured_does_not_reject_its_video() -> None:
    content = FrameContent()
    content.add(0, lambda: np.frombuffer(b"").reshape(3))

    assert content.conclude(1) == (0.0, 0.0, ())


def test_a_copy_in_another_size_and_codec_has_nearly_the_same_hashes(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    scene = [np.kron(rng.integers(30, 220, (6, 8, 3)), np.ones((32, 32, 1))) for _ in range(2)]
    frames = np.stack([np.roll(scene[t >= 20], 3 * t, axis=1) for t in range(40)]).astype(np.uint8)
    first = write_clip(tmp_path / "first.mp4", frames)
    small = write_clip(tmp_path / "small.avi", frames[:, ::2, ::2], codec="mpeg4")
    other = write_clip(tmp_path / "other.mp4", frames[:, ::-1])

    one, copy, different = (probe_video(path).health for path in (first, small, other))

    assert count_differences(one, copy) <= 8
    assert count_differences(one, different) > 40


@pytest.mark.parametrize("pixels", ["yuv420p10le", "yuv444p", "rgb24", "gray", "yuyv422"])
def test_the_brightness_of_every_pixel_format_is_that_of_its_rgb(
    pixels: str, tmp_path: Path
) -> None:
    smooth = np.linspace(20, 230, 128).astype(np.uint8)
    picture = np.repeat(np.repeat(smooth[None, :, None], 96, axis=0), 3, axis=2)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)

    difference = read_points(frame).astype(int) - select_points(picture)

    assert np.abs(difference).max() <= 4


def test_damage_that_the_decoder_conceals_is_counted(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "good.mp4", moving_noise(60), codec="mpeg4", key_every=60)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "bad.mp4").write_bytes(data)

    good, bad = probe_video(path), probe_video(tmp_path / "bad.mp4")

    assert good.frames == bad.frames == 60
    assert good.health.damaged == 0
    assert bad.health.damaged > 0


def test_damage_that_only_error_detection_finds_is_one_frame(
    tmp_path: Path,
) -> None:
    path = write_video(
        tmp_path / "good.mkv",
        moving_noise(8),
        codec="libx265",
        pixels="yuv420p",
        options={"x265-params": "hash=1:log-level=none"},
    )
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1  # its checksum does not fit any more
    (tmp_path / "bad.mkv").write_bytes(data)

    good, bad = probe_video(path), probe_video(tmp_path / "bad.mkv")

    assert (good.frames, good.health.damaged) == (8, 0)
    assert (bad.frames, bad.health.damaged) == (8, 1)


def test_a_folder_of_images_has_the_same_facts(tmp_path: Path) -> None:
    frames = moving_square(16, 48, 64)
    frames[4:] = 0
    folder = write_frame_folder(tmp_path / "a", frames)

    health = probe_video(folder).health

    assert health.codec == "png" and health.key_distance == 1
    assert health.size == sum(path.stat().st_size for path in folder.iterdir())
    assert health.black == 0.75 and health.frozen == pytest.approx(11 / 15, abs=1e-3)


def test_facts_survive_json(tmp_path: Path) -> None:
    video = readable_video(probe_video(write_clip(tmp_path / "a.mp4", 9)), "pyav")

    again = ReadableVideo.from_json(json.loads(json.dumps(video)))

    assert again == video and isinstance(again.health, VideoHealth)


def test_the_length_of_a_video_is_limited_while_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mp4", 12, height=48, width=64)
    monkeypatch.setattr(limits, "MAX_FRAMES", 11)
    with pytest.raises(DataError, match=r"a\.mp4: more than 11 frames are not decoded"):
        probe_video(path)

    monkeypatch.setattr(limits, "MAX_FRAMES", 12)
    assert probe_video(path).frames == 12

    monkeypatch.setattr(limits, "MAX_VIDEO_PIXELS", 12 * 48 * 64 - 1)
    with pytest.raises(DataError, match="more than 11 frames of 64 x 48 pixels are not decoded"):
        probe_video(path)


def test_a_video_whose_header_hides_its_size_is_limited_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "a.mkv", moving_square(3, 96, 128), codec="ffv1", pixels="bgr0")
    monkeypatch.setattr("videomae_cli.data.decoding.pyav.MAX_PIXELS", 48 * 64)

    with pytest.raises(DataError, match="FFmpeg cannot decode it"):
        probe_video(path)
