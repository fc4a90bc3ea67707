"""A folder with several data sets is not guessed, and one without any is read as before."""

from pathlib import Path

import pytest

from tests.data.layouts.datasets.trees import (
    place_empty_videos,
    write_diving48,
    write_kinetics,
)
from tests.data.layouts.prepared import place_texts
from videomae_cli.data.layouts import detect_layout
from videomae_cli.data.layouts.video_entry import Reading
from videomae_cli.errors import DataError


def test_two_data_sets_in_one_folder_are_an_error(tmp_path: Path) -> None:
    write_kinetics(tmp_path / "k400")
    write_diving48(tmp_path / "diving48")

    with pytest.raises(DataError, match="the lists of 2 data sets") as caught:
        detect_layout(tmp_path)

    assert caught.value.hint.endswith("--layout kinetics or diving48")
    assert detect_layout(tmp_path / "k400").name == "kinetics"


def test_lists_that_only_have_similar_names_are_not_of_a_data_set(tmp_path: Path) -> None:
    texts = {
        "trainlist01.txt": "run/1.mp4 0\n",
        "run_test_split1.txt": "run/1.mp4 some words\n",
        "train.json": '[{"id": "1", "label": "run"}]',
        "train.csv": "youtube_id,label\nabcdefghijk,run\n",
        "sub/metadata.csv": "file_name,label\n1.mp4,run\n",
    }
    place_empty_videos(tmp_path, "run/1.mp4", "run/2.mp4", "sit/3.mp4", "sit/4.mp4")
    for name, text in texts.items():
        folder = tmp_path / name.replace("/", "-")
        place_texts(folder, {name: text})
        place_empty_videos(folder, "run/1.mp4", "run/2.mp4", "sit/3.mp4")

        layout = detect_layout(folder).name

        assert layout in ("class-folders", "table", "list-label"), name


def test_named_columns_mean_a_table(tmp_path: Path) -> None:
    path = write_kinetics(tmp_path) / "annotations/val.csv"
    path.write_text("label,youtube_id,time_start,time_end\nrun,a,0,0\nsit,b,0,0\n")

    assert detect_layout(path).name == "kinetics"
    assert detect_layout(path, Reading(label_column="label")).name == "table"
