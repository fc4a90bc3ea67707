"""The walk of docs/small-data.md, from published weights to an evaluation, as printed.

The weights are a stand-in: a ViT-S with random values in the format of VideoMAE's files. So the
walk is tested, not what published weights are good for.
"""

import json
import shlex
from pathlib import Path

import pytest

from tests.data.make_clips import write_clip
from tests.e2e.test_published_lines import SHORT, lines_of, write_small_data_weights
from videomae_cli.cli import app


@pytest.mark.slow
def test_the_walk_from_published_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(16):
        kind = ("jump", "run")[number % 2]
        write_clip(tmp_path / "my-videos" / kind / f"{number}.mp4", 40, height=48, width=64)
    write_small_data_weights(tmp_path / "stand-in")
    assert app.run(["convert", "stand-in", "checkpoint.pth", "--to", "v1"]) == 0
    lines = lines_of("docs/small-data.md")

    for line in lines:
        is_training = line.split()[1] in {"pretrain", "finetune"}
        words = shlex.split(f"{line} {SHORT}" if is_training else line)[1:]
        assert app.run(words) == 0, line

    assert len(lines) == 6
    assert "published weights" in capsys.readouterr().out
    probe = json.loads((tmp_path / "runs/probe/final/model.json").read_text())
    assert probe["classes"] == ["jump", "run"]
