"""`videomae features`."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from videomae_cli.cli import options


def features(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUTS",
            help="Files, folders, patterns, or - for a list on stdin; else --data.",
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        options.run_option(
            "--checkpoint", "PATH|random:RECIPE", "Any checkpoint, or random weights."
        ),
    ] = None,
    data: options.DataOption = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Split of the data. May be repeated.", show_default="all"
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Directory of the features.")
    ] = Path("features"),
    level: Annotated[
        Literal["clip", "window", "video", "token"],
        typer.Option(help="What one row is; token: all tokens of a view."),
    ] = "clip",
    pooling: Annotated[
        Literal["mean", "tokens", "per-slice"] | None,
        typer.Option(help="Over the tokens of a clip.", show_default="mean"),
    ] = None,
    layer: Annotated[
        int,
        typer.Option(
            metavar="N", help="0 (before the first block) to the number of blocks; -1: the last."
        ),
    ] = -1,
    file_format: Annotated[
        Literal["npz", "parquet", "npy"],
        typer.Option("--format", help="Shards (npz, parquet), or one .npy file per video."),
    ] = "npz",
    protocol: options.ProtocolOption = None,
    clips: Annotated[
        int | None, options.count_option("Clips per video.", "from the checkpoint, else 5")
    ] = None,
    crops: Annotated[
        int | None, options.count_option("Crops per clip.", "from the checkpoint, else 1", most=3)
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(
            min=0.001, metavar="SECONDS", help="Duration of a window.", show_default=False
        ),
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option(
            min=0.001, metavar="SECONDS", help="From window to window.", show_default="--window"
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Compute part I of N, from 0, as one of N jobs.",
            show_default="all",
        ),
    ] = None,
    scheduler: options.SchedulerOption = None,
    plot: Annotated[
        Literal["pca", "tsne"] | None,
        typer.Option(help="Write plot.html: a map of the videos.", show_default=False),
    ] = None,
    nearest: Annotated[
        str | None,
        typer.Option(metavar="VIDEO", help="Show the most similar videos.", show_default=False),
    ] = None,
    count: Annotated[
        int, typer.Option("-k", min=1, metavar="N", help="How many, with --nearest.")
    ] = 5,
    precision: options.PrecisionOption = "auto",
    devices: options.DevicesOption = None,
    json_output: options.JsonOption = False,
) -> None:
    """Compute features of videos with any checkpoint.

    The same command continues an interrupted run. --plot and --nearest without
    --checkpoint use the features that --out contains.

    Examples:

      videomae features --checkpoint runs/mine --data data/mine --out mine

      videomae features --checkpoint vitb.pth --data data/mine --level video

      videomae features --out mine --plot tsne

      videomae features --out mine --nearest walk/clip_3.mp4 -k 5
    """
    from videomae_cli.cli import console
    from videomae_cli.data.executors.share import parse_share
    from videomae_cli.engine.distributed.launch import relaunch
    from videomae_cli.engine.distributed.slurm import join_step
    from videomae_cli.tasks.features.options import FeatureOptions

    report = console.make_report(json_output=json_output)
    share, has_failed = parse_share(shard), False
    answer: dict[str, Any] = {}
    uses_features = plot is not None or nearest is not None
    _check_inputs(checkpoint, inputs, data, split, uses_features=uses_features)
    if checkpoint is not None:
        chosen = FeatureOptions(
            *(out, data, tuple(split or ()), level, pooling, layer, file_format),
            *(protocol, clips, crops, window, hop, share, precision),
        )
        if window is not None and level == "clip":
            chosen = chosen._replace(level="window")
        if scheduler is None:
            from videomae_cli.tasks.features import features as task

            join_step()
            if (code := relaunch(devices)) is not None:
                raise typer.Exit(code)
            with console.print_answer_of_error(json_output=json_output):
                result = task.run(checkpoint, report, chosen, tuple(inputs or ()))
        else:
            from videomae_cli.tasks.features import cluster

            result = cluster.run(sys.argv[1:], scheduler, chosen, report, inputs or ())
        answer, has_failed = result.as_json(), bool(result.rejected)
    is_main = os.environ.get("RANK", "0") == "0"
    if plot is not None and is_main:
        from videomae_cli.tasks.features.plot import write_plot

        answer["plot"] = str(write_plot(out, plot, report))
    if nearest is not None and is_main:
        from videomae_cli.tasks.features.nearest import find_nearest

        found = find_nearest(out, nearest, count, report)
        answer["nearest"] = [one._asdict() for one in found]
    if json_output:
        console.print_json(answer)
    if has_failed:
        raise typer.Exit(3)


def _check_inputs(
    checkpoint: str | None,
    inputs: list[str] | None,
    data: Path | None,
    split: list[str] | None,
    *,
    uses_features: bool,
) -> None:
    """Raise a UsageError if it is not clear what features are computed of."""
    from videomae_cli.errors import UsageError

    if checkpoint is None and (inputs or data is not None or not uses_features):
        raise UsageError(
            "no checkpoint given", "--checkpoint RUN, a file of weights, or random:RECIPE"
        )
    if inputs and (data is not None or split):
        name = "--split" if data is None else "--data"
        raise UsageError(f"{name} and videos are both given", "leave out one of them")
