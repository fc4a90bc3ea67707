"""Lists on which an earlier version was wrong without a word: each is read right, or refused."""

import json
from pathlib import Path

import pytest

from tests.data.layouts.drawn_source import Truth
from tests.data.layouts.known_input import (
    CLASSES,
    CLIPS,
    Input,
    by_number,
    by_place,
    check_input,
    in_train,
    lines,
    truth_of,
)
from tests.data.layouts.prepared import place_clips, place_texts, prepare_source
from videomae_cli.data.manifest import read_manifest

NUMBERED = lines("{path} {number}")
FRENCH = {"jump": "sauter", "run": "courir", "wave": "éternuer"}
UNLABELLED_TEST = {
    clip.path: Truth((None, clip.name, str(clip.number)), ("test",), left_out=r"test\.txt")
    for clip in CLIPS
    if clip.place == 2
}

CASES = {
    "kinetics_labels.csv": Input(
        {"numbered.txt": NUMBERED, "meta/labels.csv": "id,name\n0,jump\n1,run\n2,wave\n"},
        truth_of(),
        classes=CLASSES,
        options={"classes": "meta/labels.csv"},
    ),
    "id2label.json": Input(
        {"numbered.txt": NUMBERED, "meta/id2label.json": json.dumps(dict(enumerate(CLASSES)))},
        truth_of(),
        classes=CLASSES,
        options={"classes": "meta/id2label.json"},
    ),
    "ucf0": Input(
        {"train.txt": lines("{path} {number}", (0, 1)), "test.txt": lines("{path}", (2,))},
        truth_of(by_number, in_train, (0, 1)) | UNLABELLED_TEST,
        refusal=r"test\.txt",
        source="lists",
    ),
    "dev": Input(
        {
            "train.txt": lines("{path} {number}", (0,)),
            "dev.txt": lines("{path} {number}", (1,)),
            "test.txt": lines("{path} {number}", (2,)),
        },
        truth_of(by_number, by_place),
        classes=("0", "1", "2"),
        source="lists",
    ),
    "mmaction2_multi.txt": Input(
        {"mmaction2_multi.txt": lines("{path} {number} {other}")},
        None,
        refusal="(several|two|more than one|multiple|multi).{0,9}label",
    ),
    "multi_cell.csv": Input(
        {"multi_cell.csv": "path,label\n" + lines('{path},"{name},{other_name}"')},
        None,
        refusal="(several|two|more than one|multiple|multi).{0,9}label",
    ),
    "scores.csv": Input(
        {"scores.csv": "path,label\n" + lines("{path},0.{position}7")},
        None,
        refusal="score|regression|target",
    ),
    "segments.csv": Input(
        {"segments.csv": "path,start,end,label\n" + lines("{path},0,2,{name}")},
        None,
        refusal=r"start, end seconds, milliseconds or frames.*--segment-unit",
    ),
    "quoted_space.csv": Input(
        {"quoted_space.csv": lines('"{path}" {number}')},
        truth_of(by_number),
        classes=("0", "1", "2"),
    ),
    "pandas_index.tsv": Input(
        {"pandas_index.tsv": "\tgroup\tlabel\tpath\n" + lines("{position}\t17\t{number}\t{path}")},
        truth_of(by_number),
        says=("group",),
    ),
    "jepa_double_colon.csv": Input(
        {"jepa_double_colon.csv": lines("{path}::{number}")}, truth_of(by_number)
    ),
    "cp1252.csv": Input(
        {
            "cp1252.csv": "".join(
                ["path;label\r\n", *(f"{clip.path};{FRENCH[clip.name]}\r\n" for clip in CLIPS)]
            ).encode("cp1252")
        },
        truth_of(lambda clip: FRENCH[clip.name]),
        refusal=r"cp1252\.csv:(8|9|10)\b",
        says=(r"cp\W?12\d\d|latin|iso|encoding|code page",),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_list_is_read_right_or_refused(name: str, tmp_path: Path) -> None:
    check_input(CASES[name], tmp_path)


def test_class_folders_and_a_list_agree_on_numbers(tmp_path: Path) -> None:
    numbers = list(range(12))
    paths = [f"{number}/c{number}_{k}.mp4" for number in numbers for k in range(2)]
    place_clips(tmp_path / "clips", paths)
    text = "".join(f"{path} {path.partition('/')[0]}\n" for path in paths)
    place_texts(tmp_path, {"train.txt": text})

    outcomes = {
        "folders": prepare_source(tmp_path / "clips", tmp_path / "a", tmp_path / "clips", paths),
        "list": prepare_source(
            tmp_path / "train.txt",
            tmp_path / "b",
            tmp_path / "clips",
            paths,
            root=tmp_path / "clips",
        ),
    }

    assert {name: one.refusal for name, one in outcomes.items()} == {"folders": "", "list": ""}
    for out in ("a", "b"):
        videos = read_manifest(tmp_path / out).videos
        wrong = [v for v in videos if str(v.label) != v.path.partition("/")[0]]
        assert not wrong and len(videos) == len(paths)
    assert outcomes["folders"].classes == outcomes["list"].classes == tuple(map(str, numbers))


def test_a_wrong_answer_is_seen(tmp_path: Path) -> None:
    shifted = Input({"numbered.txt": NUMBERED}, truth_of(lambda clip: str((clip.number + 1) % 3)))
    unnamed = Input({"numbered.txt": NUMBERED}, truth_of(by_number), says=("group",))
    refused = Input({"train.txt": NUMBERED + "jump/jump0.mp4 1\n"}, truth_of(by_number))
    read = Input({"train.txt": NUMBERED}, None, refusal="score")

    for number, wrong in enumerate((shifted, unnamed, refused, read)):
        with pytest.raises(AssertionError):
            check_input(wrong, tmp_path / str(number))
