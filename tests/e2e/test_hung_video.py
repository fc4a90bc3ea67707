"""A video that hangs its decoder: pretraining names it, leaves it out and ends as usual."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.data.make_clips import write_clip
from videomae_cli.cli import app
from videomae_cli.data.manifest import read_manifest
from videomae_cli.engine.logging.metrics import read_metrics


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes")
def test_pretraining_goes_on_without_a_video_that_hangs(
    recipes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(8):
        write_clip(tmp_path / "videos" / f"{number}.mp4", 12, height=40, width=56, seed=number)
    prepare = ["prepare", "videos", "--out", "data", "--workers", "1", "--val-fraction", "0"]
    assert app.run(prepare) == 0
    assert len(read_manifest(tmp_path / "data").split("train")) == 8
    hung = tmp_path / "videos" / "3.mp4"
    hung.unlink()
    os.mkfifo(hung)  # opening it waits for somebody who writes

    settings = ["--set", "train.workers=2", "--set", "train.decode_seconds=8"]
    pretrain = ["pretrain", "--recipe", f"{recipes}/micro.yaml", "--data", "data", "--out", "run"]
    assert app.run([*pretrain, *settings]) == 0

    assert read_metrics(tmp_path / "run/metrics.jsonl")[-1]["step"] == 12
    entries = [json.loads(line) for line in Path("run/quarantine.jsonl").read_text().splitlines()]
    assert [(Path(entry["path"]).name, entry["epoch"]) for entry in entries] == [("3.mp4", 0)]
    final_state = json.loads(
        sorted(Path("run/checkpoints").glob("step-*/state.json"))[-1].read_text()
    )
    assert final_state["failed"] > 0
