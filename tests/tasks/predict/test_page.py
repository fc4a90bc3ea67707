"""The lines of docs/predict.md do what the page says."""

import io
import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.data.make_clips import write_clip
from tests.tasks.predict.clips import write_classifier
from videomae_cli.cli.app import run

PAGE = Path(__file__).resolve().parents[3] / "docs" / "predict.md"
BLOCK = re.compile(r"```(text|bash)\n(.*?)```", re.DOTALL)


@pytest.mark.slow
def test_every_line_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    videos = next(text for kind, text in blocks if kind == "text").split()
    lines = [line for kind, text in blocks if kind == "bash" for line in text.splitlines()]
    monkeypatch.chdir(tmp_path)
    for number, video in enumerate(videos):
        write_clip(tmp_path / video, 45 if video == "match.mp4" else 12, seed=number)
    write_classifier(tmp_path / "weights")
    listed = "\n".join(video for video in videos if video.startswith("clips"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed.encode())))

    codes = [run(shlex.split(line.rpartition("| ")[2])[1:]) for line in lines]

    assert codes == [0] * 5, capfd.readouterr().err
    made = {path.name for path in tmp_path.rglob("*") if path.is_file()} - {"model.safetensors"}
    assert {"labels.csv", "match.png", "predictions.jsonl", "timeline.png"} <= made
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 1 + 3 * 3
