"""`videomae demo`."""

from typing import Annotated

import typer

from videomae_cli.cli.options import JsonOption, OutOption


def demo(
    out: OutOption = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, metavar="N", help="Everything follows from it.")
    ] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Take the same way in seconds; proves nothing.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Show on this machine, offline, what pretraining is worth.

    Makes small videos whose classes only motion tells apart, pretrains a tiny model without labels,
    fine-tunes it and one from scratch on few labels, tests both, and writes a page with everything.

    Examples:

      videomae demo

      videomae demo --seed 1 --out runs/demo-1
    """
    from videomae_cli.cli import console
    from videomae_cli.tasks.demo import demo as task
    from videomae_cli.tasks.run_dir import choose_run_dir

    run_dir = out or choose_run_dir("demo", out=None, resume=None, is_fork=False)
    plan = task.make_plan(seed, quick=quick)
    outcome = task.run(run_dir, console.report(json_output=json_output), plan)
    if json_output:
        console.print_json({"run": str(run_dir), **outcome.as_json()})
