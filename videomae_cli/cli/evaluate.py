"""`videomae eval`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from videomae_cli.cli import options


def evaluate(
    checkpoint: options.CheckpointOption = None,
    data: options.DataOption = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Split to evaluate.", show_default="test, else val"),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Published test protocol, such as v1-k400 or mm-k400.",
            show_default="from the checkpoint",
            autocompletion=options.complete_protocol,
        ),
    ] = None,
    clips: Annotated[
        int | None, options.count_option("Clips per video.", "from the checkpoint")
    ] = None,
    crops: Annotated[
        int | None, options.count_option("Crops per clip.", "from the checkpoint", most=3)
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"], typer.Option(help="Precision of the forward pass.")
    ] = "auto",
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Output directory.", show_default="beside the weights"),
    ] = None,
    devices: options.DevicesOption = None,
    dry_run: options.DryRunOption = False,
    json_output: options.JsonOption = False,
) -> None:
    """Evaluate a classifier on several views of each video.

    Without --checkpoint, the newest finished fine-tuning run under runs/ is
    evaluated, and its name is printed.

    Examples:

      videomae eval --clips 5 --crops 3

      videomae eval --checkpoint runs/mine --split test

      videomae eval --checkpoint vitb.pth --data data/k400 --protocol mm-k400
    """
    from videomae_cli.cli import console
    from videomae_cli.engine.distributed.launch import relaunch
    from videomae_cli.engine.distributed.slurm import join_step
    from videomae_cli.tasks.evaluate import evaluate as task
    from videomae_cli.tasks.evaluate.options import EvalOptions
    from videomae_cli.tasks.run_dir import newest_final_weights

    join_step()
    report = console.make_report(json_output=json_output)
    weights = checkpoint or newest_final_weights("classifier", report)
    if (code := relaunch(devices)) is not None:
        raise typer.Exit(code)
    chosen = EvalOptions(data, split, protocol, clips, crops, out, precision)
    if dry_run:
        cost = task.estimate(weights, report, chosen)
        report.table("evaluation", ("quantity", "value"), cost.rows())
        if json_output:
            console.print_json(cost.as_json())
        return
    result = task.run(weights, report, chosen)
    if json_output:
        console.print_json(result.as_json())
