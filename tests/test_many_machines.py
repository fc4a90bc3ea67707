"""The commands in docs/many-machines.md are valid: our options and those of the launchers."""

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
from videomae_cli.engine.distributed.slurm import MASTER_ADDR_LINE

TEXT = (Path(__file__).resolve().parent.parent / "docs/many-machines.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)


def commands(block: str) -> Iterator[str]:
    """Yield the command lines of a script, once for each value of its arrays."""
    lines = [line.strip() for line in block.replace("\\\n", " ").splitlines()]
    arrays = [found for line in lines if (found := re.fullmatch(r"(\w+)=\((.*)\)", line))]
    for line in lines:
        if not re.search(r"\b(videomae|videomae_cli) \w", line) or line.startswith("#"):
            continue
        for array in arrays or [None]:
            filled = line if array is None else line.replace(f'"${{{array[1]}[@]}}"', array[2])
            yield re.sub(r"\$(\(\(.*?\)\)|\w+)", "8", filled)


LINES = sorted({line for block in BLOCKS for line in commands(block)})


def our_command(line: str) -> str:
    """Return the `videomae` command in a line; the options of its launcher are parsed.

    An unknown option ends the test with the message of the launcher.
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
    parse(our_command(line))


def test_the_page_shows_every_launcher_and_both_scripts_resume() -> None:
    starts = [line.split()[0] for line in LINES]

    assert {"videomae", "torchrun", "accelerate", "srun"} == set(starts)
    for launcher in ("torchrun ", "videomae "):
        of_slurm = [line for line in LINES if line.startswith("srun ") and launcher in line]
        assert sorted("--resume" in line for line in of_slurm) == [False, True]


def test_a_wrong_option_of_a_launcher_is_detected(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        our_command("torchrun --nodez 2 -m videomae_cli pretrain --recipe demo")

    assert "--nodez" in capsys.readouterr().err


def test_both_slurm_scripts_set_the_address_that_several_nodes_need() -> None:
    scripts = [block for block in BLOCKS if "#SBATCH" in block]

    assert len(scripts) == 2
    for script in scripts:
        before_srun, _ = script.split("\nsrun ")
        assert MASTER_ADDR_LINE in before_srun.splitlines()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("block", BLOCKS)
def test_bash_can_parse_the_scripts_of_the_page(block: str) -> None:
    read = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)

    assert (read.returncode, read.stderr) == (0, "")
