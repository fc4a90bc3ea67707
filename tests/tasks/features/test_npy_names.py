"""File names of features, one file per video."""

from videomae_cli.data.manifest import Video
from videomae_cli.tasks.features.per_video import name_files


def name(*paths: str) -> list[str]:
    videos = [Video(path, None, "", 8, 25.0, 32, 32, "pyav") for path in paths]
    return [file.removeprefix("npy/") for file in name_files(videos)]


def test_a_file_is_named_after_its_video_and_never_used_for_two_videos() -> None:
    assert name("a.mp4", "b/a.mp4") == ["a.npy", "b/a.npy"]
    assert name("a.mp4", "a.avi", "b.mp4") == ["a.mp4.npy", "a.avi.npy", "b.npy"]
    for paths in (
        ("a.mp4", "a.avi", "a.mp4.avi"),
        ("a:b.mp4", "a_b.mp4"),
        ("../z.mp4", "_/z.mp4", "/z.mp4", "z.mp4"),
        ("a.mp4", "A.mp4", "a.MP4"),
        ("a:b.mp4", "a_b.mp4", "a_b.mp4-2.avi"),
    ):
        names = name(*paths)
        assert len({one.casefold() for one in names}) == len(paths), names
