"""Real clips that decoders disagree about: after `prepare --transcode` all decoders agree."""

from pathlib import Path

import numpy as np
import pytest

from tests.data.transcoding.write import write_form
from videomae_cli.data.decode import read_frames
from videomae_cli.data.decoding import pyav
from videomae_cli.data.decoding.readers.decord_reader import decord_frames
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.transcoding.forms import FORMS

CLIPS = (
    "misc/hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi",
    "trouble/h264_10bit.mp4",
    "trouble/rotated_90.mov",
    "trouble/unordered_pts_4_frames.mov",
    "trouble/variable rate, spaces in name.mp4",
    "trouble/av1.mkv",
)


@pytest.mark.parametrize("form", ["h264", "all-intra"])
@pytest.mark.parametrize("name", CLIPS)
def test_all_decoders_agree_to_the_bit(name: str, form: str, shared: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.symlink_to(shared / "videos" / name)
    info = probe_video(source)

    path, _ = write_form(source, form, short_side=128)

    rng = np.random.default_rng(0)
    chosen = sorted(rng.choice(info.frames, min(9, info.frames), replace=False).tolist())
    for numbers in (list(range(info.frames)), chosen, [info.frames - 1]):
        ours = read_frames(path, numbers, decoder="h264")
        assert np.array_equal(pyav.read(path, numbers), ours)
        frames, length = decord_frames(path, numbers)
        assert length == info.frames
        assert np.array_equal(frames, ours)
    assert probe_video(path).times == info.times


@pytest.mark.parametrize("form", FORMS)
def test_frames_of_a_kinetics_clip_are_close_to_the_source(
    form: str, shared: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.symlink_to(shared / "videos/misc/kinetics_c.mp4")
    numbers = list(range(0, 300, 37))
    expected = read_frames(source, numbers, decoder="pyav").astype(int)

    path, written = write_form(source, form)

    assert (written.width, written.height) == (340, 256)
    difference = read_frames(path, numbers, decoder=FORMS[form].decoder) - expected
    assert np.abs(difference).mean() < {"uint8": 1e-9, "jpeg": 2.5}.get(form, 5)
    assert abs(difference.mean()) < 0.3, "neither brighter nor darker"
