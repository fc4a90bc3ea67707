"""docs/your-data.md is true: each example is built, run through the command line and compared."""

import itertools
import re
import shlex
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from tests.data.layouts.prepared import place_clips
from videomae_cli.cli.app import run
from videomae_cli.data.manifest import Manifest, read_manifest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "your-data.md"
BLOCK = re.compile(r"```(text|bash)\n(.*?)```", re.DOTALL)
FILE = re.compile(r"(\S[^:]*?)(?: \(([\w-]+)\))?:")
MAX_LINES = 250


class Example(NamedTuple):
    """One section of the page."""

    paths: list[str]
    """Videos, images and other files, of which the content does not matter."""
    texts: dict[str, bytes]
    command: list[str]
    expected: list[str]


def read_example(section: str) -> Example | None:
    """Return the example of a section: files, command, lines; None if it has none."""
    blocks = BLOCK.findall(section)
    if [kind for kind, _ in blocks] != ["text", "bash"]:
        return None
    files, typed = [text for _, text in blocks]
    command, *expected = typed.splitlines()
    paths: list[str] = []
    texts: dict[str, bytes] = {}
    name, encoding = "", ""
    for line in files.splitlines():
        if line.startswith("    "):
            texts[name] += f"{line[4:]}\n".encode(encoding)
        elif match := FILE.fullmatch(line):
            name, encoding = match[1], match[2] or "utf-8"
            texts[name] = b""
        else:
            paths += expand(line)
    return Example(paths, texts, shlex.split(command), [line[2:] for line in expected])


def expand(line: str) -> list[str]:
    """Return the paths that a line with braces stands for."""
    parts = re.split(r"\{(.*?)\}", line)
    choices = [part.split(",") if number % 2 else [part] for number, part in enumerate(parts)]
    return ["".join(choice) for choice in itertools.product(*choices)]


def read_page() -> dict[str, Example]:
    sections = PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    examples = {section.partition("\n")[0]: read_example(section) for section in sections}
    return {title: example for title, example in examples.items() if example}


def build(example: Example, folder: Path) -> None:
    """Write the files of an example."""
    videos = [path for path in example.paths if path.endswith((".mp4", ".avi", ".webm"))]
    place_clips(folder, videos)
    for number, path in enumerate(example.paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith(".jpg"):
            Image.fromarray(np.full((16, 16, 3), 20 * number, np.uint8)).save(folder / path)
        elif path not in videos:
            (folder / path).write_text("")
    for name, text in example.texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)


def sum_up(manifest: Manifest) -> str:
    """Return the last line of an example: videos of each split, and the classes."""
    counts = Counter(video.split for video in manifest.videos)
    splits = ", ".join(f"{split} {counts[split]}" for split in ("train", "val", "test"))
    return f"{splits}; classes: {', '.join(manifest.classes or ('none',))}"


EXAMPLES = read_page()


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_prints_what_the_page_shows(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    example = EXAMPLES[title]
    build(example, tmp_path)
    monkeypatch.chdir(tmp_path)
    program, *words = example.command

    code = run([*words, "--decoder", "pyav", "--workers", "1"])

    printed = capfd.readouterr()
    lines = (printed.out + printed.err).splitlines()
    assert (program, code) == ("videomae", 0), printed.err
    lines.append(sum_up(read_manifest(Path(words[words.index("--out") + 1]))))
    assert [line for line in example.expected if line not in lines] == [], "\n".join(lines)
    assert example.expected[-1] == lines[-1]


def test_the_page_has_an_example_for_each_layout() -> None:
    text = PAGE.read_text(encoding="utf-8")
    layouts = set(re.findall(r"^# layout ([\w-]+):", text, re.MULTILINE))

    assert len(EXAMPLES) >= 12
    assert layouts >= {"table", "list-paths", "list-label", "class-folders", "videos"}
    assert len(text.splitlines()) <= MAX_LINES
