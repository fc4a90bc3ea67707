"""`prepare --decoder torchcodec`, what reads the result, and what happens where it is missing."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.make_clips import moving_square, write_clip
from tests.notes import Notes
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.training import PretrainAugmentSpec
from videomae_cli.data.dataset import PretrainClips
from videomae_cli.data.decode import TORCHCODEC, read_frames, read_video
from videomae_cli.data.decoding.readers.torchcodec_reader import import_torchcodec
from videomae_cli.data.ingest.probe import decoder_versions
from videomae_cli.data.loader import load_each
from videomae_cli.data.manifest import Video, read_manifest
from videomae_cli.errors import UsageError
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import run
from videomae_cli.tasks.train.resume import list_decoders

ROOT = Path(__file__).resolve().parents[3]
OPTIONS = PrepareOptions(decoder=TORCHCODEC, workers=1)


@pytest.fixture
def _missing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the import of torchcodec fail, as where it is not installed."""
    import_torchcodec.cache_clear()
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    yield
    import_torchcodec.cache_clear()


def clips_of(videos: Sequence[Video], root: Path) -> PretrainClips:
    clip = ClipSpec(frames=4, stride_frames=2, size=32, patch=8)
    return PretrainClips(videos, root, clip, PretrainAugmentSpec(crop="center", flip=False), 0)


@pytest.mark.usefixtures("_torchcodec")
def test_videos_are_prepared_and_read_with_torchcodec(tmp_path: Path) -> None:
    frames = moving_square(20, 48, 64)
    for name in ("a.mp4", "b.mkv", "stream.ts"):
        write_clip(tmp_path / "videos" / name, frames)
    (tmp_path / "videos/bad.mp4").write_bytes(bytes(range(256)) * 40)
    notes = Notes()

    run(tmp_path / "videos", tmp_path / "out", notes, OPTIONS)
    run(tmp_path / "videos", tmp_path / "other", Notes(), OPTIONS._replace(decoder="pyav"))

    manifest, other = read_manifest(tmp_path / "out"), read_manifest(tmp_path / "other")
    assert [(video.path, *video[3:8]) for video in manifest.videos] == [
        ("a.mp4", 20, 25.0, 64, 48, TORCHCODEC),
        ("b.mkv", 20, 25.0, 64, 48, TORCHCODEC),
        ("stream.ts", 20, 25.0, 64, 48, "pyav"),
    ]
    assert notes.has(
        "decoders: torchcodec 2, pyav 1; PyAV for videos that torchcodec cannot read or reads "
        "differently"
    )
    assert "cannot decode" in (tmp_path / "out/rejected.csv").read_text()
    assert "torchcodec" in (tmp_path / "out/dataset.json").read_text()
    clips, others = (clips_of(one.split("train"), one.root) for one in (manifest, other))
    for number in range(3):
        assert torch.equal(clips[0, number].clip, others[0, number].clip)
    assert "torchcodec" in list_decoders(manifest)
    assert "torchcodec" not in list_decoders(other)


@pytest.mark.usefixtures("_torchcodec")
def test_segments_in_shards_are_read_with_torchcodec(tmp_path: Path) -> None:
    frames = moving_square(40, 48, 64)
    write_clip(tmp_path / "a.mp4", frames)
    (tmp_path / "list.csv").write_text("path,start,end\na.mp4,0,0.8\na.mp4,0.8,1.6\n")
    shards = str(tmp_path / "shards")

    run(tmp_path / "list.csv", tmp_path / "out", Notes(), OPTIONS._replace(shards=shards))

    manifest = read_manifest(tmp_path / "out")
    assert [(video.start, video.frames, video.decoder) for video in manifest.videos] == [
        (0, 20, TORCHCODEC),
        (20, 20, TORCHCODEC),
    ]
    for video in manifest.videos:
        found = read_video(manifest.video_path(video), video, [3, 19])
        numbers = [(video.start or 0) + number for number in (3, 19)]
        assert np.array_equal(found, read_frames(tmp_path / "a.mp4", numbers, decoder="pyav"))


@pytest.mark.usefixtures("_missing")
def test_prepare_without_torchcodec_names_the_extra_and_ffmpeg(tmp_path: Path) -> None:
    write_clip(tmp_path / "videos/a.mp4", 5)

    with pytest.raises(UsageError, match="torchcodec cannot be imported") as caught:
        run(tmp_path / "videos", tmp_path / "out", Notes(), OPTIONS)

    assert "pip install 'videomae[torchcodec]'" in caught.value.hint
    assert "FFmpeg" in caught.value.hint
    assert caught.value.exit_code == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("_missing")
@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_without_torchcodec_stops_and_reads_no_other_video_instead(
    workers: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_clip(tmp_path / "a.mp4", 12)
    write_clip(tmp_path / "b.mp4", 12)
    rows = [
        Video("a.mp4", None, "train", 12, 25.0, 64, 64, TORCHCODEC),
        Video("b.mp4", None, "train", 12, 25.0, 64, 64, "pyav"),
    ]
    clips = clips_of(rows, tmp_path)

    with pytest.raises(UsageError, match="torchcodec cannot be imported") as caught:
        list(load_each(clips, [(0, 0), (0, 1)], workers=workers))

    assert "--decoder auto" in caught.value.hint
    assert caplog.messages == []


@pytest.mark.skipif(find_spec(TORCHCODEC) is None, reason="torchcodec is not installed")
def test_a_missing_ffmpeg_is_named(tmp_path: Path) -> None:
    package = Path(find_spec(TORCHCODEC).submodule_search_locations[0])  # type: ignore[union-attr,index]
    copy = tmp_path / "site" / TORCHCODEC
    copy.mkdir(parents=True)
    for path in package.iterdir():
        if not path.name.startswith("libtorchcodec_core"):  # those that need FFmpeg
            (copy / path.name).symlink_to(path)
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path / "site")!r})
from videomae_cli.data.decoding.readers.torchcodec_reader import import_torchcodec
from videomae_cli.errors import UsageError
try:
    import_torchcodec()
except UsageError as error:
    print(sys.modules["torchcodec"].__file__, error.message, error.hint)
"""

    done = subprocess.run(
        (sys.executable, "-c", script), capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout.startswith(str(copy))
    assert "cannot load the shared libraries of FFmpeg" in done.stdout
    assert "apt install ffmpeg" in done.stdout


def test_the_version_of_torchcodec_matters_only_where_it_decodes() -> None:
    assert TORCHCODEC not in decoder_versions("auto")
    assert (TORCHCODEC in decoder_versions(TORCHCODEC)) == (find_spec(TORCHCODEC) is not None)
