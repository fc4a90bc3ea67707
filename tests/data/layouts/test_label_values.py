"""Numbers are numbers; scores, several labels and parts of videos are recognised; class files."""

import json
from pathlib import Path

import pytest

from tests.data.layouts.drawn_source import RANDOM, Truth
from tests.data.layouts.known_input import (
    CLASSES,
    CLIPS,
    Input,
    by_number,
    by_place,
    check_input,
    in_train,
    lines,
    no_label,
    truth_of,
)

TABLE = "path,label\n"
SEVERAL = "(several|two|three|more than one|multiple|multi).{0,9}label"
PARTS = r"\b(part|segment)s?\b"
NUMBERED = {"videos.txt": lines("{path} {number}")}
MANY = {f"{n}/{k}.mp4": Truth((str(n),), RANDOM) for n in range(12) for k in (0, 1)}
MANY_FROM_1 = {f"{n}/{k}.mp4": Truth((str(n),), RANDOM) for n in range(1, 12) for k in (0, 1)}
PADDED = {f"{n:02}/{k}.mp4": Truth((f"{n:02}", str(n)), RANDOM) for n in range(12) for k in (0, 1)}


def rows_of(paths: dict[str, Truth], template: str) -> str:
    return "".join(template.format(path=path, n=int(path.partition("/")[0])) for path in paths)


NUMBERS = {
    "ratings 1.0, 1.5, 2.0": Input(
        {"videos.csv": TABLE + "".join(f"{c.path},{1 + c.number / 2}\n" for c in CLIPS)},
        truth_of(lambda clip: f"{1 + clip.number / 2:.1f}"),
        refusal="score|rating|regression|whole number",
    ),
    "an id for each video": Input(
        {"videos.csv": TABLE + lines("{path},{position}")},
        None,
        refusal=r"score|\bid\b|as many",
    ),
    "a name for each video": Input(
        {"videos.csv": TABLE + lines("{path},{stem}")}, None, refusal=r"score|\bid\b|as many"
    ),
    "a score in a list without header": Input(
        {"videos.txt": lines("{path} 0.{position}1")}, None, refusal="score|regression|as many"
    ),
    "nan, as pandas writes an empty cell": Input(
        {"videos.csv": TABLE + lines("{path},{name}", (0, 1)) + lines("{path},nan", (2,))},
        None,
        refusal=r"videos\.csv:8.*(nan|no label)",
    ),
    "names in one column, numbers in another": Input(
        {
            "videos.csv": "path,class,label\n"
            + "".join(f"{clip.path},{clip.name},{2 - clip.number}\n" for clip in CLIPS)
        },
        truth_of(lambda clip: (clip.name, str(2 - clip.number))),
        says=(r"\bclass\b",),
    ),
    "0.0 to 11.0 in a table": Input(
        {"videos.csv": TABLE + rows_of(MANY, "{path},{n}.0\n")},
        MANY,
        classes=tuple(map(str, range(12))),
    ),
    "0.0 to 11.0 in a list": Input(
        {"videos.txt": rows_of(MANY, "{path} {n}.0\n")},
        MANY,
        classes=tuple(map(str, range(12))),
    ),
    "1 to 11 in a list": Input(
        {"videos.txt": rows_of(MANY_FROM_1, "{path} {n}\n")},
        MANY_FROM_1,
        refusal=r"from 1|1 to 11",
        says=(r"\b1\b",),
        classes=tuple(map(str, range(1, 12))),
    ),
    "folders 1 to 11": Input(
        {}, MANY_FROM_1, source="clips", classes=tuple(map(str, range(1, 12)))
    ),
    "folders 00 to 11": Input({}, PADDED, source="clips"),
    "-1 for the videos of the test": Input(
        {
            "train.txt": lines("{path} {number}", (0, 1)),
            "test.txt": lines("{path} -1", (2,)),
        },
        truth_of(by_number, in_train, (0, 1)) | truth_of(no_label, by_place, (2,)),
        refusal=r"test\.txt:1.*-1",
        says=("-1|no label|without (a )?label|unlabelled",),
        source="lists",
    ),
}

MORE_THAN_A_LABEL = {
    "jump|run": Input(
        {"videos.csv": "path,labels\n" + lines("{path},{name}|{other_name}")}, None, SEVERAL
    ),
    "['jump', 'run']": Input(
        {"videos.csv": TABLE + lines("{path},\"['{name}', '{other_name}']\"")}, None, SEVERAL
    ),
    "one number or two": Input(
        {
            "videos.txt": lines("{path} {number}", (0,)) + lines("{path} {number} {other}", (1, 2)),
        },
        None,
        f"{SEVERAL}|videos\\.txt:[0-9]",
    ),
    "a column of 0 and 1 for each class": Input(
        {"videos.csv": "path,jump,run,wave\n" + lines("{path},1,0,1")},
        truth_of(lambda _: None, in_train),
        "jump.*run.*wave",
        ("jump.*run.*wave",),
    ),
    "start_frame without an end": Input(
        {"videos.csv": "path,label,start_frame\n" + lines("{path},{name},2")}, None, PARTS
    ),
    "one video with two times in an unknown unit": Input(
        {
            "videos.csv": "path,t_start,t_end,label\n"
            + lines("{path},0,1,{name}")
            + lines("{path},1,2,{other_name}")
        },
        None,
        "t_start, t_end.*frames.*--segment-unit",
    ),
    "VideoMAE V2's path, start, end, label": Input(
        {"videos.txt": lines("{path} 1 3 {number}")}, None, f"{PARTS}|start|{SEVERAL}"
    ),
}


def with_classes(name: str, text: str | bytes, texts: dict[str, str] = NUMBERED) -> Input:
    """Return an input that is read with a file of class names, or refused with its name."""
    return Input(
        {**texts, f"meta/{name}": text},
        truth_of(),
        refusal=rf"meta/{name}|--classes|\d classes",
        classes=CLASSES,
        options={"classes": f"meta/{name}"},
    )


FROM_1 = {"videos.txt": lines("{path} {number}", start=1)}
CLASS_FILES = {
    "a header": with_classes("names.txt", "class\njump\nrun\nwave\n"),
    "ids from 1 for labels from 0": with_classes(
        "names.csv", "id,name\n1,jump\n2,run\n3,wave\n"
    )._replace(truth=None),
    "ids from 0 for labels from 1": with_classes(
        "names.txt", "0 jump\n1 run\n2 wave\n", FROM_1
    )._replace(truth=None),
    "too few names": with_classes("names.txt", "jump\nrun\n"),
    "names before numbers": with_classes("names.csv", "name,id\nrun,1\njump,0\nwave,2\n"),
    "numbers in another order": with_classes("names.txt", "2 wave\n0 jump\n1 run\n"),
    "a tab": with_classes("names.txt", "0\tjump\n1\trun\n2\twave\n"),
    "JSON with objects": with_classes(
        "names.json", json.dumps([{"id": i, "name": name} for i, name in enumerate(CLASSES)])
    ),
    "JSON with a gap": with_classes("names.json", '{"jump": 0, "run": 1, "wave": 3}'),
    "JSON with the same number twice": with_classes(
        "names.json", '{"jump": 0, "run": 1, "wave": 1}'
    ),
    "pbtxt with display names": with_classes(
        "map.pbtxt",
        "".join(
            f"item {{\n  name: '/m/{i}'\n  id: {i + 1}\n  display_name: '{name}'\n}}\n"
            for i, name in enumerate(CLASSES)
        ),
        FROM_1,
    ),
    "UTF-16": with_classes("names.txt", "jump\r\nrun\r\nwave\r\n".encode("utf-16")),
}
NAMES_WITH_NUMBERS = Input(
    {**NUMBERED, "meta/names.txt": "100 m run\n3 point shot\n1 step jump\n"},
    truth_of(lambda clip: ("100 m run", "3 point shot", "1 step jump")[clip.number]),
    refusal=r"meta/names\.txt",
    options={"classes": "meta/names.txt"},
)
WITH_COMMA = Input(
    {**NUMBERED, "meta/names.txt": "0 jump, then stop\n1 run\n2 wave\n"},
    truth_of(lambda clip: ("jump, then stop", "run", "wave")[clip.number]),
    options={"classes": "meta/names.txt"},
)


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_numbers(name: str, tmp_path: Path) -> None:
    check_input(NUMBERS[name], tmp_path)


@pytest.mark.parametrize("name", MORE_THAN_A_LABEL)
def test_more_than_one_label_is_recognised(name: str, tmp_path: Path) -> None:
    check_input(MORE_THAN_A_LABEL[name], tmp_path)


@pytest.mark.parametrize("name", CLASS_FILES)
def test_a_class_file_names_the_classes_or_is_refused(name: str, tmp_path: Path) -> None:
    check_input(CLASS_FILES[name], tmp_path)


def test_names_that_begin_with_numbers_are_names(tmp_path: Path) -> None:
    check_input(NAMES_WITH_NUMBERS, tmp_path)


def test_a_numbered_name_may_have_a_comma(tmp_path: Path) -> None:
    check_input(WITH_COMMA, tmp_path)
