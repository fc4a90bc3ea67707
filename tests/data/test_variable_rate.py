"""Videos whose frame rate changes: clips in time have the frames that are shown then."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.notes import AUTOENCODER, Notes, written
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.protocols import Protocol
from videomae_cli.config.training import FinetuneAugmentSpec, PretrainAugmentSpec
from videomae_cli.data.dataset import FinetuneClips, PretrainClips
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.data.manifest import Video, read_manifest
from videomae_cli.data.time_sampling import select_test_clips, times_of, with_times
from videomae_cli.errors import DataError
from videomae_cli.tasks.prepare import prepare
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.visualize import visualize

# twenty frames at 25 per second, then twenty at 12.5: shown at 0, 0.04, ... 0.76, 0.8, 0.88, ...
MILLISECONDS = [*range(0, 800, 40), *range(800, 2400, 80)]
SECONDS = [millisecond / 1000 for millisecond in MILLISECONDS]
CLIP = ClipSpec(frames=4, fps=6.25, size=32, patch=8)
EXPECTED = [0, 4, 8, 12]  # shown at 0, 0.16, 0.32, 0.48
AFTER = [20, 22, 24, 26]  # shown at 0.8, 0.96, 1.12, 1.28


def write_timed_clip(path: Path, milliseconds: Sequence[int] = MILLISECONDS) -> Path:
    """Write a video whose frame k has pixels of value 5 k, and is shown at `milliseconds[k]`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(1000))
        stream.width, stream.height, stream.pix_fmt = 48, 40, "bgr0"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for number, millisecond in enumerate(milliseconds):
            pixels = np.full((40, 48, 3), 5 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = millisecond, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_timed_clip(tmp_path_factory.mktemp("variable") / "a.mkv")


def test_training_and_test_clips_have_the_frames_that_are_shown_then(video: Path) -> None:
    # a constant rate, as a header may state it, would give other frames
    row = Video(video.name, 0, "train", len(SECONDS), 16.7, 48, 40, "pyav")
    times = {video.name: np.array(SECONDS)}
    plain = PretrainAugmentSpec(crop="center", flip=False)
    tuned = FinetuneAugmentSpec(crop="center", flip=False)

    drawn = set()
    for clips in (
        PretrainClips([row], video.parent, CLIP, plain, 0, times),
        FinetuneClips([row], video.parent, CLIP, tuned, 0, times),
    ):
        for epoch in range(60):
            values = clips[epoch, 0].clip[0, 0, :, 0, 0].numpy()
            drawn.add(tuple(values // 5))
    assert tuple(EXPECTED) in drawn and tuple(AFTER) in drawn
    for numbers in drawn:
        start = SECONDS[numbers[0]]
        shown = [np.searchsorted(SECONDS, start + 0.16 * k + 1e-6, "right") - 1 for k in range(4)]
        assert list(numbers) == shown

    views = EvalViews([row], video.parent, CLIP, Protocol(2, 1), times=times)
    first, last = views[0].views[:, 0, :, 0, 0].numpy() // 5
    assert first.tolist() == EXPECTED
    # the video ends at 2.32 s + 2.32 s / 39: the last clip is from 1.739 s on
    assert last.tolist() == [31, 33, 35, 37]


def test_prepare_stores_the_times_of_the_frames(video: Path, tmp_path: Path) -> None:
    prepare.run(video.parent, tmp_path, Notes(), PrepareOptions(workers=1))

    timed = with_times(read_manifest(tmp_path))
    assert timed.times[video.name].tolist() == SECONDS


def test_a_constant_rate_that_the_header_states_wrongly_is_measured(tmp_path: Path) -> None:
    write_timed_clip(tmp_path / "videos/a.mkv", range(0, 1200, 40))

    prepare.run(tmp_path / "videos", tmp_path / "data", Notes(), PrepareOptions(workers=1))

    manifest = with_times(read_manifest(tmp_path / "data"))
    assert manifest.videos[0].fps == 1000  # the clock of the file; 25 frames are shown per second
    clips = select_test_clips(CLIP, times_of(manifest.videos[0], manifest.times), 1)
    assert clips == [[7, 11, 15, 19]]


def test_visualize_mask_measures_the_times_of_its_video(video: Path, tmp_path: Path) -> None:
    timed = {"stride_frames": None, "fps": 6.25, "short": "spread"}
    checkpoint = written(tmp_path / "model", AUTOENCODER.model_copy(update=timed))
    notes = Notes()

    result = visualize.run(video, notes, checkpoint=checkpoint, out=tmp_path / "a.png")

    # in the middle: from (2.32 * 40 / 39 - 0.64) / 2 = 0.870 s on
    assert result.clip.indices == [20, 22, 24, 26]
    assert notes.has("6.25 frames per second")
    assert result.as_json()["stride_frames"] is None


def test_a_rule_that_refuses_short_videos_names_the_duration(video: Path) -> None:
    row = Video(video.name, 0, "train", len(SECONDS), 16.7, 48, 40, "pyav")
    clip = CLIP.model_copy(update={"fps": 0.5, "short": "refuse"})
    clips = PretrainClips(
        [row], video.parent, clip, PretrainAugmentSpec(crop="center", flip=False), 0
    )

    with pytest.raises(DataError, match=r"clip\.short refuses it"):
        clips[0, 0]
