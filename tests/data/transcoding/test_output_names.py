"""Each source has an output of its own, inside the prepared directory."""

from fractions import Fraction
from pathlib import Path

import pytest

from videomae_cli.data.transcoding.geometry import find_frame_size
from videomae_cli.data.transcoding.output_names import MAX_NAME_BYTES, find_output_name
from videomae_cli.errors import DataError

ROOT = Path("/data/k400")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("run/a.mp4", "videos/run/a.mp4.mp4"),
        ("run/a.avi", "videos/run/a.avi.mp4"),
        ("./run//a.mp4", "videos/run/a.mp4.mp4"),
        ("/data/k400/run/a.mp4", "videos/run/a.mp4.mp4"),
        ("run/../sit/a, b.mp4", "videos/sit/a, b.mp4.mp4"),
        ("run/\udce9.mp4", "videos/run/\udce9.mp4.mp4"),
    ],
)
def test_a_source_below_the_root_keeps_its_name(path: str, name: str) -> None:
    assert find_output_name(path, ROOT, ".mp4") == name


def test_sources_outside_the_root_stay_apart_and_inside_the_directory() -> None:
    names = [
        find_output_name(path, ROOT, ".mp4")
        for path in ("/data/other/a.mp4", "/data/more/a.mp4", "../other/a.mp4", "/data/k400")
    ]

    assert names[0] == names[2]
    assert len(set(names)) == 3
    assert all(name.startswith("videos/outside-root/") and ".." not in name for name in names)


def test_a_name_that_is_too_long_is_replaced_by_a_digest() -> None:
    long, other = (f"run/{'ü' * 110}{end}.mp4" for end in "ab")

    names = {find_output_name(path, ROOT, ".mjpeg") for path in (long, other)}

    assert len(names) == 2
    assert all(len(name.rsplit("/", 1)[1]) < MAX_NAME_BYTES for name in names)


@pytest.mark.parametrize(
    ("size", "aspect", "short_side", "expected"),
    [
        ((1920, 1080), "1", 256, (456, 256)),
        ((340, 256), "1", 256, (340, 256)),
        ((320, 240), "1", 256, (320, 240)),
        ((341, 257), "1", 320, (340, 256)),
        ((720, 576), "64/45", 256, (456, 256)),
        ((1080, 1920), "1", 255, (254, 452)),
        ((144, 256), "1", 256, (142, 256)),
        ((576, 1024), "1", 144, (142, 256)),
        ((3, 3), "1", 256, (2, 2)),
        ((1000, 1), "1", 256, (1000, 2)),
    ],
)
def test_the_size_is_even_and_never_larger(
    size: tuple[int, int], aspect: str, short_side: int, expected: tuple[int, int]
) -> None:
    assert find_frame_size(*size, Fraction(aspect), short_side) == expected


def test_pixels_of_an_absurd_shape_are_refused() -> None:
    with pytest.raises(DataError, match="1:9 are not plausible"):
        find_frame_size(640, 480, Fraction(1, 9), 256)
