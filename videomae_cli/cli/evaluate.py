"""`videomae eval`."""

from pathlib import Path
from typing import Annotated

import typer

from videomae_cli.cli import options
from videomae_cli.cli.eval_flags import check_flags, refuse_with


def evaluate(
    checkpoint: options.CheckpointOption = None,
    data: options.DataOption = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Split to evaluate.", show_default="test, else val"),
    ] = None,
    protocol: options.ProtocolOption = None,
    clips: Annotated[
        int | None, options.count_option("Clips per video.", "from the checkpoint")
    ] = None,
    crops: Annotated[
        int | None, options.count_option("Crops per clip.", "from the checkpoint", most=3)
    ] = None,
    label_map: Annotated[
        Path | None,
        typer.Option(
            "--label-map",
            metavar="FILE",
            help="Class names for a list given as --data.",
            show_default="from the list",
        ),
    ] = None,
    dump: Annotated[
        Path | None,
        typer.Option("--dump", metavar="FILE.pkl", help="Also write the scores as MMAction2 does."),
    ] = None,
    dump_v1: Annotated[
        Path | None,
        typer.Option(
            "--dump-v1", metavar="DIR", help="Also write the logits of all views as VideoMAE does."
        ),
    ] = None,
    scores_from: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="PATH",
            help="Compute the metrics of scores in a file: FILE.pkl of MMAction2, a directory of"
            " VideoMAE's text files, or scores.npz.",
        ),
    ] = None,
    allow_untrained_head: options.UntrainedHeadOption = False,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines",
            help="Also measure shortcuts on the same videos: file metadata, mean frame, motion.",
        ),
    ] = False,
    group_column: Annotated[
        str | None,
        typer.Option(
            metavar="[FILE:]NAME",
            help="Column with the source of each video; no source is on both sides of a fold.",
            show_default="none",
        ),
    ] = None,
    label_fractions: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENTS",
            help="Instead, fit probes to frozen features with these parts of the labels, such as"
            " 1,5,10,50,100.",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="scratch|PATH",
            help="The encoder to compare with, for --label-fractions.",
            show_default="scratch",
        ),
    ] = None,
    probe: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A probe of --label-fractions: linear, knn, attentive. May be repeated.",
            show_default="linear and knn",
        ),
    ] = None,
    precision: options.PrecisionOption = "auto",
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
    evaluated (pretraining run with --label-fractions), and its name is printed.

    Examples:

      videomae eval --clips 5 --crops 3

      videomae eval --checkpoint runs/mine --split test

      videomae eval --checkpoint vitb.pth --data data/k400 --protocol mm-k400

      videomae eval --from result.pkl

      videomae eval --baselines --group-column source

      videomae eval --checkpoint runs/first --label-fractions 1,5,10,50,100
    """
    from videomae_cli.cli import console
    from videomae_cli.engine.distributed.launch import relaunch
    from videomae_cli.engine.distributed.slurm import join_step
    from videomae_cli.tasks.evaluate import evaluate as task
    from videomae_cli.tasks.evaluate.options import EvalOptions
    from videomae_cli.tasks.probe.curve import DEFAULT_PROBES
    from videomae_cli.tasks.probe.evaluate_with_probes import (
        SCRATCH,
        CurveOptions,
        evaluate_with_baselines,
        measure_label_curve,
    )
    from videomae_cli.tasks.run_dir import newest_final_weights

    chosen = EvalOptions(
        data,
        split,
        protocol,
        clips,
        crops,
        out,
        precision,
        label_map,
        dump,
        dump_v1,
        allow_untrained_head,
    )
    flags = {
        "--checkpoint": checkpoint,
        "--clips": clips,
        "--crops": crops,
        "--baselines": baselines,
        "--group-column": group_column,
        "--label-fractions": label_fractions,
        "--against": against,
        "--probe": probe,
        "--precision": precision != "auto",
        "--devices": devices,
        "--split": split,
        "--protocol": protocol,
        "--dump": dump,
        "--dump-v1": dump_v1,
        "--dry-run": dry_run,
        "--allow-untrained-head": allow_untrained_head,
    }
    if scores_from is not None:
        refuse_with("--from", flags, ["--split"] if data is not None else [])
        from videomae_cli.tasks.evaluate.rescore import RescoreOptions, rescore

        report = console.make_report(json_output=json_output)
        stored = rescore(scores_from, report, RescoreOptions(data, split, label_map, out))
        if json_output:
            console.print_json(stored.as_json())
        return
    check_flags(flags)
    join_step()
    report = console.make_report(json_output=json_output)
    kind = "classifier" if label_fractions is None else "autoencoder"
    weights = checkpoint or newest_final_weights(kind, report)
    if (code := relaunch(devices)) is not None:
        raise typer.Exit(code)
    if dry_run:
        cost = task.estimate(weights, report, chosen)
        report.table("evaluation", ("quantity", "value"), cost.rows())
        if json_output:
            console.print_json(cost.as_json())
        return
    if label_fractions is not None:
        options_of_curve = CurveOptions(
            label_fractions, against or SCRATCH, tuple(probe or DEFAULT_PROBES), group_column
        )
        curve = measure_label_curve(weights, report, chosen, options_of_curve)
        if json_output:
            console.print_json(curve.as_json())
        return
    with console.print_answer_of_error(json_output=json_output):
        if baselines:
            result = evaluate_with_baselines(weights, report, chosen, group_column)
        else:
            result = task.run(weights, report, chosen)
    if json_output:
        console.print_json(result.as_json())
