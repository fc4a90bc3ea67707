"""docs/unused.md is true: `prepare` prints its lines for things that are not used."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.layouts.prepared import place_clips, place_texts
from tests.data.make_frames import write_frame_folder
from videomae_cli.cli.app import run

PAGE = Path(__file__).resolve().parent.parent / "docs" / "unused.md"
SPAN = re.compile(r"``(.+?)``(?!`)|(?<!`)`([^`]+)`(?!`)")


def page_lines() -> list[re.Pattern[str]]:
    """Return the lines of the page, with any number for a number and any text for `...`."""
    cells = [
        row.split("|")[2] for row in PAGE.read_text(encoding="utf-8").splitlines() if "|" in row
    ]
    spans = [(found[1] or found[2]).strip() for cell in cells for found in SPAN.finditer(cell)]
    return [
        re.compile(re.sub(r"\d+", r"\\d+", re.escape(text)).replace(r"\.\.\.", ".*") + "$")
        for text in spans
    ]


def write_lists(source: Path) -> Path:
    """Write lists, with something of each kind that is not used beside them."""
    place_clips(source, [f"{number}.mp4" for number in range(1, 6)])
    texts = {
        "train.csv": "path,label,camera\n1.mp4,1,left\n2.mp4,2,right\n",
        "val.txt": "3.mp4 1\n",
        "old.txt": "1.mp4 1\n",
        "old/val.txt": "3.mp4 1\n",
        "readme.txt": "a data set of two classes\n",
        "features.npy": "",
    }
    place_texts(source, {**texts, "test.txt": texts["val.txt"]})
    return source


def write_folders(source: Path) -> Path:
    """Write class folders, with something of each kind that is not used inside them."""
    for name in ("jump/1", "jump/2", "jump/person/3", "run/1", "run/2"):
        write_frame_folder(source / name, 3, height=16, width=16)
    write_frame_folder(source / "run/1", 3, pattern="flow_x_{:05d}.jpg", height=16, width=16)
    place_texts(source, {"notes.txt": "", "more.txt": "", ".hidden": ""})
    (source / "empty").mkdir()
    return source


@pytest.mark.parametrize(
    ("write", "least"), [(write_lists, 8), (write_folders, 5)], ids=["lists", "folders"]
)
def test_all_that_is_not_used_is_on_the_page(
    write: Callable[[Path], Path], least: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "source")

    code = run(
        ["prepare", str(source), "--out", str(tmp_path / "out"), "--decoder", "pyav", "--workers=1"]
    )

    printed = capfd.readouterr()
    assert code == 0, printed.err
    lines = (printed.out + printed.err).splitlines()
    shown = [line for line in lines if re.search(r"warning:|not read|test list", line)]
    plain = [line.removeprefix("warning: ") for line in shown]
    known = page_lines()
    unknown = [
        line
        for line, with_prefix in zip(plain, shown, strict=True)
        if not any(pattern.match(line) or pattern.match(with_prefix) for pattern in known)
    ]
    assert unknown == []
    assert len(plain) >= least
