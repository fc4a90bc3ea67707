"""Folders of frames are found wherever they lie, unless the tree contains video files."""

from pathlib import Path

from tests.data.make_frames import touch_all, write_frame_folder
from videomae_cli.data.layouts import detect_layout, scan_layout
from videomae_cli.data.layouts.frame_folders import find_frame_folders

FRAMES = [f"img_{number:05d}.jpg" for number in range(1, 5)]


def paths(*names: str) -> list[Path]:
    return [Path(name) for name in names]


def test_folders_of_frames_are_found_at_every_depth(tmp_path: Path) -> None:
    for name in ("train/run/b", "train/run/a", "val/sit/c", "loose"):
        touch_all(tmp_path / name, FRAMES)
    touch_all(tmp_path / ".cache/run/d", FRAMES)
    touch_all(tmp_path / "val/sit", ["labels.txt"])

    assert find_frame_folders(tmp_path) == paths("loose", "train/run/a", "train/run/b", "val/sit/c")
    assert find_frame_folders(tmp_path / "loose") == [Path()]


def test_only_folders_with_a_series_are_found(tmp_path: Path) -> None:
    touch_all(tmp_path / "frames", FRAMES)
    touch_all(tmp_path / "single", FRAMES[:1])
    touch_all(tmp_path / "photos", ["beach.jpg", "tree.jpg"])
    touch_all(tmp_path / "hidden", ["._img_1.jpg", "._img_2.jpg", ".a.mp4"])
    touch_all(tmp_path / "many", [f"{video}_{n}.jpg" for video in "ab" for n in range(3)])

    assert find_frame_folders(tmp_path) == paths("frames", "many")


def test_images_beside_video_files_are_not_videos(tmp_path: Path) -> None:
    touch_all(tmp_path / "run/v0", FRAMES)
    touch_all(tmp_path / "run", ["v0.MP4"])
    touch_all(tmp_path / "sit/thumbs", FRAMES)

    assert find_frame_folders(tmp_path) == []
    assert find_frame_folders(tmp_path / "sit") == paths("thumbs")


def test_other_data_beside_the_frames_are_left_out(tmp_path: Path) -> None:
    for name in ("a/rgb", "a/depth", "a/flow_x", "b", "b/Masks", "c/depth", "d/left", "d/right"):
        touch_all(tmp_path / name, FRAMES)

    assert find_frame_folders(tmp_path) == paths("a/rgb", "b", "c/depth", "d/left", "d/right")


def test_links_are_followed_and_no_folder_is_entered_twice(tmp_path: Path) -> None:
    touch_all(tmp_path / "elsewhere/x", FRAMES)
    source = tmp_path / "source"
    touch_all(source / "a", FRAMES)
    (source / "b").symlink_to(tmp_path / "elsewhere")
    (source / "a/loop").symlink_to(source)

    assert find_frame_folders(source) == paths("a", "b/x")


def test_class_folders_and_splits_of_frame_folders_are_read(tmp_path: Path) -> None:
    truth = {}
    for split in ("train", "val"):
        for label in ("run", "sit"):
            for clip in ("v0", "v1"):
                write_frame_folder(tmp_path / split / label / clip, 3, height=16, width=16)
                truth[f"{split}/{label}/{clip}"] = (split, label)

    assert detect_layout(tmp_path).name == "class-folders"
    entries = scan_layout(tmp_path, "class-folders").entries
    assert {entry.path: (entry.split, entry.label) for entry in entries} == truth
