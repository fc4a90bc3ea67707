"""A video is found by its name wherever it is, but never in the folder of another class."""

from pathlib import Path

from tests.data.layouts.datasets.trees import place_empty_videos
from videomae_cli.data.layouts.datasets.file_lookup import Listed, Name, locate_videos
from videomae_cli.data.layouts.video_entry import Segment, VideoEntry

CLASSES = ("clap", "brush hair")


def locate(root: Path, *names: Name, path: str = "a.avi", label: str = "clap") -> VideoEntry:
    """Return the entry of one video of the class `clap` after its file was searched."""
    entry = VideoEntry(path, label, "val", root / "list.txt", 1)
    return locate_videos([Listed(entry, names)], root, CLASSES).entries[0]


def test_the_listed_path_is_preferred_to_the_name(tmp_path: Path) -> None:
    place_empty_videos(tmp_path, "clap/a.avi", "a.avi")

    assert locate(tmp_path, Name("a")).path == "a.avi"
    assert locate(tmp_path, Name("a"), path="old/a.avi").path == "clap/a.avi"


def test_a_file_in_the_folder_of_another_class_is_another_video(tmp_path: Path) -> None:
    place_empty_videos(tmp_path, "brush_hair/a.avi")

    assert locate(tmp_path, Name("a"), path="clap/a.avi").path == "clap/a.avi"
    assert locate(tmp_path, Name("a"), path="x/a.avi", label="brush hair").path == (
        "brush_hair/a.avi"
    )


def test_flow_is_not_taken_for_the_video(tmp_path: Path) -> None:
    place_empty_videos(tmp_path, "flow/clap/a/1.jpg", "rgb/clap/a/1.jpg")

    assert locate(tmp_path, Name("a")).path == "rgb/clap/a"


def test_a_file_of_the_split_is_preferred(tmp_path: Path) -> None:
    place_empty_videos(tmp_path, "train/a.mp4", "validation/a.mp4")

    assert locate(tmp_path, Name("a")).path == "validation/a.mp4"


def test_the_first_name_that_has_a_file_gives_the_part(tmp_path: Path) -> None:
    part = Segment(1.0, 2.0, "seconds")
    place_empty_videos(tmp_path, "long.mp4", ".cut.mp4")

    entry = locate(tmp_path, Name("cut"), Name("long", part))

    assert (entry.path, entry.segment) == ("long.mp4", part)
    place_empty_videos(tmp_path, "cut.mp4")
    assert locate(tmp_path, Name("cut"), Name("long", part)).segment is None


def test_thumbnails_beside_videos_are_no_frames(tmp_path: Path) -> None:
    place_empty_videos(tmp_path, "a/1.jpg", "a/b.mp4")

    assert locate(tmp_path, Name("a")).path == "a.avi"
