"""One prepared directory, used for files as they are and for written ones by turns."""

import os
from pathlib import Path

import pytest

from tests.notes import Notes
from tests.tasks.prepare.test_prepare import prepared
from videomae_cli.data.manifest import read_manifest

RESULTS = ("manifest.csv", "rejected.csv", "classes.json")


def count_lines(out: Path, text: str) -> int:
    return (out / "probe-cache.jsonl").read_text().count(text)


@pytest.mark.parametrize("decoder", ["auto", "pyav"])
def test_nothing_is_decoded_again_to_write_videos_after_a_plain_run(
    decoder: str, folders: Path, tmp_path: Path
) -> None:
    (folders / "run" / "broken.mp4").write_bytes(b"no video")
    out, fresh, notes = tmp_path / "out", tmp_path / "fresh", Notes()
    prepared(folders, out, decoder=decoder)
    plain = {name: (out / name).read_bytes() for name in RESULTS}

    prepared(folders, out, notes, form="jpeg")
    prepared(folders, fresh, form="jpeg")

    assert notes.has("6 of 7 files are unchanged since an earlier run")
    assert count_lines(out, '"probe"') == 6 and count_lines(out, '"reason"') == 2
    for name in RESULTS:
        assert (out / name).read_bytes() == (fresh / name).read_bytes()
    again = Notes()
    prepared(folders, out, again, decoder=decoder)
    assert again.has("7 of 7 files are unchanged since an earlier run")
    assert {name: (out / name).read_bytes() for name in RESULTS} == plain


def test_only_the_decoder_is_chosen_after_videos_were_written(
    folders: Path, tmp_path: Path
) -> None:
    (folders / "run" / "broken.mp4").write_bytes(b"no video")
    out, fresh, notes = tmp_path / "out", tmp_path / "fresh", Notes()
    prepared(folders, out, form="jpeg")
    # frames that were not counted again keep the number that the first run has found
    text = (out / "probe-cache.jsonl").read_text().replace('"probe": [6, ', '"probe": [5, ')
    (out / "probe-cache.jsonl").write_text(text)

    prepared(folders, out, notes, decoder="auto")
    prepared(folders, fresh, decoder="auto")

    assert notes.has("1 of 7 files are unchanged since an earlier run")
    assert notes.has("of 6 unchanged files only the decoder has to be chosen")
    rows = (fresh / "manifest.csv").read_text().replace(",6,25.0,", ",5,25.0,")
    assert (out / "manifest.csv").read_text() == rows
    assert (out / "rejected.csv").read_bytes() == (fresh / "rejected.csv").read_bytes()


def test_a_file_that_was_changed_is_decoded_again(folders: Path, tmp_path: Path) -> None:
    out, notes = tmp_path / "out", Notes()
    prepared(folders, out)
    os.utime(folders / "run/0.mp4", ns=(1, 1))

    prepared(folders, out, notes, form="jpeg")

    assert notes.has("5 of 6 files are unchanged since an earlier run")
    assert not notes.has("only the decoder")


def test_written_videos_and_shards_of_earlier_runs_are_named(folders: Path, tmp_path: Path) -> None:
    out, written, plain, last = tmp_path / "out", Notes(), Notes(), Notes()
    prepared(folders, out, shards="shards")
    prepared(folders, out, written, form="uint8")
    prepared(folders, out, plain)
    prepared(folders, out, last, shards="shards")

    size = sum(path.stat().st_size for path in folders.rglob("*.mp4"))
    shards = f"the shards that an earlier run wrote to {out / 'shards'} ({size / 1000:.3g} kB)"
    videos = f"6 videos that an earlier run wrote (160 kB) are not used any more, such as {out}"
    unused = [
        [words for words in (shards, videos) if any(words in line for line in notes.warned)]
        for notes in (written, plain, last)
    ]
    assert unused == [[shards], [shards, videos], [videos]]
    assert (out / "videos/run/0.mp4.npy").is_file() and (out / "shards.sqlite").is_file()


def test_written_videos_that_are_listed_again_are_in_use(folders: Path, tmp_path: Path) -> None:
    out, notes = tmp_path / "out", Notes()
    prepared(folders, out, form="h264")
    listed = tmp_path / "out" / "all.csv"
    names = [video.path for video in read_manifest(out).videos]
    listed.write_text("path,label\n" + "".join(f"{name},a\n" for name in names[1:]))

    prepared(listed, out, notes)

    assert sum("an earlier run wrote" in line for line in notes.warned) == 1
    assert any(line.startswith("1 video that an earlier run wrote") for line in notes.warned)
