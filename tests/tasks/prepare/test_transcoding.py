"""`prepare` writes videos anew: once, all of them, and the same after any interruption."""

import json
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.data.decoding.odd_clips import write_video
from tests.data.make_clips import moving_square, write_clip
from tests.notes import Notes
from tests.tasks.prepare.test_prepare import listed, prepared, rejected
from videomae_cli.cli import app
from videomae_cli.data.decode import read_frames
from videomae_cli.data.manifest import Manifest, read_manifest
from videomae_cli.data.time_sampling import with_times
from videomae_cli.data.transcoding.forms import FORMS
from videomae_cli.errors import DataError, Stopped, UsageError
from videomae_cli.tasks.prepare.options import choose_form

RECORDS = ("probe-cache.jsonl", "transcoded.jsonl")
Usage = namedtuple("Usage", "total used free")


def contents(out: Path) -> dict[str, bytes]:
    """Return all files below a directory, except what was noted of the sources."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file())
    return {str(p.relative_to(out)): p.read_bytes() for p in files if p.name not in RECORDS}


def moments(out: Path) -> dict[str, tuple[int, int]]:
    """Return inode and time of change of each written video, which has the time of its source."""
    files = (path for path in (out / "videos").rglob("*") if path.is_file())
    return {
        str(path.relative_to(out)): (path.stat().st_ino, path.stat().st_ctime_ns) for path in files
    }


def check_frames(manifest: Manifest, source: Path, tolerance: float) -> None:
    for video in manifest.videos:
        name = Path(video.path).relative_to("videos")
        expected = read_frames(source / name.with_suffix(""), range(video.frames), decoder="pyav")
        frames = read_frames(manifest.video_path(video), range(video.frames), decoder=video.decoder)
        assert frames.shape == (video.frames, video.height, video.width, 3)
        expected = expected[:, :, : video.width]  # 48 columns become 46, see WIDTHS_TO_AVOID
        assert np.abs(frames.astype(int) - expected).mean() <= tolerance


@pytest.mark.parametrize("form", FORMS)
def test_the_manifest_lists_what_was_written(form: str, folders: Path, tmp_path: Path) -> None:
    out, notes = tmp_path / "out", Notes()
    plain = prepared(folders, tmp_path / "plain").manifest

    prepared(folders, out, notes, form=form)

    manifest = read_manifest(out)
    assert manifest.root == out
    assert [video.path for video in manifest.videos] == [
        f"videos/{video.path}{FORMS[form].suffix}" for video in plain.videos
    ]
    # the same labels, splits and frames: also the random split is that of the sources
    assert [v[1:5] for v in manifest.videos] == [v[1:5] for v in plain.videos]
    assert {(video.width, video.height) for video in manifest.videos} == {(46, 32)}
    assert {video.decoder for video in manifest.videos} == {FORMS[form].decoder}
    check_frames(manifest, folders, 0 if form == "uint8" else 4)
    facts = json.loads((out / "dataset.json").read_text())
    assert facts["transcoded"] == {"form": form, "short_side": 256, "version": 1}
    assert notes.has(f"transcoding 6 videos: {FORMS[form].title}, short side at most 256 pixels")
    assert notes.has("of disk (the files as they are: ") and notes.has("measured on 6 of them")
    assert notes.has("reading a clip of 16 frames, every fourth, takes ")
    written = {path for path in (out / "videos").rglob("*") if path.is_file()}
    assert written == {manifest.video_path(video) for video in manifest.videos}


def test_a_second_run_writes_nothing_and_changes_nothing(folders: Path, tmp_path: Path) -> None:
    out, notes = tmp_path / "out", Notes()
    prepared(folders, out, form="h264")
    before = contents(out), moments(out), (out / "transcoded.jsonl").read_bytes()

    prepared(folders, out, notes, form="h264")

    assert (contents(out), moments(out), (out / "transcoded.jsonl").read_bytes()) == before
    assert notes.has("6 of 6 videos are written already and unchanged")


def test_only_new_and_changed_videos_are_written(folders: Path, tmp_path: Path) -> None:
    out, notes = tmp_path / "out", Notes()
    prepared(folders, out, form="jpeg")
    before = moments(out)
    write_clip(folders / "run/0.mp4", 9, height=32, width=48)
    write_clip(folders / "run/new.mp4", 4, height=32, width=48)
    (out / "videos/sit/1.mp4.mjpeg").unlink()
    with (out / "videos/sit/2.mp4.mjpeg").open("ab") as file:
        file.write(b"\0")

    manifest = prepared(folders, out, notes, form="jpeg").manifest

    assert notes.has("3 of 7 videos are written already")
    check_frames(manifest, folders, 2)
    after = moments(out)
    unchanged = {name for name in before if after[name] == before[name]}
    assert unchanged == {f"videos/{name}.mp4.mjpeg" for name in ("run/1", "run/2", "sit/0")}
    assert after.keys() - before.keys() == {"videos/run/new.mp4.mjpeg"}


def test_a_copy_of_the_directory_is_checked_by_its_digests(folders: Path, tmp_path: Path) -> None:
    prepared(folders, tmp_path / "out", form="h264")
    copied, notes = tmp_path / "copied", Notes()
    shutil.copytree(tmp_path / "out", copied, copy_function=shutil.copyfile)
    flipped = copied / "videos/run/0.mp4.mp4"
    content = bytearray(flipped.read_bytes())
    content[-5] ^= 1
    flipped.write_bytes(content)

    prepared(folders, copied, notes, form="h264")

    assert notes.has("5 of 6 videos are written already")
    videos = contents(tmp_path / "out/videos")
    assert contents(copied / "videos") == videos


def test_other_settings_write_all_again(folders: Path, tmp_path: Path) -> None:
    out, notes = tmp_path / "out", Notes()
    prepared(folders, out, form="h264")

    small = prepared(folders, out, form="h264", short_side=32).manifest
    intra = prepared(folders, out, form="all-intra").manifest
    jpeg = prepared(folders, out, notes, form="jpeg").manifest

    assert small.digest != jpeg.digest != intra.digest
    check_frames(jpeg, folders, 2)
    assert any("6 videos that an earlier run wrote" in line for line in notes.warned)
    assert (out / "videos/run/0.mp4.mp4").exists(), "nothing of the user's disk is removed"


def test_an_interrupted_run_goes_on_where_it_was(folders: Path, tmp_path: Path) -> None:
    class Impatient(Notes):
        def advance(self, amount: int = 1, *, figures: str = "") -> None:
            if self.title == "measuring":
                raise KeyboardInterrupt

        def start(self, title: str, *, total: int, done: int = 0, unit: str = "step") -> None:
            self.title = title

    whole, out = tmp_path / "whole", tmp_path / "out"
    prepared(folders, whole, form="h264")

    with pytest.raises(Stopped, match="1 of 6 videos written") as caught:
        prepared(folders, out, Impatient(), form="h264")
    assert not (out / "manifest.csv").exists()
    prepared(folders, out, form="h264")

    assert caught.value.exit_code == 130
    assert contents(out / "videos") == contents(whole / "videos")
    assert (out / "manifest.csv").read_bytes() == (whole / "manifest.csv").read_bytes()


def test_what_a_killed_run_left_is_removed(folders: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "videos/run").mkdir(parents=True)
    (out / "videos/run/.0.mp4.partial-99999999.mp4").write_bytes(b"half")
    (out / "videos/run/1.mp4.mp4").write_bytes(b"written, but not noted")
    other = out / "videos/run/.other.mp4.partial-99999999.mp4"  # of a run for other videos
    other.write_bytes(b"half")

    prepared(folders, out, form="h264")

    assert {path.name for path in (out / "videos/run").iterdir()} == {
        "0.mp4.mp4",
        "1.mp4.mp4",
        "2.mp4.mp4",
        other.name,
    }


def test_a_disk_that_is_too_small_is_an_error_before_it_is_filled(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 10**6, 1000))

    with pytest.raises(DataError, match=r"need about .*B of disk") as caught:
        prepared(folders, tmp_path / "out", form="uint8")

    assert caught.value.exit_code == 3
    assert "--short-side" in caught.value.hint
    assert not [path for path in (tmp_path / "out/videos").rglob("*") if path.is_file()]
    assert not (tmp_path / "out/manifest.csv").exists()


def test_a_video_that_cannot_be_written_is_rejected_with_the_reason(
    folders: Path, tmp_path: Path
) -> None:
    write_video(
        folders / "run/flat.mp4",
        moving_square(4, 32, 48),
        codec="libx264",
        pixels="yuv420p",
        sample_aspect_ratio=9,
    )

    summary = prepared(folders, tmp_path / "out", form="h264")

    assert rejected(tmp_path / "out") == {
        "run/flat.mp4": "cannot be transcoded: pixels of 9:1 are not plausible"
    }
    assert len(summary.manifest.videos) == 6
    with pytest.raises(DataError, match="1 of 7 videos are rejected"):
        prepared(folders, tmp_path / "strict", form="h264", is_strict=True)


def test_times_of_a_variable_rate_and_notes_follow_the_written_video(tmp_path: Path) -> None:
    times = [0, 40, 90, 133, 400, 441]
    write_video(
        tmp_path / "source/a.mkv",
        moving_square(6, 32, 40),
        codec="libx264",
        pixels="yuv420p",
        times=times,
        sample_aspect_ratio=2,
    )

    summary = prepared(tmp_path / "source", tmp_path / "out", form="jpeg")

    video = summary.manifest.videos[0]
    assert (video.path, video.width, video.height) == ("videos/a.mkv.mjpeg", 80, 32)
    assert list(summary.notes) == ["variable frame rate"]
    manifest = with_times(read_manifest(tmp_path / "out"))
    assert manifest.times[video.path].tolist() == [time / 1000 for time in times]


def test_absolute_paths_and_paths_outside_the_list_get_names_of_their_own(
    tmp_path: Path, clip: Callable[[Path], Path]
) -> None:
    inside, outside = clip(tmp_path / "lists/a.mp4"), clip(tmp_path / "elsewhere/a.mp4")
    source = listed(tmp_path / "lists/train.csv", f"path,label\n{inside},0\n{outside},1\n")

    manifest = prepared(source, tmp_path / "out", form="uint8").manifest

    first, second = (video.path for video in manifest.videos)
    assert first == "videos/a.mp4.npy"
    assert second.startswith("videos/outside-root/") and second.endswith("/a.mp4.npy")
    assert all(manifest.video_path(video).is_file() for video in manifest.videos)


def test_options_that_contradict_each_other(folders: Path, tmp_path: Path) -> None:
    for changes, words in (
        ({"short_side": 128}, "for videos that are written anew"),
        ({"form": "jpeg", "short_side": 8}, "less than 32"),
        ({"form": "jpeg", "decoder": "decord"}, "cannot be used with --transcode"),
    ):
        with pytest.raises(UsageError, match=words):
            prepared(folders, tmp_path / "out", **changes)
    with pytest.raises(UsageError, match="inside"):
        prepared(folders, folders / "prepared", form="h264")
    with pytest.raises(UsageError, match="--jpeg and --uint8 ask for several forms"):
        choose_form(transcode=True, all_intra=False, jpeg=True, uint8=True)
    assert choose_form(transcode=False, all_intra=True, jpeg=False, uint8=False) == "all-intra"
    assert choose_form(transcode=True, all_intra=False, jpeg=False, uint8=False) == "h264"
    assert choose_form(transcode=False, all_intra=False, jpeg=False, uint8=False) is None


def test_the_command_line(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["prepare", str(folders), "--out", str(out), "--jpeg", "--short-side", "32", "--json"]

    assert app.run([*words, "--workers", "1"]) == 0

    facts = json.loads(capsys.readouterr().out)
    assert facts["decoders"] == {"jpeg": 6}
    assert facts["root"] == str(out)
    assert len(list((out / "videos/run").iterdir())) == 3
