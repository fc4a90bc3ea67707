"""Pixels are those that a player shows: upright, over white, grey by the range of its format."""

from itertools import product
from pathlib import Path

import av
import numpy as np
import pytest

from tests.data.decoding.odd_clips import set_matrix, write_video
from tests.data.make_clips import write_clip
from videomae_cli.data.decode import read_frames
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.ingest.decoder_choice import choose_decoder
from videomae_cli.errors import DataError

TURNED = [
    *((a, 0, 0, d) for a, d in product((1, -1), repeat=2)),
    *((0, b, c, 0) for b, c in product((1, -1), repeat=2)),
]


@pytest.mark.parametrize("matrix", TURNED)
def test_each_pixel_goes_where_the_display_matrix_says(
    matrix: tuple[int, int, int, int], tmp_path: Path
) -> None:
    a, b, c, d = matrix
    stored = np.zeros((4, 64, 128, 3), np.uint8)
    stored[:, :16, :16], stored[:, :16, 112:] = 255, 120  # top left, top right
    path = set_matrix(write_clip(tmp_path / "phone.mp4", stored), a, b, c, d)

    info = probe_video(path)
    decoder = choose_decoder(path, info)
    shown = read_frames(path, [2], decoder=decoder)[0, :, :, 0].astype(int)

    assert (info.height, info.width) == shown.shape == ((64, 128) if a else (128, 64))
    for row, column, value in ((8, 8, 255), (8, 120, 120), (56, 64, 0)):
        # from the middle of the stored frame to the middle of the shown one
        x, y = column - 64, row - 32
        shown_column = a * x + c * y + shown.shape[1] // 2
        shown_row = b * x + d * y + shown.shape[0] // 2
        assert abs(shown[shown_row, shown_column] - value) < 6
    is_mirrored = a * d - b * c < 0
    assert bool(info.pyav_reason) == is_mirrored
    assert decoder == ("pyav" if is_mirrored else decoder)


@pytest.mark.parametrize(("codec", "suffix"), [("ffv1", ".mkv"), ("qtrle", ".mov")])
def test_transparent_pixels_are_shown_over_white(codec: str, suffix: str, tmp_path: Path) -> None:
    frames = np.zeros((3, 32, 64, 4), np.uint8)
    frames[..., 0] = 200
    frames[:, :, :16, 3], frames[:, :, 16:32, 3], frames[:, :, 32:, 3] = 255, 51, 0
    path = write_video(
        tmp_path / f"logo{suffix}",
        frames,
        codec=codec,
        pixels="bgra" if codec == "ffv1" else "argb",
        given="rgba",
    )

    info = probe_video(path)
    frame = read_frames(path, [1], decoder=choose_decoder(path, info))[0]

    assert info.notes == ("transparent pixels shown over white",)
    assert [frame[0, column].tolist() for column in (0, 20, 40)] == [
        [200, 0, 0],
        [244, 204, 204],
        [255, 255, 255],
    ]


def test_a_gif_is_shown_over_white(tmp_path: Path) -> None:
    from PIL import Image

    images = []
    for number in range(3):
        pixels = np.zeros((32, 64, 4), np.uint8)
        pixels[:, : 8 + number] = 10, 200, 30, 255
        images.append(Image.fromarray(pixels))
    path = tmp_path / "a.gif"
    images[0].save(path, save_all=True, append_images=images[1:], duration=100, disposal=2)

    info = probe_video(path)
    frames = read_frames(path, [0, 1, 2], decoder=choose_decoder(path, info))

    assert info.notes == ("transparent pixels shown over white",)
    assert frames[0, 0, 0].tolist() == [10, 200, 30]
    assert (frames[0, :, 20:] == 255).all()


def deep_grey(path: Path, brightest: int, bits: int) -> Path:
    ramp = np.linspace(0, brightest, 64).astype(np.uint16)
    frames = np.broadcast_to(ramp, (3, 32, 64)).copy()
    pixels = f"gray{bits}le"
    return write_video(path, frames, codec="ffv1", pixels=pixels, given=pixels)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_grey_is_scaled_by_the_range_of_its_format(bits: int, tmp_path: Path) -> None:
    white = 2**bits - 1
    path = deep_grey(tmp_path / "xray.mkv", white, bits)

    info = probe_video(path)
    frame = read_frames(path, [1], decoder=choose_decoder(path, info))[0, 0, :, 0]

    assert info.notes == (f"{bits}-bit grey, scaled from 0..{white}",)
    assert abs(frame - np.linspace(0, 255, 64)).max() < 2  # FFmpeg dithers


def test_grey_that_would_be_almost_black_is_rejected_and_the_command_given_helps(
    tmp_path: Path,
) -> None:
    path = deep_grey(tmp_path / "depth.mkv", 3000, 16)

    with pytest.raises(DataError, match=r"0 to 3000, and 0\.\.65535 is scaled to 0\.\.255") as e:
        probe_video(path)

    command = e.value.message.partition("-vf lut=")[2].split()[0]
    assert command == "c0=val*21"
    graph = av.filter.Graph()
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        source = graph.add_buffer(template=container.streams.video[0])
    lut, sink = graph.add("lut", command), graph.add("buffersink")
    source.link_to(lut)
    lut.link_to(sink)
    graph.configure()
    graph.push(frame)
    scaled = graph.pull()
    assert scaled.format.name == "gray16le"
    assert scaled.to_ndarray().max() == 63000


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0.0, 0.5, 1.0), ""),
        ((0.0, 2.0, 8.5), "values 0 to 8.5, .* all white"),
        ((0.0, 0.01, 0.05), "almost black"),
        ((0.0, 0.5, float("nan")), "not finite"),
    ],
)
def test_float_grey_is_scaled_from_0_to_1(
    values: tuple[float, ...], words: str, tmp_path: Path
) -> None:
    frames = np.zeros((3, 32, 96), np.float32)
    for number, value in enumerate(values):
        frames[:, :, 32 * number : 32 * number + 32] = value
    path = write_video(
        tmp_path / "depth.mov", frames, codec="exr", pixels="grayf32le", given="grayf32le"
    )

    if words:
        with pytest.raises(DataError, match=words):
            probe_video(path)
        return
    assert probe_video(path).notes == ("float grey, scaled from 0..1",)
    frame = read_frames(path, [1], decoder="pyav")[0]
    assert [frame[0, column, 0] for column in (0, 40, 80)] == [0, 128, 255]
