"""`videomae predict`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from videomae_cli.cli import options


def predict(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUTS",
            help="Videos, folders or patterns; - for a list on stdin.",
            show_default=False,
        ),
    ] = None,
    checkpoint: options.CheckpointOption = None,
    top_k: Annotated[
        int,
        typer.Option(
            "--top-k",
            min=1,
            metavar="N",
            help="Classes listed per result; of multi-label models: if none is above 50 %.",
        ),
    ] = 5,
    protocol: options.ProtocolOption = None,
    clips: Annotated[
        int | None,
        options.count_option("Clips per video or window.", "from the checkpoint; 1 per window"),
    ] = None,
    crops: Annotated[
        int | None, options.count_option("Crops per clip.", "from the checkpoint", most=3)
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            metavar="SECONDS",
            help="Predict each window of this duration, instead of whole videos.",
            show_default=False,
        ),
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            metavar="SECONDS",
            help="Time from one window to the next.",
            show_default="the window",
        ),
    ] = None,
    stream: Annotated[
        str | None,
        typer.Option(
            metavar="URL|DEVICE",
            help="Read a stream or a camera (/dev/video0, or its number) until it ends or Ctrl-C.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Directory for all outputs, or one file: .jsonl, .csv or, with --window, .png.",
            show_default="none",
        ),
    ] = None,
    precision: options.PrecisionOption = "auto",
    allow_untrained_head: options.UntrainedHeadOption = False,
    devices: options.DevicesOption = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Predict part I of N of the inputs, from 0, as one of N jobs.",
            show_default="all",
        ),
    ] = None,
    scheduler: options.SchedulerOption = None,
    json_output: options.JsonOption = False,
) -> None:
    """Label videos, or windows of long videos.

    Files that cannot be read are named, the others get their results, and the
    exit code is 3. Without --checkpoint, the newest finished fine-tuning run
    under runs/ is used, and its name is printed.

    Examples:

      videomae predict clips/ holiday.mp4 --checkpoint runs/mine

      videomae predict match.mp4 --window 2 --out match/

      find . -name '*.mp4' | videomae predict - --json
    """
    from videomae_cli.cli import console
    from videomae_cli.data.executors.share import parse_share
    from videomae_cli.engine.distributed.launch import relaunch
    from videomae_cli.engine.distributed.slurm import join_step
    from videomae_cli.tasks.predict import predict as task
    from videomae_cli.tasks.predict.options import PredictOptions, check_options
    from videomae_cli.tasks.run_dir import newest_final_weights

    join_step()
    report = console.make_report(json_output=json_output)
    chosen = PredictOptions(
        top_k=top_k,
        protocol=protocol,
        clips=clips,
        crops=crops,
        window=window,
        hop=hop,
        stream=stream,
        out=out,
        precision=precision,
        allow_untrained_head=allow_untrained_head,
        share=parse_share(shard),
    )
    check_options(tuple(inputs or ()), chosen)
    weights = checkpoint or newest_final_weights("classifier", report)
    result: Any
    if scheduler is None:
        if (code := relaunch(devices if stream is None else 1)) is not None:
            raise typer.Exit(code)
        result = task.run(inputs or (), weights, report, chosen, is_quiet=json_output)
    else:
        from videomae_cli.tasks.predict import cluster

        result = cluster.run(sys.argv[1:], scheduler, inputs or (), weights, chosen, report)
    if json_output:
        console.print_json(result.as_json())
    result.require_all()
