"""The report of a transcoded set describes what was written, and the sources as such."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.make_clips import write_clip
from tests.notes import Notes
from videomae_cli.data.transcoding.forms import FORMS
from videomae_cli.tasks.prepare.options import PrepareOptions
from videomae_cli.tasks.prepare.prepare import run

WRITTEN = {
    "h264": ("h264 yuv420p", "mov", "16 to 31"),
    "all-intra": ("h264 yuv420p", "mov", "0 to 15"),
    "jpeg": ("jpeg", "mjpeg", "0 to 15"),
    "uint8": ("uint8", "npy", "0 to 15"),
}


def report_of(source: Path, out: Path, **options: Any) -> tuple[dict[str, Any], str]:
    """Prepare a folder or a list; return the numbers of the report, and the page."""
    run(source, out, Notes(), PrepareOptions(decoder="pyav", workers=1, **options))
    page = (out / "health.html").read_text()
    return json.loads((out / "health.json").read_text())["data"], page


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for number in range(4):
        path = folder / f"{'ab'[number % 2]}/{number}.avi"
        write_clip(path, 20, codec="mpeg4", height=48, width=64, seed=number)
    return folder


@pytest.mark.parametrize("form", FORMS)
def test_written_files_and_sources_are_described_apart(
    form: str, source: Path, tmp_path: Path
) -> None:
    data, page = report_of(source, tmp_path, form=form, short_side=32)

    codec, container, distance = WRITTEN[form]
    written = [path for path in (tmp_path / "videos").rglob("*") if path.is_file()]
    assert data["bytes"] == sum(path.stat().st_size for path in written)
    assert data["codec_counts"] == [[codec, 4]] and data["container_counts"] == [[container, 4]]
    assert data["key_distance_counts"] == [[distance, 4]]
    assert data["source"] == {
        "bytes": sum(path.stat().st_size for path in source.rglob("*.avi")),
        "with_audio": 0,
        "codec_counts": [["mpeg4 yuv420p", 4]],
        "container_counts": [["avi", 4]],
    }
    assert "Codec and pixel format of the sources" in page and "in written files" in page


def test_files_that_are_used_as_they_are_have_no_sources(source: Path, tmp_path: Path) -> None:
    data, page = report_of(source, tmp_path)

    assert data["source"] is None and data["codec_counts"] == [["mpeg4 yuv420p", 4]]
    assert "of the sources" not in page and "in files" in page


def test_the_bytes_of_a_file_with_several_segments_count_once(source: Path, tmp_path: Path) -> None:
    rows = [f"a/0.avi,{start},{start + 4},a" for start in (0, 4, 8)]
    (tmp_path / "list.csv").write_text("\n".join(["path,start_frame,end_frame,label", *rows]))

    data, _ = report_of(tmp_path / "list.csv", tmp_path / "out", root=source, val_fraction=0)

    assert data["bytes"] == (source / "a/0.avi").stat().st_size
    assert data["codec_counts"] == [["mpeg4 yuv420p", 3]]
