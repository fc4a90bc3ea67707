"""Sources of clips: from a column, and guessed from names; leaks between splits are named."""

from pathlib import Path

import numpy as np
import pytest

from videomae_cli.data.manifest import Manifest, Video, write_manifest
from videomae_cli.errors import DataError, UsageError
from videomae_cli.tasks.probe.sources import find_leaks, guess_sources, read_sources


def video(path: str, split: str = "train") -> Video:
    return Video(path, 0, split, 10, 25.0, 64, 48, "pyav")


def videos(*paths: str) -> list[Video]:
    return [video(path) for path in paths]


def prepared(folder: Path, rows: list[Video], source: Path) -> Manifest:
    return write_manifest(
        folder, root=folder, videos=rows, classes=["a", "b"], facts={"source": str(source)}
    )


@pytest.mark.parametrize(
    ("paths", "groups"),
    [
        (["a/v_Run_g01_c03.avi", "a/v_Run_g01_c04.avi", "a/v_Run_g02_c01.avi"], [0, 0, 1]),
        (["a/fi005_1.mp4", "b/fi005_2.mp4", "a/fi005_3.mp4"], [0, 1, 0]),
        (["x9dQ_000010_000020.mp4", "x9dQ_000030_000040.mp4", "z_000010_000020.mp4"], [0, 0, 1]),
        (["a1-2.mp4", "a1-3.mp4", "b.mp4"], [0, 0, 1]),
        (
            ["ann-1.avi", "ann-2.avi", "bob-1.avi", "bob-2.avi", "cy-1.avi", "cy-2.avi"],
            [0, 0, 1, 1, 2, 2],
        ),
        (["p1/x.mp4", "p1/y.mp4", "p2/z.mp4", "p3/u.mp4"], [0, 0, 1, 2]),
    ],
)
def test_names_that_suggest_a_source(paths: list[str], groups: list[int]) -> None:
    group_V = guess_sources(videos(*paths), ("a", "b"))

    assert group_V is not None and group_V.tolist() == groups


@pytest.mark.parametrize(
    "paths",
    [
        ["fight/fi005.mp4", "fight/fi006.mp4", "noFight/nofi004.mp4", "noFight/nofi005.mp4"],
        ["1.webm", "2.webm", "3.webm"],
        ["a/x.mp4", "a/y.mp4", "b/x.mp4"],
        ["a_1.mp4", "a_2.mp4", "b_1.mp4", "b_2.mp4"],  # one beginning for each class
    ],
)
def test_names_that_suggest_no_source(paths: list[str]) -> None:
    assert guess_sources(videos(*paths), ("a", "b")) is None


@pytest.mark.parametrize(
    ("decoder", "suffix"), [("h264", ".mp4"), ("jpeg", ".mjpeg"), ("uint8", ".npy")]
)
def test_written_videos_have_the_sources_of_their_names(decoder: str, suffix: str) -> None:
    names = ["v_Run_g01_c01.avi", "v_Run_g01_c02.avi", "v_Run_g02_c01.avi"]
    rows = [Video(name, 0, "train", 9, 25.0, 64, 64, "pyav") for name in names]
    written = [row._replace(path=f"videos/{row.path}{suffix}", decoder=decoder) for row in rows]

    for videos in (rows, written):
        groups = guess_sources(videos, ["Run"])
        assert groups is not None and groups.tolist() == [0, 0, 1]


def test_segments_of_a_file_share_their_source() -> None:
    row = Video("party.mp4", 0, "train", 9, 25.0, 64, 64, "pyav", None, 0)
    videos = [row, row._replace(start=20), row._replace(path="zoo.mp4"), row._replace(start=50)]

    groups = guess_sources(videos, ["a", "b", "c", "d", "e"])

    assert groups is not None and groups.tolist() == [0, 0, 1, 0]


def test_a_column_of_the_prepared_list_gives_the_sources(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("path,label,Scene\na/1.mp4,a,x\na/2.mp4,b,y\na/3.mp4,a,x\na/4.mp4,b,\n")
    rows = videos("a/1.mp4", "a/2.mp4", "a/3.mp4", "a/4.mp4")
    manifest = prepared(tmp_path / "data", rows, table)

    by_name = read_sources(manifest, rows, "Scene")
    by_file = read_sources(manifest, rows, f"{table}:scene")

    assert by_name.tolist() == by_file.tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize("written", ["/data/a/1.mp4", "a/1", "1.mp4", "1"])
def test_paths_of_another_list_may_be_written_otherwise(tmp_path: Path, written: str) -> None:
    table = tmp_path / "groups.csv"
    table.write_text(f"file,person\n{written},ann\nb/2.mp4,bob\n")
    rows = videos("a/1.mp4", "b/2.mp4")
    manifest = prepared(tmp_path / "data", rows, tmp_path / "away.csv")

    assert read_sources(manifest, rows, f"{table}:person").tolist() == [0, 1]


def test_a_name_that_two_sources_share_identifies_neither(tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("path,person\nx/1.mp4,ann\ny/1.mp4,bob\n")
    rows = videos("a/1.mp4")
    manifest = prepared(tmp_path / "data", rows, table)

    with pytest.raises(DataError, match=r"no row for 1 of 1 videos, such as a/1\.mp4"):
        read_sources(manifest, rows, "person")


def test_a_missing_column_or_list_is_named_with_the_columns_that_exist(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("path,label,scene\na/1.mp4,a,x\n")
    rows = videos("a/1.mp4")
    manifest = prepared(tmp_path / "data", rows, table)

    with pytest.raises(UsageError, match="has no column 'person'") as caught:
        read_sources(manifest, rows, "person")
    assert "path, label, scene" in caught.value.hint
    with pytest.raises(UsageError, match=r"no list .*away\.csv"):
        read_sources(manifest, rows, f"{tmp_path / 'away.csv'}:scene")
    with pytest.raises(UsageError, match="that the data came from"):
        read_sources(manifest._replace(folder=None), rows, "scene")


def test_one_source_in_train_and_val_is_named_with_an_example(tmp_path: Path) -> None:
    rows = [video("a/r_g01_c1.avi"), video("a/r_g01_c2.avi", "val"), video("b/s_g02_c1.avi", "val")]
    manifest = prepared(tmp_path / "data", rows, tmp_path / "away")

    guess = list(find_leaks(manifest, rows, None, "val"))
    given = list(find_leaks(manifest, rows, np.array([0, 0, 1]), "val"))
    clean = list(find_leaks(manifest, rows, np.array([0, 1, 1]), "val"))

    assert len(guess) == 2 and "random folds separate them" in guess[0]
    assert "1 of 2 sources probably have clips in train and in val" in guess[1]
    assert given == [
        "leak: 1 of 2 sources have clips in train and in val (a/r_g01_c1.avi in train,"
        " a/r_g01_c2.avi in val): a model can recognise the source; split by source"
    ]
    assert clean == []


def test_a_column_that_sounds_like_a_source_is_suggested(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("path,label,subject id\na/x.mp4,a,7\nb/y.mp4,b,8\n")
    rows = videos("a/x.mp4", "b/y.mp4")
    manifest = prepared(tmp_path / "data", rows, table)

    assert list(find_leaks(manifest, rows, None, "val")) == [
        "leak: random folds can separate clips of one source; the list has a column 'subject id':"
        " --group-column 'subject id'"
    ]
