"""Nothing that a list or folder says is left unused in silence: it is read, named or refused."""

import json
from pathlib import Path

import pytest

from tests.data.layouts.drawn_source import EITHER, RANDOM, Truth
from tests.data.layouts.known_input import (
    CLASSES,
    CLIPS,
    Clip,
    Input,
    at_random,
    by_name,
    by_number,
    by_place,
    check_input,
    in_train,
    lines,
    no_label,
    truth_of,
)

TRAIN = "path,label\n" + lines("{path},{name}", (0, 1))


def train_and(splits: tuple[str, ...]) -> dict[str, Truth]:
    """Return the truth of clips 0 and 1 of each class for training, clip 2 for other splits."""
    return truth_of(by_name, lambda clip: splits if clip.place == 2 else ("train",))


def last_in_test(clip: Clip) -> tuple[str, ...]:
    return ("test",) if clip.place == 2 else ("train",)


def named_or_not(clip: Clip) -> tuple[str | None, ...]:
    return (clip.name, None)


SSV2 = "20bn-something-something-v2/{clip.stem}.webm"
SSV2_TRUTH = truth_of(lambda clip: f"{clip.name} something", by_place, (0, 1), SSV2)
UCF = "UCF-101/{clip.name}/v_{clip.stem}_c01.avi"
VEHICLES = {
    f"{name}/{k}.mp4": Truth((name,), RANDOM) for name in ("bike", "bus", "train") for k in (0, 1)
}
KINETICS_TRUTH = {
    f"{split}/{clip.stem}_000010_000020.mp4": Truth((clip.name, None), (split,))
    for clip in CLIPS
    for split in by_place(clip)
}

INPUTS = {
    "a column fold": Input(
        {"videos.csv": "path,label,fold\n" + lines("{path},{name},{place}")},
        truth_of(),
        refusal="fold",
        says=(r"\bfold\b",),
    ),
    "a column of splits with two unknown words": Input(
        {"videos.csv": "path,label,split\n" + lines("{path},{name},part{place}")},
        None,
        refusal=r"videos\.csv:2.*part0",
    ),
    "holdout.csv beside train.csv": Input(
        {
            "train.csv": TRAIN,
            "holdout.csv": "path,label\n" + lines("{path},{name}", (2,)),
        },
        train_and(EITHER),
        source="lists",
    ),
    "a list without header beside a table": Input(
        {"train.csv": TRAIN, "val.txt": lines("{path},{name}", (2,))},
        train_and(("val",)),
        refusal=r"val\.txt",
        source="lists",
    ),
    "three official lists for training": Input(
        {
            "trainlist01.txt": lines("{path} {number}", (0, 1), 1),
            "trainlist02.txt": lines("{path} {number}", (1, 2), 1),
            "testlist01.txt": lines("{path}", (2,)),
            "testlist02.txt": lines("{path}", (0,)),
        },
        None,
        refusal="trainlist0[12]",
        source="lists",
    ),
    "a list of excluded videos beside train and test": Input(
        {
            "train.txt": lines("{path} {number}", (0,)),
            "test.txt": lines("{path} {number}", (1,)),
            "broken.txt": lines("{path} {number}", (2,)),
        },
        truth_of(by_number, by_place, (0,)) | truth_of(by_number, lambda _: ("test",), (1,)),
        refusal=r"broken\.txt",
        says=(r"broken\.txt",),
        source="lists",
        others=tuple(clip.path for clip in CLIPS if clip.place == 2),
    ),
    "a label column named in another language": Input(
        {"videos.csv": "path,Klasse\n" + lines("{path},{name}")},
        truth_of(named_or_not, at_random),
        refusal="Klasse",
        says=("Klasse",),
    ),
    "a video in no list, beside a list of absolute paths": Input(
        {"clips/train.txt": lines("@ROOT@/{path} {number}")},
        truth_of(by_number, in_train),
        says=(r"extra\.mp4",),
        source="clips",
        others=("extra.mp4",),
    ),
    "--label-column": Input(
        {"videos.csv": "Klasse,path,label\n" + lines("{name},{path},7")},
        truth_of(),
        says=(r"\blabel\b",),
        options={"label_column": "Klasse"},
    ),
    "--path-column": Input(
        {"videos.csv": "video,label,Datei\n" + lines("{position},{name},{path}")},
        truth_of(),
        says=(r"\bvideo\b",),
        options={"path_column": "Datei"},
    ),
    "--split-column": Input(
        {"videos.csv": "path,label,Teil\n" + lines("{path},{name},{split}")},
        truth_of(by_name, by_place),
        options={"split_column": "Teil"},
    ),
    "--label-column that does not exist": Input(
        {"videos.csv": "path,label\n" + lines("{path},{name}")},
        None,
        refusal="verb.*path.*label|path.*label.*verb",
        options={"label_column": "verb"},
    ),
    "--label-column for a folder without a table": Input(
        {}, None, refusal="label.column", source="clips", options={"label_column": "verb"}
    ),
    "two label columns, verb and noun": Input(
        {"videos.csv": "path,verb_class,noun_class\n" + lines("{path},{number},{other}")},
        truth_of(lambda clip: (str(clip.number), None), at_random),
        refusal="verb_class|noun_class",
        says=("noun_class|verb_class",),
    ),
    "a class named train": Input(
        {},
        VEHICLES,
        source="clips",
    ),
    "class folders beside a folder of their lists": Input(
        {
            "clips/lists/train.txt": lines("{path} {number}", (0, 1)),
            "clips/lists/test.txt": lines("{path} {number}", (2,)),
        },
        truth_of(lambda clip: (clip.name, str(clip.number)), last_in_test),
        refusal=r"lists|train\.txt",
        source="clips",
    ),
    "Something-Something V2 as downloaded": Input(
        {
            f"clips/labels/{name}.json": json.dumps(
                [
                    {
                        "id": clip.stem,
                        "label": f"{clip.name} a cup",
                        "template": f"{clip.name} [something]",
                        "placeholders": ["a cup"],
                    }
                    for clip in CLIPS
                    if clip.place == place
                ]
            )
            for place, name in enumerate(("train", "validation"))
        }
        | {
            "clips/labels/test.json": json.dumps([{"id": f"{name}2"} for name in CLASSES]),
            "clips/labels/labels.json": json.dumps(
                {f"{name} something": str(number) for number, name in enumerate(CLASSES)}
            ),
        },
        SSV2_TRUTH | truth_of(no_label, lambda _: ("test",), (2,), SSV2),
        refusal="json|label",
        source="clips",
    ),
    "UCF101 as downloaded": Input(
        {
            "clips/ucfTrainTestlist/trainlist01.txt": lines(
                "{name}/v_{stem}_c01.avi {number}", (0, 1), 1
            ),
            "clips/ucfTrainTestlist/testlist01.txt": lines("{name}/v_{stem}_c01.avi", (2,)),
            "clips/ucfTrainTestlist/classInd.txt": "1 jump\n2 run\n3 wave\n",
        },
        truth_of(by_name, last_in_test, path=UCF),
        refusal="UCF-101|ucfTrainTestlist|trainlist",
        source="clips",
    ),
    "Kinetics as downloaded": Input(
        {
            f"clips/annotations/{split}.csv": "label,youtube_id,time_start,time_end,split\n"
            + lines("{name},{stem},10,20,{split}", (place,))
            for place, split in enumerate(("train", "val", "test"))
        },
        KINETICS_TRUTH,
        refusal="csv|youtube_id|annotations",
        says=(r"annotations|(train|val|test)\.csv",),
        source="clips",
    ),
}


@pytest.mark.parametrize("name", INPUTS)
def test_nothing_is_left_unused_in_silence(name: str, tmp_path: Path) -> None:
    check_input(INPUTS[name], tmp_path)
