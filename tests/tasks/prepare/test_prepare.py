"""`prepare` turns real files into a manifest, and gives a reason for each rejected file."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.make_clips import write_clip
from tests.data.make_frames import write_frame_folder
from tests.notes import Notes
from videomae_cli.cli import app
from videomae_cli.data.layouts import scan_layout
from videomae_cli.data.manifest import Manifest, read_manifest
from videomae_cli.errors import DataError, Stopped, UsageError, VideoMAEError
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import run
from videomae_cli.tasks.prepare.summary import PrepareSummary

# PyAV alone: the comparison of decoders has its own tests, and this saves loading decord
QUICK = PrepareOptions(decoder="pyav", workers=1)


def prepared(
    source: Path, out: Path, notes: Notes | None = None, **changes: object
) -> PrepareSummary:
    return run(source, out, notes or Notes(), QUICK._replace(**changes))  # type: ignore[arg-type]


def listed(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def rows(manifest: Manifest) -> list[tuple[str, int | None, str]]:
    return [(video.path, video.label, video.split) for video in manifest.videos]


def rejected(out: Path) -> dict[str, str]:
    with (out / "rejected.csv").open(newline="") as file:
        return {row["path"]: row["reason"] for row in csv.DictReader(file)}


def test_class_folders_become_a_manifest_with_a_random_split(folders: Path, tmp_path: Path) -> None:
    notes = Notes()

    summary = prepared(folders, tmp_path / "out", notes)

    manifest = read_manifest(tmp_path / "out")
    assert manifest == summary.manifest
    assert manifest.classes == ("run", "sit")
    assert [path for path, _, _ in rows(manifest)] == [
        e.path for e in scan_layout(folders, "class-folders").entries
    ]
    assert manifest.videos[0][3:8] == (6, 25.0, 48, 32, "pyav")
    assert [video.label for video in manifest.split("val")] == [0, 1]
    assert manifest.video_path(manifest.videos[0]).is_file()
    assert notes.has("class-folders: 2 folders of videos (run, sit)")
    assert notes.has("Clips cut from the same recording may be in both splits")
    assert notes.has("6 of 6 videos are shorter than 64 frames (16 x 4")
    assert notes.has("next: start from published weights")
    assert notes.has("why: with Kinetics-400's weights ViT-B reaches 73.3 % on HMDB51")
    data = f"--data {tmp_path / 'out'}"
    command = f"videomae finetune --recipe small-data-vits-finetune {data} --checkpoint WEIGHTS"
    assert notes.has(command)
    assert rejected(tmp_path / "out") == {}


def test_a_second_run_decodes_nothing_and_changes_nothing(folders: Path, tmp_path: Path) -> None:
    out, notes = tmp_path / "out", Notes()
    prepared(folders, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    prepared(folders, out, notes)

    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert notes.has("6 of 6 files are unchanged")


def test_only_new_and_changed_files_are_decoded_again(folders: Path, tmp_path: Path) -> None:
    out, notes = tmp_path / "out", Notes()
    prepared(folders, out)
    write_clip(folders / "run" / "0.mp4", 9, height=32, width=48)
    write_clip(folders / "run" / "new.mp4", 4, height=32, width=48)

    summary = prepared(folders, out, notes)

    frames = {video.path: video.frames for video in summary.manifest.videos}
    assert notes.has("5 of 7 files are unchanged")
    assert (frames["run/0.mp4"], frames["run/1.mp4"], frames["run/new.mp4"]) == (9, 6, 4)


def test_a_run_that_is_interrupted_keeps_its_results(folders: Path, tmp_path: Path) -> None:
    class Impatient(Notes):
        def advance(self, amount: int = 1, *, figures: str = "") -> None:
            raise KeyboardInterrupt

    notes = Notes()

    with pytest.raises(Stopped, match="1 of 6 videos") as caught:
        prepared(folders, tmp_path / "out", Impatient())
    prepared(folders, tmp_path / "out", notes)

    assert caught.value.exit_code == 130
    assert notes.has("1 of 6 files are unchanged")


def test_bad_files_are_rejected_with_reasons_and_the_rest_goes_on(
    folders: Path, tmp_path: Path
) -> None:
    (folders / "run" / "bad, really.mp4").write_bytes(b"\0" * 99)
    (folders / "sit" / "empty.mp4").write_bytes(b"")
    notes = Notes()

    summary = prepared(folders, tmp_path / "out", notes)

    reasons = rejected(tmp_path / "out")
    assert set(reasons) == {"run/bad, really.mp4", "sit/empty.mp4"}
    assert all(reasons.values())
    assert len(summary.manifest.videos) == 6
    assert any("2 videos rejected" in line and "rejected.csv" in line for line in notes.warned)


def test_strict_fails_and_writes_no_manifest(folders: Path, tmp_path: Path) -> None:
    (folders / "run" / "bad.mp4").write_bytes(b"\0" * 99)

    with pytest.raises(DataError, match="1 of 7 videos are rejected") as caught:
        prepared(folders, tmp_path / "out", is_strict=True)

    assert caught.value.exit_code == 3
    assert not (tmp_path / "out" / "manifest.csv").exists()
    assert set(rejected(tmp_path / "out")) == {"run/bad.mp4"}


def test_a_file_that_takes_too_long_is_tried_again_next_time(
    tmp_path: Path, clip: Callable[[Path], Path]
) -> None:
    clip(tmp_path / "source" / "a.mp4")

    with pytest.raises(DataError, match=r"longer than 1e-05 s \(--timeout\)"):
        prepared(tmp_path / "source", tmp_path / "out", seconds=1e-5)

    assert len(prepared(tmp_path / "source", tmp_path / "out").manifest.videos) == 1


def test_the_lists_of_videomae_are_taken_with_their_copied_test_list(
    tmp_path: Path, clip: Callable[[Path], Path]
) -> None:
    for name in "abc":
        clip(tmp_path / "videos" / f"{name} 1.mp4")
    videos = tmp_path / "videos"
    listed(tmp_path / "lists" / "train.csv", f"{videos}/a 1.mp4 0\n{videos}/b 1.mp4 1\n")
    listed(tmp_path / "lists" / "val.csv", f"{videos}/c 1.mp4 1\n")
    listed(tmp_path / "lists" / "test.csv", f"{videos}/c 1.mp4 1\n")
    notes = Notes()

    summary = prepared(tmp_path / "lists", tmp_path / "out", notes)

    assert rows(summary.manifest) == [
        (f"{videos}/a 1.mp4", 0, "train"),
        (f"{videos}/b 1.mp4", 1, "train"),
        (f"{videos}/c 1.mp4", 1, "val"),
    ]
    assert summary.manifest.classes == ("0", "1")
    assert notes.has("the test list repeats the val list: used as val only (1 video)")


def test_a_list_with_another_root_needs_root(tmp_path: Path, clip: Callable[[Path], Path]) -> None:
    clip(tmp_path / "videos" / "x" / "a.mp4")
    source = listed(tmp_path / "lists" / "train.txt", "x/a 0 -1\nx/gone.mp4 0 -1\n")

    with pytest.raises(
        DataError, match=r"train\.txt:1: none of the 2 listed files exists under .*lists"
    ):
        prepared(source, tmp_path / "out")
    summary = prepared(source, tmp_path / "out", root=tmp_path / "videos")

    assert rows(summary.manifest) == [("x/a.mp4", None, "train")]
    assert rejected(tmp_path / "out") == {"x/gone.mp4": "no such file"}


def test_paths_from_the_working_directory_get_a_hint(
    tmp_path: Path, clip: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    clip(tmp_path / "videos" / "a.mp4")
    source = listed(tmp_path / "lists" / "train.csv", "videos/a.mp4 0\n")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(DataError) as caught:
        prepared(source, tmp_path / "out")

    assert "--root ." in caught.value.hint
    assert len(prepared(source, tmp_path / "out", root=Path()).manifest.videos) == 1


def test_a_table_can_name_files_and_folders_of_frames(
    tmp_path: Path, clip: Callable[[Path], Path]
) -> None:
    clip(tmp_path / "a.mp4")
    write_frame_folder(tmp_path / "b", 9, height=32, width=48)
    write_frame_folder(tmp_path / "gap", 9)
    (tmp_path / "gap/img_00005.png").unlink()
    (tmp_path / "none").mkdir()
    names = ("a.mp4", "b", "gap", "none")
    source = listed(tmp_path / "train.csv", "path\n" + "".join(f"{name}\n" for name in names))

    for decoder, expected in (("pyav", "pyav"), ("auto", "decord"), ("decord", "decord")):
        result = prepared(source, tmp_path / decoder, decoder=decoder)

        assert [video.path for video in result.manifest.videos] == ["a.mp4", "b"]
        assert result.manifest.videos[0].decoder in (expected, "pyav")
        assert result.manifest.videos[1][3:8] == (9, 0.0, 48, 32, "frames")
        assert rejected(tmp_path / decoder) == {
            "gap": "img_00005.png is missing: 8 images are numbered from 1 to 9",
            "none": "a folder without images: no video, no frames",
        }
    with pytest.raises(UsageError, match="no decoder 'frames'"):
        prepared(source, tmp_path / "out", decoder="frames")


def test_only_a_changed_folder_of_frames_is_decoded_again(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        write_frame_folder(tmp_path / name, 5, height=32, width=48)
    source = listed(tmp_path / "train.csv", "path\na\nb\nc\nd\n")
    prepared(source, tmp_path / "out")
    write_frame_folder(tmp_path / "a", 6, height=32, width=48)
    (tmp_path / "b/img_00005.png").unlink()
    (tmp_path / "c/img_00003.png").write_bytes(b"damaged")
    notes = Notes()

    result = prepared(source, tmp_path / "out", notes)

    assert notes.has("1 of 4 files are unchanged")
    assert [(v.path, v.frames) for v in result.manifest.videos] == [("a", 6), ("b", 4), ("d", 5)]
    assert "img_00003.png is not a JPEG" in rejected(tmp_path / "out")["c"]


def test_a_video_in_two_lists_is_an_error_that_names_both(
    tmp_path: Path, clip: Callable[[Path], Path]
) -> None:
    clip(tmp_path / "a.mp4")
    listed(tmp_path / "train.csv", "path,label\nb.mp4,0\na.mp4,0\n")
    listed(tmp_path / "val.csv", "path,label\n./a.mp4,0\n")

    with pytest.raises(DataError, match=r"val\.csv:2: '\./a\.mp4' is listed twice.*train\.csv:3"):
        prepared(tmp_path, tmp_path / "out")


def test_a_split_that_loses_all_its_videos_is_an_error_that_names_one(
    tmp_path: Path, clip: Callable[[Path], Path]
) -> None:
    clip(tmp_path / "a.mp4")
    listed(tmp_path / "bad.mp4", "no video")
    listed(tmp_path / "all.csv", "path,label,split\na.mp4,0,train\nbad.mp4,0,val\ngone.mp4,0,val\n")

    with pytest.raises(
        DataError, match=r"all\.csv:3: the split val is empty: all 2 videos"
    ) as caught:
        prepared(tmp_path, tmp_path / "out")

    assert caught.value.hint.endswith("rejected.csv")
    assert set(rejected(tmp_path / "out")) == {"bad.mp4", "gone.mp4"}


def test_a_val_list_alone_needs_its_classes(tmp_path: Path, clip: Callable[[Path], Path]) -> None:
    clip(tmp_path / "a.mp4")
    source = listed(tmp_path / "val.csv", "a.mp4 7\n")

    with pytest.raises(
        DataError, match=r"val\.csv:1: no training videos: the split train is empty"
    ):
        prepared(source, tmp_path / "out")
    summary = prepared(source, tmp_path / "out", classes="400")

    assert rows(summary.manifest) == [("a.mp4", 7, "val")]
    assert len(summary.manifest.classes or ()) == 400


def test_labels_out_of_range_stop_before_any_decoding(
    tmp_path: Path, clip: Callable[[Path], Path]
) -> None:
    clip(tmp_path / "a.mp4")
    source = listed(tmp_path / "train.csv", "a.mp4 0\nb.mp4 9\n")

    with pytest.raises(DataError, match=r"train\.csv:2: label 9 is out of range"):
        prepared(source, tmp_path / "out")

    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_is_written_outside_out(folders: Path, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))

    prepared(folders, tmp_path / "out")

    new = set(tmp_path.rglob("*")) - before
    assert {path.relative_to(tmp_path).parts[0] for path in new} == {"out"}


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        ("source itself", UsageError, "is the source itself"),
        ("a file", UsageError, "is a file"),
        ("someone's manifest", UsageError, "was not written by videomae prepare"),
        ("a prepared source", DataError, "is a prepared data set already"),
    ],
)
def test_an_out_that_is_something_else_is_refused(
    make: str, error: type[VideoMAEError], words: str, folders: Path, tmp_path: Path
) -> None:
    source, out = folders, tmp_path / "out"
    if make == "source itself":
        out = folders / "run" / ".."
    elif make == "a file":
        out = folders / "run" / "0.mp4"
    elif make == "someone's manifest":
        listed(out / "manifest.csv", "mine")
    else:
        prepared(folders, out)
        source, out = out, tmp_path / "second"

    with pytest.raises(error, match=words):
        prepared(source, out)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"val_fraction": 1.0}, "--val-fraction 1.0"),
        ({"decoder": "opencv"}, "no decoder 'opencv'"),
        ({"layout": "folders"}, "no layout 'folders'"),
    ],
)
def test_flags_out_of_range_are_refused(
    changes: dict[str, object], words: str, folders: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        prepared(folders, tmp_path / "out", **changes)


def test_a_class_without_training_videos_is_reported(folders: Path, tmp_path: Path) -> None:
    shutil.move(folders / "run", folders / "train" / "run")
    shutil.move(folders / "sit", folders / "val" / "sit")
    notes = Notes()

    prepared(folders, tmp_path / "out", notes)

    assert any("1 of 2 classes have no training video: sit" in line for line in notes.warned)


def test_the_command_prints_json_alone_on_stdout(
    folders: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folders / "run" / "bad.mp4").write_bytes(b"\0" * 99)
    out = tmp_path / "out"
    words = ["prepare", str(folders), "--out", str(out), "--decoder", "pyav", "--json"]

    code = app.run([*words, "--workers", "1", "--val-fraction", "0.4"])

    result = json.loads(capfd.readouterr().out)
    assert code == 0
    assert result["videos"] == {"train": 4, "val": 2, "test": 0}
    assert result["frames"] == {"min": 6, "median": 6, "max": 6}
    assert result["digest"] == read_manifest(out).digest
    assert sum(result["rejected"].values()) == 1
    assert app.run([*words, "--strict"]) == 3


def test_every_difficult_file_is_prepared_or_rejected(shared: Path, tmp_path: Path) -> None:
    source = shared / "videos" / "trouble"

    summary = run(source, tmp_path, Notes(), PrepareOptions(workers=2))

    videos = {video.path: video for video in summary.manifest.videos}
    assert set(videos) | set(rejected(tmp_path)) == {path.name for path in source.iterdir()}
    assert set(rejected(tmp_path)) == {"corrupted.mp4"}
    assert videos["packed_b_frames.avi"].decoder == "pyav"
    assert videos["rotated_90.mov"][3:7] == (3, 30.0, 320, 568)
    assert videos["three_frames.mov"].frames == 3
    assert videos["unordered_pts_4_frames.mov"].frames == 4
    assert videos["variable rate, spaces in name.mp4"].frames == 128


@pytest.mark.slow
def test_the_fights_have_the_split_of_their_table(shared: Path, tmp_path: Path) -> None:
    notes = Notes()

    summary = run(shared / "videos" / "fights", tmp_path, notes, PrepareOptions(workers=2))

    assert [len(summary.manifest.split(name)) for name in ("train", "val")] == [162, 46]
    assert summary.manifest.classes == ("noFight", "fight")
    assert notes.has("layout table: labels.csv")
    assert notes.has("--layout class-folders")
