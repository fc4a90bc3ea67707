"""Every form has the frames of its source: number for number, upright, with square pixels."""

from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.data.decoding.odd_clips import set_matrix, write_video
from tests.data.make_clips import moving_square, write_clip
from tests.data.make_frames import write_frame_folder
from tests.data.transcoding.write import write_form
from videomae_cli.data.decode import read_frames
from videomae_cli.data.decoding.pyav import open_video
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.transcoding import video_file
from videomae_cli.data.transcoding.forms import FORMS, H264, INTRA, JPEG, UINT8, Timing
from videomae_cli.data.transcoding.jpeg_file import decode_with_pillow
from videomae_cli.errors import DataError

# mean difference in levels that the codec may make on a moving square
TOLERANCE = {H264: 3.0, INTRA: 3.0, JPEG: 2.0, UINT8: 0.0}
ALL = pytest.mark.parametrize("form", FORMS)


def read(path: Path, form: str, numbers: list[int]) -> NDArray[np.uint8]:
    return read_frames(path, numbers, decoder=FORMS[form].decoder)


def measure_distance(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    assert left.shape == right.shape
    return float(np.abs(left.astype(int) - right).mean())


@ALL
def test_each_frame_is_that_of_the_source_with_the_same_number(form: str, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", 75, height=96, width=128, key_every=30)
    expected = read_frames(source, range(75), decoder="pyav")

    path, written = write_form(source, form)

    assert written == (128, 96, 3)
    stored = read(path, form, list(range(75)))
    for number, frame in enumerate(stored):
        distances = [measure_distance(frame, other) for other in expected]
        assert distances[number] <= TOLERANCE[form]
        assert np.argmin(distances) == number
    with pytest.raises(DataError, match="frame 75 is past the end: the video has 75 frames"):
        read(path, form, [0, 75])


@ALL
def test_any_choice_of_frames_is_the_same_as_all_of_them(form: str, tmp_path: Path) -> None:
    path, _ = write_form(write_clip(tmp_path / "a.mp4", 75, height=96, width=128), form)
    whole = read(path, form, list(range(75)))
    rng = np.random.default_rng(0)
    choices = [[0], [74], [15], [16], [17, 74], list(range(3, 64, 4)), [5, 5, 2]]
    choices += [sorted(rng.choice(75, 8, replace=False).tolist()) for _ in range(8)]

    for numbers in choices:
        assert np.array_equal(read(path, form, numbers), whole[numbers])


@pytest.mark.parametrize("form", [H264, INTRA])
def test_all_decoders_read_the_same_pixels_of_what_is_written(form: str, tmp_path: Path) -> None:
    for height, width in ((96, 128), (64, 48), (70, 54), (512, 288), (10, 14)):
        source = write_clip(tmp_path / f"{width}.mp4", 40, height=height, width=width)
        path, written = write_form(source, form)

        ours = read(path, form, list(range(40)))

        for decoder in ("pyav", "decord"):
            assert np.array_equal(read_frames(path, range(40), decoder=decoder), ours)
            assert np.array_equal(read_frames(path, [7, 39], decoder=decoder), ours[[7, 39]])
        info = probe_video(path)
        assert (info.frames, info.fps, info.pyav_reason, info.notes) == (40, 25.0, "", ())
        assert (info.width, info.height) == (written.width, written.height)


@pytest.mark.parametrize(("form", "distance"), [(H264, 16), (INTRA, 1)])
def test_key_frames_are_where_they_should_be_and_there_are_no_b_frames(
    form: str, distance: int, tmp_path: Path
) -> None:
    # a cut in the middle, where an encoder likes to put a key frame
    frames = moving_square(40, 64, 64)
    frames[21:] = 255 - frames[21:]
    path, _ = write_form(write_clip(tmp_path / "a.mp4", frames), form)

    with open_video(path) as (container, stream):
        packets = [packet for packet in container.demux(stream) if packet.size]

    assert [n for n, packet in enumerate(packets) if packet.is_keyframe] == list(
        range(0, 40, distance)
    )
    assert all(packet.pts == packet.dts for packet in packets)
    assert not container.streams.audio


@ALL
def test_the_same_source_gives_the_same_bytes(form: str, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", 40)

    first = write_form(source, form)[0].read_bytes()

    assert write_form(source, form)[0].read_bytes() == first


def test_the_same_frames_give_the_same_bytes_whatever_was_in_memory_before() -> None:
    frames, rng = moving_square(7, 32, 64, seed=2), np.random.default_rng(0)
    remembered: list[bytes] = []
    written = set()
    for _ in range(400):  # without the limit of instructions, about 8 of them differed
        file = BytesIO()
        video_file.write(iter(frames), len(frames), Timing(25.0), 16, file)
        written.add(file.getvalue())
        remembered.append(rng.bytes(int(rng.integers(10, 200_000))))
        if len(remembered) > 40:
            remembered.pop(int(rng.integers(40)))

    assert len(written) == 1


@pytest.mark.parametrize("form", [H264, INTRA])
def test_times_of_a_variable_rate_are_kept(form: str, tmp_path: Path) -> None:
    times = [0, 40, 90, 133, 400, 441, 443, 1000]
    frames = moving_square(8, 64, 64)
    source = write_video(
        tmp_path / "a.mkv", frames, codec="ffv1", pixels="bgr0", times=[t + 700 for t in times]
    )

    info = probe_video(write_form(source, form)[0])

    assert info.times == tuple(time / 1000 for time in times)
    assert info.times == probe_video(source).times


@pytest.mark.parametrize("form", [H264, INTRA])
@pytest.mark.parametrize("is_variable", [False, True])
def test_the_table_of_frames_is_at_the_start_however_long_it_is(
    form: str, is_variable: bool
) -> None:
    noise = np.random.default_rng(0)
    frames = [noise.integers(0, 256, (64, 64, 3), np.uint8)] * 900
    times = np.cumsum(noise.uniform(0.5, 3, 900)) if is_variable else np.empty(0)
    file = BytesIO()

    video_file.write(frames, 900, Timing(0.4, tuple(times)), FORMS[form].key_every, file)

    content = file.getvalue()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_a_constant_rate_is_kept(fps: int, tmp_path: Path) -> None:
    path, _ = write_form(write_clip(tmp_path / "a.avi", 20, codec="mpeg4", fps=fps), H264)

    info = probe_video(path)

    assert (info.fps, info.times) == (fps, ())


@ALL
@pytest.mark.parametrize("matrix", [(0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0), (-1, 0, 0, 1)])
def test_rotations_and_mirrors_are_applied(
    form: str, matrix: tuple[int, int, int, int], tmp_path: Path
) -> None:
    source = set_matrix(write_clip(tmp_path / "a.mp4", 5, height=64, width=80), *matrix)
    expected = read_frames(source, range(5), decoder="pyav")

    path, written = write_form(source, form)

    assert (written.height, written.width) == ((80, 64) if matrix[0] == 0 else (64, 80))
    assert measure_distance(read(path, form, list(range(5))), expected) <= TOLERANCE[form]


@ALL
def test_frames_are_scaled_down_but_never_up(form: str, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", 5, height=180, width=320)
    frames = read_frames(source, range(5), decoder="pyav")

    smaller, size = write_form(source, form, short_side=90)
    assert (size.width, size.height) == (160, 90)
    scaled = [
        np.asarray(Image.fromarray(f).resize((160, 90), Image.Resampling.BICUBIC)) for f in frames
    ]
    assert (
        measure_distance(read(smaller, form, list(range(5))), np.stack(scaled)) <= TOLERANCE[form]
    )
    same, size = write_form(source, form, short_side=400)
    assert (size.width, size.height) == (320, 180)
    assert measure_distance(read(same, form, list(range(5))), frames) <= TOLERANCE[form]


@ALL
def test_pixels_become_square(form: str, tmp_path: Path) -> None:
    frames = moving_square(4, 96, 160)
    source = write_video(
        tmp_path / "a.mp4",
        frames,
        codec="libx264",
        pixels="yuv420p",
        sample_aspect_ratio=Fraction(3, 4),
    )
    assert any("non-square" in note for note in probe_video(source).notes)

    path, written = write_form(source, form)

    assert (written.width, written.height) == (120, 96)
    expected = [
        np.asarray(Image.fromarray(frame).resize((120, 96), Image.Resampling.BICUBIC))
        for frame in read_frames(source, range(4), decoder="pyav")
    ]
    assert measure_distance(read(path, form, [0, 1, 2, 3]), np.stack(expected)) <= TOLERANCE[form]


@ALL
def test_odd_sides_lose_one_row_or_column_of_pixels(form: str, tmp_path: Path) -> None:
    frames = moving_square(4, 65, 81)
    source = write_clip(tmp_path / "a.mkv", frames, codec="ffv1")

    path, written = write_form(source, form)

    assert (written.width, written.height) == (80, 64)
    assert measure_distance(read(path, form, [0, 1, 2, 3]), frames[:, :64, :80]) <= TOLERANCE[form]


@ALL
def test_a_folder_of_frames_becomes_one_file(form: str, tmp_path: Path) -> None:
    frames = moving_square(20, 64, 80)
    folder = write_frame_folder(tmp_path / "clip", frames)

    path, written = write_form(folder, form)

    assert written == (80, 64, 3)
    assert measure_distance(read(path, form, list(range(20))), frames) <= TOLERANCE[form]


def test_other_channels_than_rgb_are_stored_uncompressed_only(tmp_path: Path) -> None:
    (tmp_path / "depth").mkdir()
    arrays = np.random.default_rng(0).integers(0, 256, (3, 64, 80, 2), np.uint8)
    for number, array in enumerate(arrays):
        np.save(tmp_path / "depth" / f"{number}.npy", array)

    path, written = write_form(tmp_path / "depth", UINT8)

    assert written == (80, 64, 2)
    assert np.array_equal(read_frames(path, [0, 2], decoder="uint8", channels=2), arrays[[0, 2]])
    for form in (H264, JPEG):
        with pytest.raises(DataError, match=r"2 channels, which .* cannot store: use --uint8"):
            write_form(tmp_path / "depth", form)


def test_both_jpeg_decoders_give_the_same_pixels(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3), np.uint8)
    frames[1:] = moving_square(2, 40, 60)
    path, _ = write_form(write_frame_folder(tmp_path / "clip", frames), JPEG)
    images = path.read_bytes().split(b"\xff\xd8\xff")[1:]

    pillow = [decode_with_pillow(bytearray(b"\xff\xd8\xff" + image)) for image in images]

    assert np.array_equal(read(path, JPEG, [0, 1, 2]), np.stack(pillow))


def test_other_programs_read_the_files_too(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", 9)
    jpeg, array = write_form(source, JPEG)[0], write_form(source, UINT8)[0]

    mapped = np.load(array, mmap_mode="r")

    assert np.array_equal(mapped, read_frames(source, range(9), decoder="pyav"))
    ours = read(jpeg, JPEG, list(range(9)))
    assert (
        measure_distance(read_frames(jpeg, range(9), decoder="pyav"), ours) < 3
    )  # other arithmetic
