"""The lines of docs/transcoding.md do what the page says."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from videomae_cli.cli.app import run
from videomae_cli.data.manifest import read_manifest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "transcoding.md"
BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)


def test_every_line_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: Callable[[Path], Path]
) -> None:
    lines = BLOCK.search(PAGE.read_text(encoding="utf-8"))
    assert lines is not None
    for name in ("run/a.avi", "sit/a.mp4", "sit/b.mp4", "run/b.mp4"):
        clip(tmp_path / "clips" / name)
    monkeypatch.chdir(tmp_path)

    codes = [run(shlex.split(line)[1:]) for line in lines[1].splitlines()]

    assert codes == [0] * 4
    manifests = [read_manifest(path) for path in sorted((tmp_path / "data").iterdir())]
    decoders = [{video.decoder for video in manifest.videos} for manifest in manifests]
    assert decoders == [{"h264"}, {"h264"}, {"jpeg"}, {"uint8"}]
    assert (tmp_path / "data/h264/videos/run/a.avi.mp4").is_file()
