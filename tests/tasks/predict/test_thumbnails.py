"""Frames above a timeline, of videos with any number of channels."""

from pathlib import Path

import numpy as np
import pytest

from tests.data.make_clips import moving_square
from videomae_cli.data.decode import FRAMES
from videomae_cli.data.ingest.input_videos import InputVideos
from videomae_cli.data.manifest import Video
from videomae_cli.tasks.predict.picture import THUMBNAIL_HEIGHT, THUMBNAILS
from videomae_cli.tasks.predict.thumbnails import read_thumbnails


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_frames_of_any_channels_stand_above_a_timeline(channels: int, tmp_path: Path) -> None:
    frames_THWC = np.concatenate(2 * [moving_square(THUMBNAILS, 40, 72)], axis=3)
    for t, frame_HWC in enumerate(frames_THWC[..., :channels]):
        np.save(tmp_path / f"{t:03d}.npy", frame_HWC)
    video = Video(tmp_path.name, None, "", THUMBNAILS, 25.0, 72, 40, FRAMES)
    inputs = InputVideos(tmp_path.parent, (video,), {}, ())

    found = read_thumbnails(inputs, video.name, THUMBNAILS / 25)

    shapes = {frame_HWC.shape for _, frame_HWC in found}
    assert len(found) == THUMBNAILS and {shape[::2] for shape in shapes} == {(THUMBNAIL_HEIGHT, 3)}
