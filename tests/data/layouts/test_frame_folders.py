"""Folders of frames are found wherever they lie, and a list's frame counts are compared."""

from pathlib import Path

from tests.data.make_frames import touch_all
from videomae_cli.data.layouts.frame_folders import (
    FrameTree,
    find_frame_folders,
    find_range_problem,
    search_frame_folders,
)

FRAMES = [f"img_{number:05d}.jpg" for number in range(1, 5)]


def paths(*names: str) -> list[Path]:
    return [Path(name) for name in names]


def test_folders_of_frames_are_found_at_every_depth(tmp_path: Path) -> None:
    for name in ("train/run/b", "train/run/a", "val/sit/c", "loose"):
        touch_all(tmp_path / name, FRAMES)
    touch_all(tmp_path / ".cache/run/d", FRAMES)
    touch_all(tmp_path / "val/sit", ["labels.txt"])

    tree = search_frame_folders(tmp_path)

    assert tree == FrameTree(paths("loose", "train/run/a", "train/run/b", "val/sit/c"), [], [])
    assert tree.is_frame_folders
    assert find_frame_folders(tmp_path) == tree.frame_folders
    assert find_frame_folders(tmp_path / "loose") == [Path()]


def test_folders_that_are_no_frames_are_returned_too(tmp_path: Path) -> None:
    touch_all(tmp_path / "frames", FRAMES)
    touch_all(tmp_path / "single", FRAMES[:1])
    touch_all(tmp_path / "photos", ["beach.jpg", "tree.jpg"])
    touch_all(tmp_path / "beside", [*FRAMES, "clip.MP4"])
    touch_all(tmp_path / "hidden", ["._img_1.jpg", "._img_2.jpg", ".a.mp4"])
    touch_all(tmp_path / "many", [f"{video}_{n}.jpg" for video in "ab" for n in range(3)])

    tree = search_frame_folders(tmp_path)

    assert tree.frame_folders == paths("frames", "many")
    assert tree.other_image_folders == paths("beside", "photos", "single")
    assert tree.video_folders == paths("beside")
    assert not tree.is_frame_folders
    assert not search_frame_folders(tmp_path / "photos").is_frame_folders


def test_links_are_followed_and_no_folder_is_entered_twice(tmp_path: Path) -> None:
    touch_all(tmp_path / "elsewhere/x", FRAMES)
    source = tmp_path / "source"
    touch_all(source / "a", FRAMES)
    (source / "b").symlink_to(tmp_path / "elsewhere")
    (source / "a/loop").symlink_to(source)

    assert find_frame_folders(source) == paths("a", "b/x")


def test_the_range_of_a_list_is_the_whole_folder(tmp_path: Path) -> None:
    touch_all(tmp_path / "a", [f"{number}.jpg" for number in range(17, 29)])
    touch_all(tmp_path / "gap", ["1.jpg", "2.jpg", "4.jpg"])
    cases = {
        ("a", 12, None): "",
        ("a", 12, 0): "",
        ("a", 12, 1): "",
        ("a", 12, 17): "",
        ("a", 11, None): "the list gives 11 frames, and the folder has 12",
        ("a", 13, 17): "the list gives 13 frames, and the folder has 12",
        ("a", 12, 18): "the list starts at frame 18, and the folder at 17",
        ("gap", 3, 1): "",
        ("gone", 3, 1): "",
    }

    problems = {
        (name, frames, start): find_range_problem(tmp_path / name, frames=frames, start=start)
        for name, frames, start in cases
    }

    wrong = {
        case: problem
        for case, problem in problems.items()
        if not problem.startswith(cases[case]) or bool(problem) != bool(cases[case])
    }
    assert wrong == {}
    assert problems["a", 11, None].endswith("a part of a folder is not supported yet")
