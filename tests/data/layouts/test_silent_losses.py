"""Inputs that were read with exit 0, but not as they say: each is read right, told or refused."""

from pathlib import Path

import pytest

from tests.data.layouts.prepared import Outcome, place_clips, place_texts, prepare_source

CLIPS = [f"{name}.mp4" for name in "abcdefgh"]
TABLE = "path,label\n" + "".join(
    f"{clip},{['jump', 'run'][i % 2]}\n" for i, clip in enumerate(CLIPS)
)


def rows_of(form: str, clips: list[str] = CLIPS, **cells: list[str]) -> str:
    """Return a line for each clip; `cells` are used in turn."""
    return "".join(
        form.format(path=clip, **{key: values[i % len(values)] for key, values in cells.items()})
        + "\n"
        for i, clip in enumerate(clips)
    )


def prepare(
    folder: Path, clips: list[str], texts: dict[str, str | bytes], source: str = "", **options: str
) -> Outcome:
    root = folder / "data"
    place_clips(root, clips)
    place_texts(root, texts)
    return prepare_source(root / source, folder / "out", root, clips, **options)


def test_folders_in_the_paths_of_a_list_are_splits(tmp_path: Path) -> None:
    clips = [f"{'train' if i < 6 else 'test'}/{clip}" for i, clip in enumerate(CLIPS)]
    table = "file_name,label\n" + rows_of("{path},{label}", clips, label=["jump", "run"])
    outcome = prepare(tmp_path, clips, {"metadata.csv": table})

    assert {path: split for path, (_, split) in outcome.rows.items()} == {
        clip: clip.split("/")[0] for clip in clips
    }
    assert any("splits are taken from the folders" in line for line in outcome.lines)


@pytest.mark.parametrize(
    ("texts", "source"),
    [
        ({"data.csv": TABLE, "splits.json": '{"train": ["a", "b"], "test": ["c"]}'}, ""),
        ({"data.csv": TABLE, "lists/train.txt": "a.mp4\n", "lists/test.txt": "b.mp4\n"}, ""),
        ({"data.csv": TABLE, "train_test_split.pkl": b"\x80\4"}, ""),
        ({"data.csv": TABLE, "split.xlsx": b"PK"}, "data.csv"),
        ({"l.csv": "path,label,isTrain\n" + rows_of("{path},x,{flag}", flag=["0", "1"])}, ""),
        ({"l.csv": "path,label,cv\n" + rows_of("{path},x,{fold}", fold=["0", "1"])}, ""),
        ({"l.csv": "path,label,of\n" + rows_of("{path},x,{of}", of=["train1", "test1"])}, ""),
        ({"l.csv": "path,label,of\n" + rows_of("{path},x,{of}", of=["train", "", "test"])}, ""),
    ],
)
def test_no_split_is_drawn_if_a_file_or_column_speaks_of_one(
    texts: dict[str, str | bytes], source: str, tmp_path: Path
) -> None:
    assert "no split found, but " in prepare(tmp_path, CLIPS, texts, source).refusal


@pytest.mark.parametrize(
    ("paths", "refusal"),
    [
        (["fold{n}/train/{c}/{n}{v}.mp4", "fold{n}/test/{c}/{n}{v}.mp4"], "are folds, not classes"),
        (["fold{n}/{c}/{n}{v}.mp4"], "are folds, not classes"),
        (["set{n}/train/{c}/{n}{v}.mp4", "set{n}/test/{c}/{n}{v}.mp4"], "or data sets"),
        (["{c}/train1/{n}{v}.mp4", "{c}/test1/{n}{v}.mp4"], "the folder test1, the folder train1"),
        (["{c}/train/{n}{v}.mp4", "{c}/more/{n}{v}.mp4"], "the folder train speaks of one"),
        (["{c}/train_{n}{v}.mp4", "{c}/test_{n}{v}.mp4"], "the names of the videos"),
        (["all/{c}/{n}{v}.mp4", "test/{n}{v}.mp4"], "test are named after splits"),
    ],
)
def test_folders_that_speak_of_splits_are_no_classes(
    paths: list[str], refusal: str, tmp_path: Path
) -> None:
    clips = {
        path.format(n=n, c=c, v=v)
        for path in paths
        for n in "12"
        for c in ("up", "on")
        for v in "xy"
    }
    assert refusal in prepare(tmp_path, sorted(clips), {}).refusal


@pytest.mark.parametrize(
    ("clips", "split"),
    [
        (["ds/up/a.mp4", "ds/up/b.mp4", "ds/on/c.mp4", "ds/on/d.mp4", "stray.mp4"], None),
        (["train/train/up/a.mp4", "train/train/up/b.mp4", "train/train/on/c.mp4"], "train"),
    ],
)
def test_classes_below_another_folder_are_kept(
    clips: list[str], split: str | None, tmp_path: Path
) -> None:
    outcome = prepare(tmp_path, clips, {})
    assert {path: name for path, (name, _) in outcome.rows.items()} == {
        clip: clip.split("/")[-2] for clip in clips if "/" in clip
    }
    assert split is None or {part for _, part in outcome.rows.values()} == {split}


@pytest.mark.parametrize(
    ("labels", "refusal"),
    [
        (["Abuse  10  15  -1  -1", "Normal  -1  -1  -1  -1"], "'Abuse  10  15  -1  -1' after"),
        (["0 jump", "1 run"], "'0 jump' is a number and a name"),
        (["jump 0", "run 1"], "'jump 0' is a number and a name"),
        (["level 1", "level 2"], ""),
    ],
)
def test_numbers_beside_a_name_are_not_part_of_it(
    labels: list[str], refusal: str, tmp_path: Path
) -> None:
    outcome = prepare(tmp_path, CLIPS, {"l.txt": rows_of("{path} {label}", label=labels)}, "l.txt")
    assert refusal in outcome.refusal
    assert refusal or outcome.classes == tuple(labels)


@pytest.mark.parametrize("empty", ["N/A", "NULL", "NA", "#N/A"])
def test_empty_cells_of_other_programs_are_no_class(empty: str, tmp_path: Path) -> None:
    table = "path,label\n" + rows_of("{path},{label}", label=["jump", "run", empty])
    assert "l.csv:4: no label" in prepare(tmp_path, CLIPS, {"l.csv": table}).refusal


@pytest.mark.parametrize("other", ["Jump up", "jump_up", "jump up\u200b", "jump\u2009up"])
def test_classes_that_look_alike_are_told(other: str, tmp_path: Path) -> None:
    table = "path,label\n" + rows_of("{path},{label}", label=["jump up", "run", other])
    outcome = prepare(tmp_path, CLIPS, {"l.csv": table})
    assert any(line.startswith("different classes with almost") for line in outcome.lines)


def test_json_keys_that_occur_twice_are_an_error(tmp_path: Path) -> None:
    text = '{"a.mp4": {"label": "x"}, "b.mp4": {"label": "y"}, "a.mp4": {"label": "y"}}'
    assert "'a.mp4' occurs twice" in prepare(tmp_path, CLIPS, {"l.json": text}, "l.json").refusal


def test_a_list_of_one_label_is_the_label(tmp_path: Path) -> None:
    records = rows_of('{{"path": "{path}", "label": ["{label}"]}}', label=["jump", "run"])
    assert prepare(tmp_path, CLIPS, {"l.jsonl": records}).classes == ("jump", "run")


@pytest.mark.parametrize("name", ["train", "labels.tab"])
def test_lists_with_other_endings_are_offered(name: str, tmp_path: Path) -> None:
    texts: dict[str, str | bytes] = {name: rows_of("{path}\tjump")}
    assert f"{name} names the videos" in prepare(tmp_path, CLIPS, texts).refusal


def test_files_beside_a_list_are_named(tmp_path: Path) -> None:
    texts: dict[str, str | bytes] = {"train.csv": TABLE, "l.xlsx": b"PK", "log.txt": "x" * 200_000}
    outcome = prepare(tmp_path, CLIPS, texts)
    assert any("neither videos nor lists: 1 file (l.xlsx)" in line for line in outcome.lines)
    assert any("they list no videos: log.txt" in line for line in outcome.lines)


def test_folders_of_a_list_without_labels_are_named(tmp_path: Path) -> None:
    clips = [f"{['jump', 'run'][i % 2]}/{clip}" for i, clip in enumerate(CLIPS)]
    outcome = prepare(tmp_path, clips, {"train.txt": rows_of("{path}", clips)})
    assert any("not used as classes: jump, run" in line for line in outcome.lines)


@pytest.mark.parametrize(
    "text",
    [
        "Klasse\nrun\njump\nsit\n",
        "# of 2024\nrun\njump\nsit\n",
        "- run\n- jump\n- sit\n",
        "run,\njump,\nsit,\n",
        "run,fast\njump,up\nsit,down\n",
        "0,run,fast\n1,jump,up\n2,sit,down\n",
    ],
)
def test_class_files_with_other_lines_and_columns_stop(text: str, tmp_path: Path) -> None:
    table = "path,label\n" + rows_of("{path},{label}", label=["0", "1", "2"])
    texts: dict[str, str | bytes] = {"l.csv": table, "names/c.txt": text}
    classes = str(tmp_path / "data/names/c.txt")
    assert "c.txt" in prepare(tmp_path, CLIPS, texts, "l.csv", classes=classes).refusal


@pytest.mark.parametrize("other", ["masks/up", "Annotations"])
def test_other_data_beside_frames_is_no_class(other: str, tmp_path: Path) -> None:
    folders = [f"{kind}/{video}" for kind in ("JPEGImages", "up", other) for video in ("a", "b")]
    for folder in folders:
        place_texts(tmp_path / "data" / folder, {f"{n}.jpg": b"" for n in (1, 2)})
    assert "is no class, but other data" in prepare(tmp_path, [], {}).refusal


@pytest.mark.parametrize("column", ["clip_start", "action_start_sec", "segment", "Event End"])
def test_columns_of_times_with_another_word_are_parts(column: str, tmp_path: Path) -> None:
    table = f"path,label,{column}\n" + rows_of("{path},x,{time}", time=["1.5", "2"])
    assert "select a part of each video" in prepare(tmp_path, CLIPS, {"l.csv": table}).refusal
