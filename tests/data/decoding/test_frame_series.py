"""The frames of a folder are found by their numbers, or the folder is refused with the reason."""

import os
import random
from pathlib import Path

import pytest

from tests.data.make_frames import touch_all
from videomae_cli.data.decoding.frame_series import find_frames
from videomae_cli.errors import DataError

# folder -> the names in it, in the order of their frames
NUMBERINGS = {
    "mmaction": [f"img_{number:05d}.jpg" for number in range(1, 13)],
    "kinetics": [f"image_{number:05d}.JPG" for number in range(1, 4)],
    "zero": [f"frame{number:04d}.png" for number in range(11)],
    "jester": [f"{number:05d}.jpg" for number in range(1, 38)],
    "unpadded": [f"{number}.jpg" for number in range(12)],
    "overflow": [f"f{number:02d}.bmp" for number in range(97, 103)],
    "anywhere": [f"clip7-{number}.webp" for number in range(598, 605)],
    "digits around": [f"v2_cam01_{number:06d}_256x256.jpeg" for number in range(3)],
    "mixed case": ["a1.jpg", "a2.JPG", "a3.Jpg"],
    "one": ["img_00001.jpg"],
    "dots": [f"S01.E02.{number}.png" for number in range(9, 12)],
    "hash and blanks": [f"my clip #1 - {number}.jpg" for number in range(8, 12)],
    "not ascii": [f"\u5f71\u50cf{number}\u756a.jpg" for number in range(8, 12)],
    "not utf-8": [os.fsdecode(b"caf\xe9_%d.jpg" % number) for number in range(8, 12)],
}
# names -> words of the error
REFUSED = {
    "gap": ([f"img_{n:05d}.jpg" for n in (1, 2, 4, 5, 7)], "img_00003.jpg is missing: 5 images"),
    "two": (["1.jpg", "3.jpg"], "2.jpg is missing"),
    "gap in steps": ([f"{n}.jpg" for n in (0, 10, 20, 40)], "30.jpg is missing"),
    "timestamps": ([f"{n}.png" for n in (1403, 1436, 1469, 1503)], "1502.png is missing"),
    "same number": (["1.jpg", "01.jpg", "2.jpg"], "same number"),
    "nothing": ([], "no numbered images; it contains nothing"),
    "no images": (["a.txt", "b.txt", "c.dcm"], "it contains 2 .txt, 1 .dcm"),
    "no numbers": (["cover.jpg", "poster.jpg"], "it contains 2 .jpg"),
    "hidden": ([".img_00001.jpg", "._img_00002.jpg"], "it contains nothing"),
    "two endings": (
        ["f1.jpg", "f2.jpg", "f1.png", "f2.png"],
        r"2 series .*: f%d\.jpg \(2 images\), f%d\.png",
    ),
    "two cameras": ([f"{c}_{n}.jpg" for c in "ab" for n in range(3)], r"a_%d\.jpg \(3 images\)"),
    "many videos": ([f"Abuse{v}_x264_{n}.png" for v in (1, 2) for n in (0, 10)], "2 series"),
    "flow only": ([f"flow_{d}_{n}.jpg" for d in "xy" for n in range(3)], "2 series"),
    "a stray": (["1.jpg", *(f"flow_x_{n}.jpg" for n in range(9))], "2 series"),
    "copies": (["1.jpg", "2.jpg", "1 (1).jpg", "2 (1).jpg"], "2 series"),
    "seconds": ([f"{n // 3}.{n % 3}.jpg" for n in range(9)], "3 series"),
}


def test_frames_are_found_and_ordered_by_number(tmp_path: Path) -> None:
    wrong = {}
    for folder, names in NUMBERINGS.items():
        touch_all(tmp_path / folder, [*reversed(names), "Thumbs.db", ".DS_Store", "n_frames.txt"])
        found = find_frames(tmp_path / folder)
        if list(found.names) != names or found.notes:
            wrong[folder] = found

    assert wrong == {}


def test_any_numbering_is_found_and_any_gap_is_refused(tmp_path: Path) -> None:
    rng = random.Random(0)
    texts = ["", "img_", "frame", "v1_x-", "a b ", "2024-05-01_", "(", "%d_", "\u96ea", "S1.E2."]
    endings = ["", "_640x480", " (1)", "_rgb", ".v2"]
    for trial in range(200):
        prefix, after = rng.choice(texts), rng.choice(endings)
        suffix = rng.choice([".jpg", ".JPEG", ".png", ".WebP", ".bmp"])
        width, first, count = rng.randrange(7), rng.choice([0, 1, 8, 95, 99999]), rng.randint(3, 20)
        numbers = range(first, first + count)
        names = [f"{prefix}{number:0{width}d}{after}{suffix}" for number in numbers]
        folder = touch_all(tmp_path / str(trial), rng.sample(names, count))
        if rng.random() < 0.5:
            touch_all(folder, ["notes.txt", "1.mp4", ".hidden_1.jpg"])

        assert find_frames(folder)[1:] == (tuple(names), first, ()), names

        missing = names[rng.randrange(1, count - 1)]
        (folder / missing).unlink()
        if count > 3:
            with pytest.raises(DataError) as caught:
                find_frames(folder)
            assert f"{missing} is missing" in caught.value.message


def test_a_folder_that_is_not_one_video_is_refused(tmp_path: Path) -> None:
    for folder, (names, words) in REFUSED.items():
        touch_all(tmp_path / folder, names)
        with pytest.raises(DataError, match=words) as caught:
            find_frames(tmp_path / folder)
        assert caught.value.message.startswith(str(tmp_path / folder)), folder


def test_rgb_frames_are_chosen_beside_flow_and_the_rest_is_named(tmp_path: Path) -> None:
    folder = touch_all(tmp_path, [f"img_{number:05d}.jpg" for number in range(1, 6)])
    touch_all(folder, [f"flow_{axis}_{number:05d}.jpg" for axis in "xy" for number in range(1, 5)])
    touch_all(folder, ["cover.jpg"])

    found = find_frames(folder)

    assert list(found.names) == [f"img_{n:05d}.jpg" for n in range(1, 6)]
    assert found.notes == (
        "other images, which are not read (flow_x_%05d.jpg, flow_y_%05d.jpg)",
        "images without a number, which are not read",
    )


@pytest.mark.parametrize(
    ("frames", "others"),
    [
        ("{}.jpg", "x_{}.jpg"),
        ("rgb_{}.png", "nir_{}.png"),
        ("frame{}.jpg", "frame{}_mask.png"),
        ("color-{}.png", "depth-{}.png"),
        ("IMG{}.jpg", "thumb{}.jpg"),
    ],
)
def test_the_names_of_rgb_frames_are_recognised(tmp_path: Path, frames: str, others: str) -> None:
    names = [frames.format(number) for number in range(8, 12)]
    touch_all(tmp_path, [*names, *(others.format(number) for number in range(8, 12))])

    assert list(find_frames(tmp_path).names) == names


def test_equal_steps_are_noted(tmp_path: Path) -> None:
    touch_all(tmp_path, [f"{number}.jpg" for number in (0, 10, 20, 30)])

    found = find_frames(tmp_path)

    assert found.names == ("0.jpg", "10.jpg", "20.jpg", "30.jpg")
    assert found.notes == ("frames numbered in steps of 10",)


def test_a_broken_link_is_a_missing_frame_and_not_the_end(tmp_path: Path) -> None:
    touch_all(tmp_path, ["1.jpg", "2.jpg"])
    (tmp_path / "3.jpg").symlink_to(tmp_path / "gone")

    with pytest.raises(DataError, match=r"3\.jpg is a broken link"):
        find_frames(tmp_path)


def test_folders_with_the_name_of_an_image_are_no_frames(tmp_path: Path) -> None:
    touch_all(tmp_path, ["1.jpg", "2.jpg"])
    (tmp_path / "3.jpg").mkdir()
    (tmp_path / "flow").mkdir()

    assert list(find_frames(tmp_path).names) == ["1.jpg", "2.jpg"]
    (tmp_path / "1.jpg").unlink()
    (tmp_path / "2.jpg").unlink()
    with pytest.raises(DataError, match="no numbered images; it contains 2 folders"):
        find_frames(tmp_path)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        find_frames(tmp_path / "gone")
