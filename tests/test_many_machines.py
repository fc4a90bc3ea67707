"""What docs/many-machines.md tells to type can be typed: our options and the launchers' own."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from accelerate.commands.launch import launch_command_parser
from torch.distributed.run import get_args_parser

from tests.test_readme import parse

TEXT = (Path(__file__).resolve().parent.parent / "docs/many-machines.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)


def commands(block: str) -> Iterator[str]:
    """Yield the command lines of a script, whole, with every content of its arrays in turn."""
    lines = [line.strip() for line in block.replace("\\\n", " ").splitlines()]
    arrays = [found for line in lines if (found := re.fullmatch(r"(\w+)=\((.*)\)", line))]
    for line in lines:
        if not re.search(r"\b(videomae|videomae_cli) \w", line) or line.startswith("#"):
            continue
        for array in arrays or [None]:
            filled = line if array is None else line.replace(f'"${{{array[1]}[@]}}"', array[2])
            yield re.sub(r"\$(\(\(.*?\)\)|\w+)", "8", filled)


LINES = sorted({line for block in BLOCKS for line in commands(block)})


def ours(line: str) -> str:
    """Return the command of ours that a line starts; its launcher's options are looked at.

    A name for which no launcher has an option ends the test with the launcher's own message.
    """
    words = shlex.split(line)
    if "torchrun" in words:
        given = get_args_parser().parse_args(words[words.index("torchrun") + 1 :])
    elif "accelerate" in words:
        given = launch_command_parser().parse_args(words[words.index("launch") + 1 :])
    else:
        return shlex.join(words[words.index("videomae") :])
    assert given.module and given.training_script == "videomae_cli"
    return shlex.join(["videomae", *given.training_script_args])


@pytest.mark.parametrize("line", LINES)
def test_a_command_on_the_page_parses(line: str) -> None:
    parse(ours(line))


def test_the_page_shows_every_launcher_and_both_scripts_resume() -> None:
    starts = [line.split()[0] for line in LINES]

    assert {"videomae", "torchrun", "accelerate", "srun"} == set(starts)
    for launcher in ("torchrun ", "videomae "):
        of_slurm = [line for line in LINES if line.startswith("srun ") and launcher in line]
        assert sorted("--resume" in line for line in of_slurm) == [False, True]


def test_a_wrong_option_of_a_launcher_would_be_seen(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ours("torchrun --nodez 2 -m videomae_cli pretrain --recipe demo")

    assert "--nodez" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("block", BLOCKS)
def test_bash_can_read_what_the_page_shows(block: str) -> None:
    read = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)

    assert (read.returncode, read.stderr) == (0, "")
