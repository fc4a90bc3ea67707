"""`videomae report`."""

from pathlib import Path
from typing import Annotated

import typer

from videomae_cli.cli.options import JsonOption, complete_run


def report(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Directory of a pretraining or fine-tuning run.",
            autocompletion=complete_run,
        ),
    ],
    json_output: JsonOption = False,
) -> None:
    """Diagnose a run: normal, suspicious or diverged.

    Reads the logged metrics of a finished, stopped or active run, prints the
    verdict with its reasons, and writes verdict.json and curves.png into the
    run directory. Trains nothing.

    Examples:

      videomae report runs/mine

      videomae report runs/mine --json
    """
    from videomae_cli.cli import console
    from videomae_cli.tasks.diagnose import report as task

    output = console.make_report(json_output=json_output)
    verdict = task.run(run, output)
    output.say(f"wrote {run / task.VERDICT} and {run / task.CURVES}")
    if json_output:
        console.print_json({"run": str(run), **verdict._asdict()})
