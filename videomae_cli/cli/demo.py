"""`videomae demo`."""

from typing import Annotated

import typer

from videomae_cli.cli.options import JsonOption, OutOption


def demo(
    out: OutOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Random seed.")] = 0,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Run every stage in seconds; its accuracies mean nothing."),
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Demonstrate offline how much pretraining helps.

    Creates small videos whose classes differ only in their motion, pretrains a
    tiny model without labels, fine-tunes it and an identical model from scratch
    on few labels, evaluates both, and writes an HTML report.

    Examples:

      videomae demo

      videomae demo --seed 1 --out runs/demo-1
    """
    from videomae_cli.cli import console
    from videomae_cli.tasks.demo import demo as task
    from videomae_cli.tasks.demo.plan import make_plan
    from videomae_cli.tasks.run_dir import choose_run_dir

    run_dir = out or choose_run_dir("demo", out=None, resume=None, is_fork=False)
    plan = make_plan(seed, quick=quick)
    results = task.run(run_dir, console.make_report(json_output=json_output), plan)
    if json_output:
        console.print_json({"run": str(run_dir), **results.as_json()})
