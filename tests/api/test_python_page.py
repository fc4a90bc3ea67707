"""docs/python.md is true: its examples run in the order of the page."""

import re
from pathlib import Path

import pytest

from tests.api.models import write_autoencoder, write_classifier, write_videos

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
MAX_LINES = 150


def test_the_examples_run_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    write_classifier(tmp_path / "runs" / "my-finetune")
    write_autoencoder(tmp_path / "runs" / "my-pretrain")
    write_videos(tmp_path / "clips")
    blocks = BLOCK.findall(text)
    names: dict[str, object] = {}

    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)

    printed = capsys.readouterr().out
    assert len(blocks) >= 10
    assert printed.startswith("4 32 ('left', 'right', 'up')\n")
    assert "\n0.25\n" in printed
    assert "clips/missing.mp4: no such file" in printed
    assert (tmp_path / "first-frame.png").is_file()
    assert len(text.splitlines()) < MAX_LINES
