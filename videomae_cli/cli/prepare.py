"""`videomae prepare`: check videos and write a manifest."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from videomae_cli.cli.options import JsonOption, SchedulerOption


def complete_layout(incomplete: str) -> list[str]:
    """Return the names of the layouts that start with `incomplete`."""
    from videomae_cli.data.layouts import LAYOUTS

    return [name for name in LAYOUTS if name.startswith(incomplete)]


def prepare(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Folder of videos, or a list of them.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Prepared directory to write.",
            show_default="data/ and the name of the source",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Layout of the data set on disk.",
            show_default="detected and printed",
            autocompletion=complete_layout,
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Directory that the paths of a list are relative to.",
            show_default="directory of the list",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes",
            "--label-map",
            metavar="FILE|NUMBER",
            help="File with the class names in order or with their numbers, or how many there are.",
            show_default="from the labels",
        ),
    ] = None,
    task: Annotated[
        Literal["single-label", "multi-label", "regression"],
        typer.Option(help="Labels of a video: one class, any number of classes, or values."),
    ] = "single-label",
    label_column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Column of the labels in a table; several, with another --task: a,b,c.",
            show_default="by its name",
        ),
    ] = None,
    path_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column of the paths.", show_default="by its name"),
    ] = None,
    split_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column of the splits.", show_default="by its name"),
    ] = None,
    segment_unit: Annotated[
        Literal["seconds", "frames", "milliseconds"] | None,
        typer.Option(
            help="Unit of the start and the end of parts of videos.", show_default="detected"
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Text encoding of lists and class names.",
            show_default="detected and printed",
        ),
    ] = None,
    val_fraction: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="FRACTION",
            help="Share of each class for val, drawn at random if no split is given.",
            show_default="0.2",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Random seed of that split.")] = 0,
    decoder: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="auto, decord, pyav or torchcodec; auto: the faster right one of decord and pyav.",
        ),
    ] = "auto",
    workers: Annotated[
        int, typer.Option(min=0, metavar="N", help="Processes that decode; 0: one per CPU.")
    ] = 0,
    timeout: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="Time limit for one file.")
    ] = 60.0,
    shards: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|URL",
            help="Write the files into tar archives there, and read them from these.",
            show_default="files stay where they are",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail if any video is rejected.")
    ] = False,
    transcode: Annotated[
        bool,
        typer.Option(
            "--transcode",
            help="Write all videos anew in the prepared directory, in H.264 that is fast to read.",
        ),
    ] = False,
    all_intra: Annotated[
        bool, typer.Option("--all-intra", help="The same with key frames only: faster, larger.")
    ] = False,
    jpeg: Annotated[
        bool, typer.Option("--jpeg", help="As JPEG frames instead: faster; about 20 kB a frame.")
    ] = False,
    uint8: Annotated[
        bool,
        typer.Option("--uint8", help="Uncompressed instead: fastest; up to 260 kB a frame."),
    ] = False,
    short_side: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="Short side of these videos, if theirs is longer.",
            show_default="256",
        ),
    ] = None,
    follow_links: Annotated[
        bool,
        typer.Option("--follow-links", help="Use links of a list that lead out of its root."),
    ] = False,
    max_bad: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="FRACTION",
            help="Fail if a larger share of the videos is rejected.",
            show_default="no limit; 0.1 with --check",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only report on the data; exit code 6 with findings."),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Do part I of N, from 0, as one of N jobs; then run the command without --shard.",
            show_default="all",
        ),
    ] = None,
    scheduler: SchedulerOption = None,
    json_output: JsonOption = False,
) -> None:
    """Check every video and write a manifest for training.

    Every video is decoded. Accepts class folders, plain folders, folders of
    images, CSV, TSV or JSON with named columns, the lists of VideoMAE and
    MMAction2, and UCF101, HMDB51, Kinetics, Something-Something V2 and others
    as they are released. Whatever is not used is named. Videos that cannot be
    used are written to rejected.csv, each with its reason. health.html lists
    what may be wrong with the data, and what to do about it.

    Examples:

      videomae prepare ~/clips --out data/clips

      videomae prepare ~/clips --check

      videomae prepare k400/lists --root /datasets/k400 --classes 400

      videomae prepare ucf101 --layout ucf101-split1 --out data/ucf101

      videomae prepare ~/clips --out data/clips --transcode

      videomae prepare speeds.csv --task regression --label-column speed
    """
    from videomae_cli.cli import console
    from videomae_cli.data.executors.share import parse_share
    from videomae_cli.tasks.prepare import prepare as command
    from videomae_cli.tasks.prepare import shard as shard_command
    from videomae_cli.tasks.prepare.options import PrepareOptions, choose_form

    chosen = PrepareOptions(
        layout=layout,
        root=root,
        classes=classes,
        task=task,
        label_column=label_column,
        path_column=path_column,
        split_column=split_column,
        segment_unit=segment_unit,
        encoding=encoding,
        val_fraction=val_fraction,
        seed=seed,
        decoder=decoder,
        workers=workers,
        seconds=timeout,
        shards=shards,
        is_strict=strict,
        form=choose_form(transcode=transcode, all_intra=all_intra, jpeg=jpeg, uint8=uint8),
        short_side=short_side,
        follows_links=follow_links,
        max_bad=max_bad,
        is_check=check,
        share=parse_share(shard),
        scheduler=scheduler,
    )
    target = out or Path("data") / source.resolve().stem
    report = console.make_report(json_output=json_output)
    if shard is not None:
        part = shard_command.run(source, target, report, chosen)
        if json_output:
            console.print_json(part.as_json())
        return
    with console.print_answer_of_error(json_output=json_output):
        summary = command.run(source, target, report, chosen)
    if json_output:
        console.print_json(summary.health.as_json() if check else summary.as_json())
    if check and summary.health.problems:
        raise typer.Exit(6)
