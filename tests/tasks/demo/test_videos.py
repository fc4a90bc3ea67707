"""The videos of the demonstration: opposite classes differ only in the order of their frames."""

from pathlib import Path

import numpy as np
import pytest

from videomae_cli.data.decode import read_frames
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.rng import stream
from videomae_cli.tasks.demo import videos as demo_videos
from videomae_cli.tasks.demo.results import opposite_motion
from videomae_cli.tasks.demo.videos import (
    DECODER,
    FRAMES,
    MOTIONS,
    SIDE,
    draw_parameters,
    motion_index,
    render_clip,
    reorder_frames,
    video_name,
    write_videos,
)

PARAMETERS = draw_parameters(stream(0, "test"))


@pytest.mark.parametrize("motion", range(0, len(MOTIONS), 2))
def test_opposite_classes_of_a_scene_are_the_same_frames_in_reverse(motion: int) -> None:
    assert opposite_motion(MOTIONS[motion]) == MOTIONS[motion + 1]
    assert opposite_motion(MOTIONS[motion + 1]) == MOTIONS[motion]

    forward, backward = render_clip(PARAMETERS, motion), render_clip(PARAMETERS, motion + 1)

    assert np.array_equal(forward, backward[::-1])
    assert not np.array_equal(forward, backward)


def test_the_class_is_at_least_four_times_as_strong_as_any_other_motion() -> None:
    strengths = np.stack([draw_parameters(stream(n, "leak")).leak_4 for n in range(400)])

    assert np.abs(strengths).max() <= 0.25
    assert np.abs(strengths).mean() == pytest.approx(0.125, rel=0.05)
    assert np.abs(strengths.mean(axis=0)).max() < 0.03  # in both directions alike


def test_clips_of_one_scene_differ_between_all_classes() -> None:
    clips = [render_clip(PARAMETERS, motion).tobytes() for motion in range(len(MOTIONS))]

    assert len(set(clips)) == len(MOTIONS)


def test_shifts_have_the_direction_of_their_name() -> None:
    def moves(motion: str, down: int, right: int) -> bool:
        """Return whether frame 5 is closer to frame 4 shifted this way than the other way."""
        before, after = render_clip(PARAMETERS, MOTIONS.index(motion))[4:6].astype(float)
        ways = [np.roll(before, (s * down, s * right), (0, 1)) for s in (1, -1)]
        inner = slice(4, -4)
        with_it, against = (np.abs(way - after)[inner, inner].mean() for way in ways)
        return bool(with_it < against)

    pixels = round(PARAMETERS.speed * SIDE)
    assert moves("left", 0, -pixels)
    assert moves("right", 0, pixels)
    assert moves("up", -pixels, 0)
    assert moves("down", pixels, 0)


@pytest.mark.parametrize(
    ("motion", "down", "right"),
    # what lies right of the middle goes outward, inward, downward, upward
    [("zoom-in", 0, 1), ("zoom-out", 0, -1), ("clockwise", 1, 0), ("counterclockwise", -1, 0)],
)
def test_zooms_and_rotations_have_the_direction_of_their_name(
    motion: str, down: int, right: int
) -> None:
    part = slice(SIDE * 3 // 8, SIDE * 5 // 8), slice(SIDE * 11 // 16, SIDE * 7 // 8)
    votes = 0

    for number in range(8):
        frames = render_clip(draw_parameters(stream(number, "turn")), MOTIONS.index(motion)).astype(
            float
        )
        ways = [np.roll(frames[3], (s * down, s * right), (0, 1))[part] for s in (1, -1)]
        with_it, against = (np.abs(way - frames[4][part]).mean() for way in ways)
        votes += with_it < against

    assert votes >= 7


def test_a_frame_of_a_clip_without_zoom_is_as_near_as_one_of_a_zooming_clip() -> None:
    """Compare distributions over all frames: of fine detail, which depends on the distance."""
    detail: dict[int, list[float]] = {0: [], 4: [], 6: []}
    for motion, values in detail.items():
        for number in range(120):
            frames = render_clip(draw_parameters(stream(number, "detail")), motion).astype(float)
            values += np.abs(np.diff(frames, axis=2)).mean(axis=(1, 2, 3)).tolist()

    spreads = {motion: (np.mean(f), np.std(f)) for motion, f in detail.items()}

    for mean, std in spreads.values():
        assert mean == pytest.approx(spreads[4][0], rel=0.08)
        assert std == pytest.approx(spreads[4][1], rel=0.2)


def test_a_still_clip_repeats_one_of_its_frames_and_a_shuffled_one_keeps_them_all() -> None:
    frames = render_clip(PARAMETERS, 0)

    still = reorder_frames(frames, "still", stream(1, "still"))
    shuffled = reorder_frames(frames, "shuffled", stream(1, "shuffled"))

    assert all(np.array_equal(frame, still[0]) for frame in still)
    assert any(np.array_equal(still[0], frame) for frame in frames)
    assert not np.array_equal(shuffled, frames)
    assert sorted(map(bytes, shuffled)) == sorted(map(bytes, frames))


def test_every_frame_is_repeated_equally_often() -> None:
    numbered = np.arange(FRAMES, dtype=np.uint8).reshape(-1, 1, 1, 1)

    chosen = [
        int(reorder_frames(numbered, "still", stream(n, "moment"))[0, 0, 0, 0]) for n in range(400)
    ]

    assert np.bincount(chosen, minlength=FRAMES).min() > 400 / FRAMES / 2


def test_videos_depend_only_on_seed_and_number(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"

    done = list(write_videos(one, range(4), seed=3, order="natural", workers=1))
    list(write_videos(two, [3, 2], seed=3, order="natural", workers=1))

    assert sum(done) == 4
    assert sorted(path.name for path in one.iterdir()) == [video_name(n) for n in range(4)]
    for number in (2, 3):
        assert (one / video_name(number)).read_bytes() == (two / video_name(number)).read_bytes()
    assert {motion_index(number) for number in range(8)} == set(range(8))


def test_files_hold_the_rendered_frames_and_have_one_size(tmp_path: Path) -> None:
    list(write_videos(tmp_path, range(8), seed=3, order="natural", workers=1))

    paths = [tmp_path / video_name(number) for number in range(8)]

    assert len({path.stat().st_size for path in paths}) == 1
    info = probe_video(paths[2])
    assert (info.frames, info.width, info.height) == (FRAMES, SIDE, SIDE)
    expected = render_clip(draw_parameters(stream(3, "scene", 2)), motion_index(2))
    assert np.array_equal(read_frames(paths[2], range(FRAMES), decoder=DECODER), expected)


def test_the_loss_of_the_mean_colour_is_the_variance_inside_frames(tmp_path: Path) -> None:
    list(write_videos(tmp_path, [2], seed=3, order="natural", workers=1))
    path = tmp_path / video_name(2)
    frames = read_frames(path, range(FRAMES), decoder=DECODER).astype(float) / 255

    expected = np.mean([frame[..., c].var() for frame in frames for c in range(3)])

    assert demo_videos.frame_mean_loss([path]) == pytest.approx(expected)
