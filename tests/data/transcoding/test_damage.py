"""A stored file that is damaged or replaced gives an error that names it, never wrong frames."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.data.make_clips import write_clip
from tests.data.transcoding.write import write_form
from videomae_cli.data.decode import read_frames
from videomae_cli.data.transcoding.forms import FORMS, H264, JPEG, UINT8
from videomae_cli.errors import DataError

ALL = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(scope="module")
def masters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a file of each form."""
    source = write_clip(tmp_path_factory.mktemp("masters") / "a.mp4", 40, height=96, width=128)
    return {form: write_form(source, form)[0] for form in FORMS}


def refused(path: Path, form: str, numbers: tuple[int, ...] = (0, 39)) -> DataError:
    with pytest.raises(DataError) as caught:
        read_frames(path, numbers, decoder=FORMS[form].decoder)
    assert str(path) in caught.value.message
    return caught.value


def changed(master: Path, path: Path, start: int, data: bytes) -> Path:
    content = bytearray(master.read_bytes())
    content[start : start + len(data)] = data
    path.write_bytes(content)
    return path


@ALL
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_file_that_is_cut_off(
    form: str, share: float, masters: dict[str, Path], tmp_path: Path
) -> None:
    content = masters[form].read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(content[: int(share * len(content))])

    refused(path, form)


@ALL
def test_a_file_that_was_not_written_by_us(form: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "other.mp4", 40)

    assert refused(path, form).hint


def test_the_video_of_another_program_is_not_taken_for_ours(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "other.mp4", 40)

    assert "was not written by videomae prepare --transcode" in refused(path, H264).message


@ALL
def test_a_file_that_is_missing(form: str, tmp_path: Path) -> None:
    refused(tmp_path / "gone", form)


@ALL
def test_a_shorter_file_than_the_manifest_says(form: str, masters: dict[str, Path]) -> None:
    error = refused(masters[form], form, (3, 40))

    assert "frame 40 is past the end: the video has 40 frames" in error.message
    assert "run videomae prepare again" in error.hint


def test_any_changed_byte_of_a_jpeg_frame_or_of_the_index_is_noticed(
    masters: dict[str, Path], tmp_path: Path
) -> None:
    master = masters[JPEG]
    size = master.stat().st_size
    rng = np.random.default_rng(0)
    good = read_frames(master, range(40), decoder="jpeg")

    for place in [0, size - 1, size - 10, size - 20, *rng.integers(0, size, 40).tolist()]:
        byte = master.read_bytes()[place]
        path = changed(master, tmp_path / "changed", place, bytes([byte ^ 0x10]))
        error = refused(path, JPEG, tuple(range(40)))
        assert "damaged" in error.message
    # the other frames can still be read
    path = changed(master, tmp_path / "changed", 300, b"\0\0\0")
    assert "frame 0 is damaged" in refused(path, JPEG, (0,)).message
    assert np.array_equal(read_frames(path, [1, 39], decoder="jpeg"), good[[1, 39]])


def test_an_index_that_claims_more_than_the_file_has(
    masters: dict[str, Path], tmp_path: Path
) -> None:
    size = masters[JPEG].stat().st_size
    path = changed(masters[JPEG], tmp_path / "a", size - 8, (2**32 - 1).to_bytes(4, "little"))

    assert "index" in refused(path, JPEG).message


def test_an_array_of_another_shape_or_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for array in (
        np.zeros((40, 8, 8), np.uint8),
        np.zeros((40, 8, 8, 3), np.float32),
        np.asfortranarray(np.zeros((40, 8, 8, 3), np.uint8)),
        np.zeros((0, 8, 8, 3), np.uint8),
    ):
        np.save(path, array)
        assert "is not an array of frames" in refused(path, UINT8).message


def test_an_array_file_with_bytes_missing_or_added(
    masters: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "a.npy"
    shutil.copyfile(masters[UINT8], path)
    with path.open("ab") as file:
        file.write(b"\0")

    assert "bytes" in refused(path, UINT8).message


def test_a_long_index_is_read_whole(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (1500, 16, 16, 1), np.uint8)
    (tmp_path / "clip").mkdir()
    for number, frame in enumerate(frames):
        np.save(tmp_path / "clip" / f"{number:05d}.npy", frame)

    path, written = write_form(tmp_path / "clip", JPEG)

    assert written.channels == 1
    numbers = [0, 700, 1499]
    stored = read_frames(path, numbers, decoder="jpeg", channels=1)
    assert np.abs(stored.astype(int) - frames[numbers][:, :, :14]).mean() < 20  # 16 wide: avoided
