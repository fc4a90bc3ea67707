"""Frames of a folder are read as a viewer shows them, or refused with the name of the image."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps, features

from tests.data.make_clips import moving_square, write_clip
from tests.data.make_frames import write_frame_folder
from videomae_cli.data.decode import check_file, read_frames
from videomae_cli.data.decoding import frame_folder, video_info
from videomae_cli.data.decoding.frame_folder import read_image
from videomae_cli.data.decoding.video_info import VideoInfo, probe_video
from videomae_cli.data.health.facts import UNKNOWN
from videomae_cli.errors import DataError

ORDERS = [[0], [29], [3, 4, 5], [1, 9, 17, 25], [25, 3, 3, 14, 0]]
PIXELS = moving_square(1, 48, 64)[0]


@pytest.mark.parametrize("pattern", ["img_{:05d}.png", "{}.bmp", "frame{}.PNG"])
def test_frames_come_by_number_in_the_order_asked_for(tmp_path: Path, pattern: str) -> None:
    source = moving_square(30, 48, 64)
    folder = write_frame_folder(tmp_path, source, pattern=pattern, first=0)

    for order in ORDERS:
        frames = read_frames(folder, order, decoder="frames")

        assert frames.dtype == np.uint8
        assert np.array_equal(frames, source[order])


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "webp"])
def test_lossy_frames_are_close_and_in_order(tmp_path: Path, ending: str) -> None:
    if not features.check("webp") and ending == "webp":
        pytest.skip("this Pillow has no WebP")
    source = moving_square(12, 48, 64)
    folder = write_frame_folder(tmp_path, source, pattern=f"{{}}.{ending}")

    for number, frame in enumerate(read_frames(folder, range(12), decoder="frames")):
        assert np.abs(source.astype(int) - frame).mean(axis=(1, 2, 3)).argmin() == number


def test_probing_counts_frames_and_says_that_the_frame_rate_is_unknown(tmp_path: Path) -> None:
    folder = write_frame_folder(tmp_path, 7, height=50, width=70)

    info = probe_video(folder)._replace(moments=(), health=UNKNOWN)

    assert info == VideoInfo(7, 0.0, 70, 50, notes=("an unknown frame rate",))


def test_frames_past_the_end_are_an_error(tmp_path: Path) -> None:
    folder = write_frame_folder(tmp_path, 7)

    for numbers in ([0, 7], [40], [-1], []):
        with pytest.raises(DataError, match=str(folder)):
            read_frames(folder, numbers, decoder="frames")


def test_files_and_folders_have_decoders_of_their_own(tmp_path: Path) -> None:
    folder = write_frame_folder(tmp_path / "frames", 3)
    file = write_clip(tmp_path / "clip.mp4", 3)

    for path, decoder in ((folder, "decord"), (folder, "pyav"), (file, "frames")):
        with pytest.raises(DataError, match=f"which the decoder '{decoder}' cannot read"):
            read_frames(path, [0], decoder=decoder)
    with pytest.raises(DataError, match="No such file"):
        check_file(tmp_path / "gone", "frames")


def test_an_image_of_another_size_is_named(tmp_path: Path) -> None:
    folder = write_frame_folder(tmp_path, 5)
    Image.new("RGB", (80, 65)).save(folder / "img_00004.png")

    for attempt in (
        lambda: probe_video(folder),
        lambda: read_frames(folder, [0, 3], decoder="frames"),
    ):
        with pytest.raises(DataError, match=r"img_00004\.png has 80 x 65 pixels, .* 80 x 64"):
            attempt()
    assert read_frames(folder, [0, 4], decoder="frames").shape == (2, 64, 80, 3)


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_damaged_images_are_named(tmp_path: Path, kind: str) -> None:
    folder = write_frame_folder(tmp_path, 3)
    noise = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    whole = encode(Image.fromarray(noise), kind)
    bad = folder / "img_00002.png"

    half = whole[: len(whole) // 2]
    contents = [half, whole[:40], b"", b"<html>", bytes(range(256))]
    if kind in ("JPEG", "PNG"):  # zeros are valid data in the others
        contents.append(half + bytes(len(half)))
    for content in contents:
        bad.write_bytes(content)
        with pytest.raises(DataError) as caught:
            probe_video(folder)
        assert caught.value.message.startswith(str(bad))


def test_zeros_after_the_end_of_a_jpeg_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "1.jpg"
    path.write_bytes(encode(Image.fromarray(PIXELS), "JPEG") + bytes(100))

    assert read_image(path).shape == PIXELS.shape


def test_damaged_images_of_any_kind_raise_no_other_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "1.png"
    for kind in ("JPEG", "PNG", "WEBP", "BMP"):
        whole = np.frombuffer(encode(Image.fromarray(PIXELS), kind), np.uint8)
        for _ in range(60):
            content = whole.copy()
            content[rng.integers(0, len(content), 3)] = rng.integers(0, 256, 3)
            path.write_bytes(content.tobytes())
            try:
                assert read_image(path).dtype == np.uint8
            except DataError as error:
                assert error.message.startswith(str(path))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_photo_is_applied(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("PNG", "JPEG", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        path = tmp_path / "1.jpg"
        path.write_bytes(encode(Image.fromarray(PIXELS), kind, exif=exif, **options))

        expected = ImageOps.exif_transpose(Image.open(path))
        pixels = read_image(path)

        assert np.array_equal(pixels, np.asarray(expected))
        assert (pixels.shape[:2] == (64, 48)) == (orientation > 4)
        if kind == "PNG":
            assert np.array_equal(pixels, PIXELS) == (orientation == 1)


@pytest.mark.filterwarnings("error")
def test_damaged_metadata_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "1.jpg"
    for exif in (
        b"Exif\0\0x",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
    ):
        path.write_bytes(encode(Image.fromarray(PIXELS), "JPEG", exif=exif))

        assert read_image(path).shape == PIXELS.shape


def test_other_kinds_of_pixels_become_rgb(tmp_path: Path) -> None:
    grey = Image.fromarray(PIXELS).convert("L")
    values = np.asarray(grey)
    deep = Image.fromarray(values.astype(np.uint16) * 256 + 255)
    cases = {
        "L.png": (grey, values),
        "1.png": (grey.convert("1"), np.asarray(grey.convert("1")) * np.uint8(255)),
        "I;16.png": (deep, values),
        "P.png": (grey.convert("P"), values),
    }
    for name, (image, expected) in cases.items():
        image.save(tmp_path / name)

        assert np.array_equal(read_image(tmp_path / name), np.stack([expected] * 3, axis=2)), name


def test_16_bits_of_colour_keep_the_high_byte(tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    rows = (PIXELS.astype(">u2") * 256 + 200).astype(">u2")
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", 64, 48, 16, 2, 0, 0, 0)
    path = tmp_path / "1.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )

    assert np.array_equal(read_image(path), PIXELS)


def test_16_bits_of_grey_are_noted(tmp_path: Path) -> None:
    for number in (1, 2):
        grey = np.full((48, 64), 30000 * number, np.uint16)
        Image.fromarray(grey).save(tmp_path / f"{number}.png")

    assert probe_video(tmp_path).notes == (
        "an unknown frame rate",
        "16-bit grey, scaled from 0..65535",
    )
    assert read_frames(tmp_path, [0, 1], decoder="frames")[:, 0, 0, 0].tolist() == [117, 234]
    for number in (1, 2):
        Image.fromarray(grey // 16).save(tmp_path / f"{number}.png")
    with pytest.raises(DataError, match=r"no value above 3839.*almost black"):
        probe_video(tmp_path)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_lie_over_white(tmp_path: Path, mode: str) -> None:
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, :32], alpha[:24, 40:] = 0, 128
    image = Image.fromarray(np.dstack([np.full((48, 64, 3), 60, np.uint8), alpha]))
    if mode == "P":
        image = Image.fromarray((alpha == 0).astype(np.uint8), "P")
        image.putpalette([60, 60, 60, 9, 9, 9])
        image.save(tmp_path / "1.png", transparency=1)
    else:
        image.convert(mode).save(tmp_path / "1.png")

    pixels = read_image(tmp_path / "1.png")

    assert (pixels[:, :32] == 255).all()
    assert (pixels[30:, 40:] == 60).all()
    if mode != "P":
        assert (np.abs(pixels[:24, 40:].astype(int) - 157) <= 1).all()


def test_cmyk_is_converted(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).convert("CMYK").save(tmp_path / "1.jpg", quality=95)

    assert np.abs(read_image(tmp_path / "1.jpg").astype(int) - PIXELS).mean() < 3


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animation_is_not_a_frame(tmp_path: Path, kind: str) -> None:
    images = [Image.fromarray(pixels) for pixels in moving_square(3, 48, 64)]
    images[0].save(tmp_path / "1.png", kind, save_all=True, append_images=images[1:])

    with pytest.raises(DataError, match=r"1\.png is an animation of 3 images"):
        read_image(tmp_path / "1.png")


def test_a_photo_with_a_preview_is_a_frame(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS)
    image.save(tmp_path / "1.jpg", "MPO", save_all=True, append_images=[image.resize((8, 6))])

    assert read_image(tmp_path / "1.jpg").shape == PIXELS.shape


def test_too_many_pixels_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (20000, 20000)).save(tmp_path / "1.png")
    Image.new("1", (8192, 8192)).save(tmp_path / "2.png")
    monkeypatch.setattr(frame_folder, "_to_rgb", None)

    with pytest.raises(DataError, match=r"2\.png: frames of 8192 x 8192 pixels"):
        read_image(tmp_path / "2.png")
    with pytest.raises(DataError, match=r"1\.png cannot be decoded: .*400000000 pixels"):
        read_image(tmp_path / "1.png")
    assert video_info.MAX_PIXELS == 7680 * 4320
