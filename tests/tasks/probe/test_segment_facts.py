"""The metadata of a segment are those of its part of the file."""

from pathlib import Path

import numpy as np
import pytest

from tests.data.make_clips import write_clip
from tests.data.make_frames import write_frame_folder
from tests.data.transcoding.write import write_form
from tests.notes import Notes
from videomae_cli.data.manifest import Video
from videomae_cli.tasks.prepare.storage import shards
from videomae_cli.tasks.probe.video_facts import METADATA, count_bytes, read_facts

FRAMES = 40
BYTES, BITRATE = METADATA.index("log bytes"), METADATA.index("log bits per second")


def measure(path: Path, video: Video) -> tuple[float, float]:
    """Return the bytes and the bits per second of a video."""
    metadata = np.exp(read_facts(path, video).metadata)
    return float(metadata[BYTES]), float(metadata[BITRATE])


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi", "frames", "jpeg", "uint8"])
def test_a_segment_has_its_share_of_the_bytes_and_the_bitrate_of_the_file(
    kind: str, tmp_path: Path
) -> None:
    decoder = kind if kind in ("frames", "jpeg", "uint8") else "pyav"
    if kind == "frames":
        path = write_frame_folder(tmp_path / "a", FRAMES)
    else:
        name = f"a.{kind if decoder == 'pyav' else 'mp4'}"
        path = write_clip(tmp_path / name, FRAMES, codec="mpeg4" if kind == "avi" else "libx264")
    if kind in ("jpeg", "uint8"):
        path, _ = write_form(path, kind)
    whole = Video(path.name, 0, "train", FRAMES, 25.0, 64, 64, decoder)
    segment = whole._replace(start=10, frames=20)

    size, bitrate = measure(path, whole)
    part_size, part_bitrate = measure(path, segment)

    assert size == pytest.approx(count_bytes(path))
    assert part_size == pytest.approx(size / 2, rel=0.03)  # Matroska rounds its duration
    assert part_bitrate == pytest.approx(bitrate, rel=0.03)


def test_a_segment_in_a_shard_has_its_share_too(tmp_path: Path) -> None:
    size = write_clip(tmp_path / "videos/a.mp4", FRAMES).stat().st_size
    segment = Video("a.mp4", None, "train", 10, 25.0, 64, 64, "pyav", start=30)
    index = shards.write(
        "shards", tmp_path / "out", tmp_path / "videos", [segment], None, Notes(), shard_bytes=1
    )

    assert measure(index / "a.mp4", segment)[0] == pytest.approx(size / 4)
