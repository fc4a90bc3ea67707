"""Text of any encoding is read, and a refusal points to the cause, or the repair is made."""

from pathlib import Path

import pytest

from tests.data.layouts.drawn_source import RANDOM, Truth
from tests.data.layouts.known_input import (
    CLIPS,
    Input,
    by_name,
    by_number,
    by_place,
    check_input,
    in_train,
    lines,
    truth_of,
)

TABLE = "path,label\n"
CHINESE = ("跳跃", "跑步", "挥手")
RUSSIAN = ("прыжок", "бег", "взмах рукой")  # noqa: RUF001
ENCODING = r"encoding|code page|\bcp\W?\d|utf|latin|\biso|windows"


def named(names: tuple[str, ...], encoding: str) -> bytes:
    return (TABLE + "".join(f"{c.path},{names[c.number]}\n" for c in CLIPS)).encode(encoding)


def truth_named(names: tuple[str, ...]) -> dict[str, Truth]:
    return truth_of(lambda clip: names[clip.number])


NOT_UTF8 = "\udce9ternuer"  # as Python shows a folder of which the name is in latin-1

ENCODINGS = {
    "UTF-16 without a mark": Input(
        {"videos.csv": (TABLE + lines("{path},{name}")).encode("utf-16-le")},
        truth_of(),
        refusal=ENCODING,
    ),
    "UTF-16, big-endian, in a list": Input(
        {"videos.txt": b"\xfe\xff" + lines("{path} {number}").encode("utf-16-be")},
        truth_of(by_number),
    ),
    "--encoding cp1251": Input(
        {"videos.csv": named(RUSSIAN, "cp1251")},
        truth_named(RUSSIAN),
        options={"encoding": "cp1251"},
    ),
    "--encoding gb18030": Input(
        {"videos.csv": named(CHINESE, "gb18030")},
        truth_named(CHINESE),
        options={"encoding": "gb18030"},
    ),
    "--encoding that does not fit": Input(
        {"videos.csv": named(RUSSIAN, "cp1251")},
        None,
        refusal=r"videos\.csv.*(utf-8|encoding)",
        options={"encoding": "utf-8"},
    ),
    "--encoding that does not exist": Input(
        {"videos.csv": named(RUSSIAN, "cp1251")},
        None,
        refusal="klingon",
        options={"encoding": "klingon"},
    ),
    "a class folder in latin-1": Input(
        {},
        {
            f"{folder}/{k}.mp4": Truth((name,), RANDOM)
            for folder, name in (("run", "run"), (NOT_UTF8, "éternuer"))
            for k in (0, 1)
        },
        refusal="utf|encod|bytes|rename",
        source="clips",
    ),
    "a video in latin-1": Input(
        {},
        {f"{n}/caf\udce9{n}{k}.mp4": Truth((n,), RANDOM) for n in ("run", "sit") for k in (0, 1)},
        source="clips",
    ),
    "a class file in cp1252": Input(
        {
            "videos.txt": lines("{path} {number}"),
            "meta/names.txt": "sauter à la corde\ncourir très vite\néternuer\n".encode("cp1252"),
        },
        truth_named(("sauter à la corde", "courir très vite", "éternuer")),
        refusal=r"names\.txt",
        says=(ENCODING,),
        options={"classes": "meta/names.txt"},
    ),
}


def moved(path: str, label: object = by_name, split: object = None) -> dict[str, Truth]:
    """Return the truth of clips that lie elsewhere."""
    split = split or (lambda _: RANDOM)
    return truth_of(label, split, path=path)  # type: ignore[arg-type]


REPAIRS = {
    "78000 for 78000.webm": Input(
        {"videos.txt": lines("{stem} {number}")},
        moved("{clip.stem}.webm", by_number),
        refusal=r"\.webm",
    ),
    "a table of bare stems": Input(
        {"clips/labels.csv": "id,label\n" + lines("{stem},{name}")},
        moved("{clip.stem}.mp4"),
        refusal=r"labels\.csv",
        source="clips",
    ),
    "quoted paths alone": Input(
        {"videos.txt": lines('"{path}"')}, truth_of(lambda _: None, in_train)
    ),
    "path, label": Input({"videos.txt": lines("{path}, {number}")}, truth_of(by_number)),
    "path, frames and label, all in quotes": Input(
        {"train.txt": lines("'{path}'  '{frames}'  '{number}.0'")},
        truth_of(by_number, in_train),
    ),
    "quoted names with a comma, after a comma and a blank": Input(
        {"videos.txt": lines('"{path}", "{name}, then stop"')},
        truth_of(lambda clip: f"{clip.name}, then stop"),
    ),
    "a pandas index in a CSV": Input(
        {"videos.csv": ",path,label\n" + lines("{position},{path},{name}")}, truth_of()
    ),
    "a header with blanks": Input(
        {"videos.csv": "path , label , split\n" + lines("{path} , {name} , {split}")},
        truth_of(by_name, by_place),
    ),
    "backslashes": Input(
        {"videos.csv": TABLE + lines("{name}\\{stem}.mp4,{name}")},
        truth_of(),
        refusal=r"\\",
    ),
    "a comment line": Input(
        {"videos.txt": "# made in May\n" + lines("{path} {number}")},
        truth_of(by_number),
        refusal=r"videos\.txt:1",
        says=("# made in May|comment",),
    ),
    "paths that begin with the name of the folder": Input(
        {"videos.txt": lines("clips/{path} {number}")},
        truth_of(by_number),
        refusal="--root",
    ),
    "paths of another machine": Input(
        {"videos.txt": lines("/mnt/data/{path} {number}")},
        truth_of(by_number),
        refusal="/mnt/data",
    ),
    "a folder of DICOM files": Input(
        {f"scans/{n}/{k}.dcm": "DICM" for n in (1, 2) for k in range(3)},
        None,
        refusal=r"6 .*\.dcm",
        source="scans",
    ),
    "a folder of TIFF files": Input(
        {f"scans/{k}.tiff": "II*" for k in range(5)}, None, refusal=r"5 .*\.tiff", source="scans"
    ),
    "a single video": Input(
        {},
        None,
        refusal="is a video.*clips/run|give.*clips/run\\b(?!/run0)",
        source="clips/run/run0.mp4",
    ),
    "HMDB51's codes of splits": Input(
        {
            f"{name}_test_split1.txt": "".join(
                f"{clip.stem}.avi {(1, 2, 0)[clip.place]} \n" for clip in CLIPS if clip.name == name
            )
            for name in ("jump", "run", "wave")
        },
        truth_of(by_name, by_place, (0,), "{clip.name}/{clip.stem}.avi")
        | truth_of(by_name, lambda _: ("test",), (1,), "{clip.name}/{clip.stem}.avi"),
        refusal="HMDB|test_split1",
        source="lists",
        others=tuple(f"{clip.name}/{clip.stem}.avi" for clip in CLIPS if clip.place == 2),
    ),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_text_of_any_encoding_is_read_or_refused(name: str, tmp_path: Path) -> None:
    check_input(ENCODINGS[name], tmp_path)


@pytest.mark.parametrize("name", REPAIRS)
def test_a_refusal_points_to_the_cause(name: str, tmp_path: Path) -> None:
    check_input(REPAIRS[name], tmp_path)
