"""Write the completion scripts from the program's own `--show-completion`.

`python completions/generate.py` writes them; with `--check` it only compares them, and exits with 1
if one is out of date. The scripts are short: they call the program at every press of the tab key.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = {"bash": "videomae.bash", "zsh": "_videomae", "fish": "videomae.fish"}


def script(shell: str) -> str:
    """Return the completion script of a shell."""
    # without this variable, typer detects the shell from the parent process and accepts no name
    environment = os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    process = subprocess.run(
        [sys.executable, "-m", "videomae_cli", "--show-completion", shell],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout.strip() + "\n"


def main(arguments: list[str]) -> int:
    """Write the scripts, or with `--check` print which are out of date; return the exit code."""
    expected = {HERE / file: script(shell) for shell, file in FILES.items()}
    outdated = [
        path
        for path, text in expected.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if arguments == ["--check"]:
        for path in outdated:
            sys.stderr.write(f"{path.name} is out of date: run python completions/generate.py\n")
        return int(bool(outdated))
    for path in outdated:
        path.write_text(expected[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
