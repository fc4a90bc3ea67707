"""A name without suffix is found below the root only if exactly one video has it."""

from pathlib import Path

from videomae_cli.data.ingest.path_repair import repair_paths
from videomae_cli.data.layouts.video_entry import VideoEntry

ID = "-0qVS0E3ku4"


def repair(root: Path, name: str, *files: str) -> tuple[str, list[str]]:
    """Return the path that a listed name gets when the root contains these files."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    (root / "list.txt").write_text(f"{name} 0\n")
    entries, remarks = repair_paths([VideoEntry(name, 0, None, root / "list.txt", 1)], root)
    return entries[0].path, remarks


def test_an_id_is_found_in_class_folders_with_and_without_times(tmp_path: Path) -> None:
    clip = f"train/zumba/{ID}_000010_000020.mp4"

    path, remarks = repair(tmp_path, ID, clip, "train/zumba/other.mp4")

    assert path == clip
    assert remarks == [
        "1 of 1 paths: the videos are found by their names in the folders below the root, because"
        f" only that file exists ({ID!r} is {clip!r})"
    ]
    assert repair(tmp_path, f"{ID}_000010_000020")[0] == clip
    assert repair(tmp_path, "other")[0] == "train/zumba/other.mp4"


def test_an_id_of_two_videos_is_not_guessed(tmp_path: Path) -> None:
    clips = [f"a/{ID}_000010_000020.mp4", f"b/{ID}_000030_000040.mp4"]

    assert repair(tmp_path, ID, *clips) == (ID, [])
    assert repair(tmp_path, f"{ID}_000030_000040")[0] == clips[1]


def test_paths_and_names_with_a_suffix_are_not_searched(tmp_path: Path) -> None:
    assert repair(tmp_path, "clip.mp4", "a/clip.mp4")[0] == "clip.mp4"
    assert repair(tmp_path, "b/clip")[0] == "b/clip"


def test_hidden_and_very_deep_folders_are_not_searched(tmp_path: Path) -> None:
    assert repair(tmp_path, "one", ".trash/one.mp4", "a/b/c/d/one.mp4")[0] == "one"
    assert repair(tmp_path, "two", "a/b/c/two.mp4")[0] == "a/b/c/two.mp4"
