"""What is printed about one thing is in the singular."""

import re
from pathlib import Path

import pytest

from tests.data.make_clips import write_clip
from tests.notes import CLASSIFIER, written
from videomae_cli.cli.app import run
from videomae_cli.units import plural

# "1 videos", but not "1 of 1 videos", "1/1 videos" or "0.1 seconds"
WRONG = re.compile(r"(?<![\w.,/-])(?<!of )1 [a-z]+(?<!s)s\b(?! (of|is)\b)")


def test_nouns_have_their_endings() -> None:
    texts = [plural(1), plural(1200), plural(2, "class"), plural(1, "class"), plural(0, "shard")]
    assert texts == ["1 video", "1,200 videos", "2 classes", "1 class", "0 shards"]
    assert WRONG.search("into 1 shards") and not WRONG.search("1 of 1 videos in 1 process")


def test_one_of_each_kind_is_said_in_the_singular(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    clips, weights = tmp_path / "clips", str(written(tmp_path / "weights", CLASSIFIER))
    write_clip(clips / "a.mp4", 70)
    (tmp_path / "list.csv").write_text("path,start,end\na.mp4,0.2,1.5\n")
    quick = ["--decoder", "pyav", "--workers", "1"]
    lines = [
        ["prepare", str(clips), "--out", str(tmp_path / "one"), "--shards", "shards", *quick],
        ["prepare", str(clips), "--out", str(tmp_path / "jpeg"), "--jpeg", *quick],
        ["prepare", str(tmp_path / "list.csv"), "--root", str(clips), "--out",
         str(tmp_path / "segments"), *quick],
        ["predict", str(clips), "--checkpoint", weights, "--allow-untrained-head"],
        ["features", str(clips), "--checkpoint", weights, "--out", str(tmp_path / "f"),
         "--clips", "1", "--crops", "1"],
    ]  # fmt: skip
    for line in lines:
        assert run(line) == 0
        output = "".join(capfd.readouterr())
        assert [output[max(0, one.start() - 60) : one.end() + 20] for one in WRONG.finditer(output)
                ] == []  # fmt: skip
