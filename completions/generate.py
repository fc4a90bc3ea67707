"""Write the completion scripts from the program's own `--show-completion`.

`python completions/generate.py` writes them; with `--check` it only compares, and exits 1 when
stale. The scripts are stubs: every press of the tab key asks the program itself.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = {"bash": "videomae.bash", "zsh": "_videomae", "fish": "videomae.fish"}


def script(shell: str) -> str:
    """Return the completion script of a shell."""
    # without this variable the flag takes no shell name and looks at the parent process instead
    environment = os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "videomae_cli", "--show-completion", shell],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip() + "\n"


def main(arguments: list[str]) -> int:
    """Write the scripts, or with `--check` say which are stale."""
    wanted = {HERE / file: script(shell) for shell, file in FILES.items()}
    stale = [
        path
        for path, text in wanted.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if arguments == ["--check"]:
        for path in stale:
            sys.stderr.write(f"{path.name} is stale: run python completions/generate.py\n")
        return int(bool(stale))
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
