"""Every command runs through in any locale and encoding, with names that no encoding has."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.make_clips import write_clip
from tests.e2e.micro import write_recipes

pytestmark = pytest.mark.skipif(os.name == "nt", reason="names are bytes on POSIX systems only")

ASCII_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0"}
CP1252 = {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "cp1252"}
ASCII_STREAMS = {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "ascii"}
UTF8 = {"LC_ALL": "C.UTF-8"}
SETTINGS = {"C": ASCII_LOCALE, "cp1252": CP1252, "ascii": ASCII_STREAMS, "utf-8": UTF8}
COMMANDS = (
    *("prepare", "pretrain", "finetune", "eval", "report", "visualize-mask", "convert", "demo"),
    "recipes",
)
LATIN, UNICODE = "caf\udce9.mp4", "é-東 \u00d7.mp4"  # the first is b"caf\xe9.mp4" on the disk
ROOT = str(Path(__file__).parents[2])
# runs command lines that stand between ";" in one process, which loads torch once; a NUL ends each
SEVERAL = """
import sys
from itertools import groupby
from videomae_cli.cli.app import run
from videomae_cli.streams import restart_in_utf8_mode
restart_in_utf8_mode()
for is_end, line in groupby(sys.argv[1:], lambda word: word == ";"):
    if not is_end:
        code = run(list(line))
        print(end="\\0", flush=True)
        if code:
            sys.exit(code)
"""


def videomae(
    *arguments: str | Path,
    setting: dict[str, str],
    folder: Path,
    code: int = 0,
    program: tuple[str, str] = ("-m", "videomae_cli"),
) -> subprocess.CompletedProcess[bytes]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, *program, *arguments],
        env={**inherited, "PYTHONPATH": ROOT, **setting},
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stderr.decode(errors="replace")
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr
    return done


def make_videos(folder: Path, count: int) -> Path:
    """Write videos of two classes into a folder whose name is Latin-1; return its path."""
    root = folder / "vid\udce9os"
    for kind in ("clé", "plain"):
        (root / kind).mkdir(parents=True)
        for number in range(count):
            name = (LATIN, UNICODE)[number] if number < 2 else f"{number}.mp4"
            clip = write_clip(folder / "new.mp4", 14, seed=number + 100 * len(kind))
            clip.rename(root / kind / name)
    return root


@pytest.mark.parametrize("name", SETTINGS)
def test_each_help_is_printed(name: str, tmp_path: Path) -> None:
    code = (
        "import sys; from videomae_cli.cli import app;"
        f"codes = [app.run([one, '--help']) for one in {COMMANDS}]; assert codes == [0] * 9, codes"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": ROOT, **SETTINGS[name]},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b"Usage: ") == len(COMMANDS)


def test_names_on_the_disk_are_the_same_in_every_locale(tmp_path: Path) -> None:
    source = make_videos(tmp_path, 2)
    manifests = []
    for name in ("C", "utf-8"):
        out = tmp_path / f"d\udce9-{name}"
        line = ("prepare", source, "--out", out, "--json", "--val-fraction", "0.5")
        done = videomae(*line, setting=SETTINGS[name], folder=tmp_path)
        summary = json.loads(done.stdout)
        assert summary["out"] == str(out)
        assert summary["classes"] == ["clé", "plain"]
        assert rb"d\xe9-" in done.stderr  # for people
        manifests.append((out / "manifest.csv").read_bytes())

    assert manifests[0] == manifests[1]
    assert os.fsencode(LATIN) in manifests[0] and UNICODE.encode() in manifests[0]


def test_errors_name_paths_that_cannot_be_printed(tmp_path: Path) -> None:
    shown = {"C": rb"\u00e9", "ascii": rb"\u00e9", "cp1252": b"\xe9", "utf-8": "é".encode()}
    for name, setting in SETTINGS.items():
        line = ("prepare", "/no/\udce9\x1b[1m/é", "--out", tmp_path)
        done = videomae(*line, setting=setting, folder=tmp_path, code=3)
        assert rb"error: /no/\xe9\x1b[1m/" + shown[name] + b" does not exist" in done.stderr


@pytest.mark.slow  # six commands, most of which load torch
@pytest.mark.parametrize("name", ["C", "cp1252"])
def test_the_whole_walk_in_directories_of_any_name(name: str, tmp_path: Path) -> None:
    source = make_videos(tmp_path, 8)
    write_recipes(tmp_path)
    data, run, tuned = (tmp_path / one for one in ("d\udce9ta", "ru\udce9n $_$", "t\udce9"))

    def do(*lines: tuple[str | Path, ...]) -> list[bytes]:
        words = [word for line in lines for word in (*line, ";")]
        program, setting = ("-c", SEVERAL), SETTINGS[name]
        done = videomae(*words, setting=setting, folder=tmp_path, program=program)
        return done.stdout.split(b"\0")[: len(lines)]

    videomae("prepare", source, "--out", data, setting=SETTINGS[name], folder=tmp_path)
    # as an earlier version wrote a class name that is no text
    (data / "classes.json").write_bytes(b'["cl\xc3\xa9", "pl\xe4in"]')
    fine = ("--recipe", "micro-finetune.yaml", "--checkpoint", run, "--data", data, "--out", tuned)
    *_, scores, picture = do(
        ("pretrain", "--recipe", "micro.yaml", "--data", data, "--out", run),
        ("pretrain", "--resume", run),
        ("finetune", *fine),
        ("eval", "--checkpoint", tuned, "--data", data, "--json"),
        ("visualize-mask", source / "clé" / LATIN, "--checkpoint", run, "--json"),
    )

    assert json.loads(scores)["videos"] > 0
    config = json.loads((tuned / "final" / "model.json").read_bytes())
    assert config["classes"] == ["clé", r"pl\xe4in"]
    recipe = (tuned / "recipe.yaml").read_text(encoding="utf-8")
    assert r"d\udce9ta" in recipe and r"ru\udce9n $_$" in recipe
    assert "caf\udce9.png" in json.loads(picture)["files"][0]
