"""The completion scripts are up to date, and the program completes what is typed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from videomae_cli.config import recipe_paths as library

ROOT = Path(__file__).resolve().parent.parent.parent
COMMANDS = [
    *("prepare", "pretrain", "finetune", "eval", "predict", "features", "report"),
    *("visualize-mask", "convert", "demo", "recipes"),
]


def complete(line: str, cwd: Path | None = None) -> list[str]:
    environment = os.environ | {
        "_VIDEOMAE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "videomae_cli"],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_the_scripts_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "completions" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_commands_are_offered() -> None:
    assert complete("videomae ") == COMMANDS


def test_the_flags_of_a_command_are_offered_without_hidden_ones() -> None:
    flags = {"--recipe", "--data", "--out", "--resume", "--set", "--devices", "--seed", "--json"}

    offered = set(complete("videomae pretrain --"))

    assert flags <= offered
    assert "--report" not in offered


@pytest.mark.parametrize("kind", ["pretrain", "finetune"])
def test_recipes_of_the_right_kind_are_offered_after_the_flag(kind: str) -> None:
    assert complete(f"videomae {kind} --recipe ") == list(library.list_names(kind))


def test_recipes_that_begin_with_the_typed_text_are_offered() -> None:
    expected = [name for name in library.list_names("pretrain") if name.startswith("ucf101")]

    assert complete("videomae pretrain --recipe ucf101") == expected


@pytest.mark.parametrize("command", ["show", "cp", "check"])
def test_all_recipes_are_offered_where_a_recipe_is_shown(command: str) -> None:
    assert complete(f"videomae recipes {command} ") == list(library.list_names())


def test_the_commands_of_recipes_are_offered() -> None:
    assert complete("videomae recipes ") == ["ls", "show", "cp", "check"]


@pytest.mark.parametrize("typed", ["eval --checkpoint", "report"])
def test_runs_are_offered_newest_first(typed: str, tmp_path: Path) -> None:
    for name in ("k400-vitb-20260101-0000", "k400-vitb-20260201-0000"):
        (tmp_path / "runs" / name).mkdir(parents=True)

    assert complete(f"videomae {typed} runs/k400", tmp_path) == [
        "runs/k400-vitb-20260201-0000",
        "runs/k400-vitb-20260101-0000",
    ]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_itself_completes_with_the_script() -> None:
    typed = (
        f"source '{ROOT}/completions/videomae.bash'; COMP_WORDS=(videomae pretr); COMP_CWORD=1;"
        ' _videomae_completion videomae; echo "${COMPREPLY[@]}"'
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "--norc", "-c", typed],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["pretrain"]
