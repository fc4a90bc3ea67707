"""Tiny trees of data sets, with the files that their documentation describes."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.data.layouts.prepared import place_clips, place_texts


def place_empty_videos(folder: Path, *paths: str) -> None:
    """Write a file of one byte at each path: enough for a list that opens no video."""
    place_texts(folder, dict.fromkeys(paths, b"\0"))


def place_videos(folder: Path, *paths: str) -> None:
    """Write a small real video at each path."""
    place_clips(folder, paths)


Place = Callable[..., None]


def write_ucf101(folder: Path, place: Place = place_empty_videos) -> Path:
    """Write UCF101 with two classes, of which the groups 1, 2 and 3 are tested in turn."""
    lists = {f"{kind}list0{split}": "" for kind in ("train", "test") for split in (1, 2, 3)}
    for number, name in ((1, "Archery"), (2, "Biking")):
        for group in (1, 2, 3):
            path = f"{name}/v_{name}_g0{group}_c01.avi"
            place(folder, f"UCF-101/{path}")
            for split in (1, 2, 3):
                kind, end = ("test", "") if group == split else ("train", f" {number}")
                lists[f"{kind}list0{split}"] += f"{path}{end}\r\n"
    texts = {f"ucfTrainTestlist/{name}.txt": text for name, text in lists.items()}
    index = "1 Archery\r\n2 Biking\r\n"
    place_texts(folder, {**texts, "ucfTrainTestlist/classInd.txt": index})
    return folder


def write_hmdb51(folder: Path, place: Place = place_empty_videos) -> Path:
    """Write HMDB51 with two classes of four videos; the fourth is not used in any split."""
    for name in ("brush_hair", "clap"):
        videos = [f"#{k}_Show_({name})_u_cm_np1_fr_med_{k}.avi" for k in range(4)]
        place(folder, *(f"{name}/{video}" for video in videos))
        for split in (1, 2, 3):
            codes = [2 if k + 1 == split else 1 for k in range(3)] + [0]
            lines = (f"{video} {code} \n" for video, code in zip(videos, codes, strict=True))
            path = f"testTrainMulti_7030_splits/{name}_test_split{split}.txt"
            place_texts(folder, {path: "".join(lines)})
    return folder


def write_something_something(
    folder: Path, place: Place = place_empty_videos, *, prefix: str = ""
) -> Path:
    """Write Something-Something V2 with two classes, whose numbers are not alphabetical."""
    classes = {"Pushing something": "0", "Holding something, then something": "1"}
    templates = ("Holding [something], then [something]", "Pushing [something]")
    entries = [
        {
            "id": str(number),
            "label": f"sentence {number}",
            "template": templates[number % 2],
            "placeholders": ["a box"],
        }
        for number in range(1, 7)
    ]
    lists = {
        "train": entries[:4],
        "validation": entries[4:],
        "test": [{"id": "7"}, {"id": "8"}],
        "labels": classes,
    }
    texts = {f"labels/{prefix}{name}.json": json.dumps(value) for name, value in lists.items()}
    answers = "7;Pushing something\n8;Holding something, then something\n"
    place_texts(folder, {**texts, f"labels/{prefix}test-answers.csv": answers})
    place(folder, *(f"20bn-something-something-v2/{number}.webm" for number in range(1, 9)))
    return folder


KINETICS = {
    "train": (("air drumming", "-3B32lodo2M", 59, 69), ("zumba", "0bcDEfghIJk", 1, 11)),
    "val": (("zumba", "zzzzzzzzzzz", 120, 130),),
}


def write_kinetics(folder: Path, place: Place = place_empty_videos, *, suffix: str = "") -> Path:
    """Write Kinetics with two training clips, one for validation and one without label."""
    header = "label,youtube_id,time_start,time_end,split"
    for split, clips in KINETICS.items():
        rows = [f'"{label}",{name},{start},{end},{split}' for label, name, start, end in clips]
        place_texts(folder, {f"annotations/{split}.csv": "\n".join([header, *rows]) + "\n"})
        for label, name, start, end in clips:
            place(folder, f"{split}/{label}/{name}_{start:06d}_{end:06d}.mp4")
    rows = "youtube_id,time_start,time_end,split\nttttttttttt,5,15,test\n"
    place_texts(folder, {"annotations/test.csv": rows})
    place(folder, "test/ttttttttttt_000005_000015.mp4")
    return folder


def write_diving48(folder: Path, place: Place = place_empty_videos) -> Path:
    """Write Diving48 V2 with three videos of the classes 0 and 47."""
    dives = [["Back", "15som", "05Twis", "FREE"]] + [["Dive", str(k)] for k in range(1, 48)]
    rows = [("abc_00001", 0), ("abc_00002", 47), ("def_00001", 47)]
    entries = [
        {"vid_name": name, "label": label, "start_frame": 0, "end_frame": 99}
        for name, label in rows
    ]
    texts = {
        "Diving48_V2_train.json": json.dumps(entries[:2]),
        "Diving48_V2_test.json": json.dumps(entries[2:]),
        "Diving48_vocab.json": json.dumps(dives),
    }
    place_texts(folder, texts)
    place(folder, *(f"rgb/{name}.mp4" for name, _ in rows))
    return folder


def write_ego4d(folder: Path, place: Place = place_empty_videos) -> Path:
    """Write Ego4D's state changes: two parts of one recording, and a clip that is a file."""
    clips = [
        {
            "unique_id": f"unique-{number}",
            "video_uid": "recording",
            "parent_start_sec": 8.0 * number,
            "parent_end_sec": 8.0 * number + 8,
            "state_change": number % 2 == 0,
        }
        for number in range(3)
    ]
    names = ("train", "train", "val")
    for split in ("train", "val"):
        chosen = [clip for clip, name in zip(clips, names, strict=True) if name == split]
        text = json.dumps({"version": "1.0", "split": split, "clips": chosen})
        place_texts(folder, {f"v1/annotations/fho_oscc-pnr_{split}.json": text})
    place(folder, "v1/full_scale/recording.mp4", "v1/clips/unique-2.mp4")
    return folder


def write_hugging_face(folder: Path, place: Place = place_empty_videos) -> Path:
    """Write a video folder with metadata in the folder of each split."""
    for split, names in (("train", ("1", "2")), ("validation", ("3",)), ("test", ("4",))):
        rows = "".join(f"{name}.mp4,{('run', 'sit')[int(name) % 2]},x\n" for name in names)
        place_texts(folder, {f"{split}/metadata.csv": f"file_name,label,note\n{rows}"})
        place(folder, *(f"{split}/{name}.mp4" for name in names))
    return folder


def write_ava(folder: Path, place: Place = place_empty_videos) -> Path:
    """Write AVA with three videos: boxes, a second without persons, and an excluded second."""
    train = (
        "-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,80,1\n"
        "-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,9,1\n"
        "-5KQ66BBWC4,0903,,,,,,\n"
        "-5KQ66BBWC4,1120,0.2,0.3,0.4,0.5,12,0\n"
        "-IELREHX_js,0950,0,0,1,1,12,3\n"
    )
    texts = {
        "annotations/ava_train_v2.2.csv": train,
        "annotations/ava_val_v2.2.csv": "1j20qq1JyX4,0902,0.1,0.2,0.3,0.4,17,5\n",
        "annotations/ava_train_excluded_timestamps_v2.2.csv": "-5KQ66BBWC4,1120\n",
        "annotations/ava_action_list_v2.2_for_activitynet_2019.pbtxt": "",
    }
    place_texts(folder, texts)
    place(
        folder, "trainval/-5KQ66BBWC4.mkv", "trainval/-IELREHX_js.mp4", "trainval/1j20qq1JyX4.mp4"
    )
    return folder
