"""`videomae prepare`."""

from pathlib import Path
from typing import Annotated

import typer

from videomae_cli.cli.options import JsonOption


def complete_layout(incomplete: str) -> list[str]:
    """Offer the names of the layouts."""
    from videomae_cli.data.layouts import LAYOUTS

    return [name for name in LAYOUTS if name.startswith(incomplete)]


def prepare(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Folder of videos, or a list of them.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="The prepared directory.",
            show_default="data/ and the source's name",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            "--layout",
            metavar="NAME",
            help="How the data lies on disk.",
            show_default="detected, and said",
            autocompletion=complete_layout,
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            metavar="DIR",
            help="Where the paths of a list start.",
            show_default="where the list lies",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes",
            metavar="FILE|NUMBER",
            help="Class names in order, or how many.",
            show_default="from the labels",
        ),
    ] = None,
    val_fraction: Annotated[
        float,
        typer.Option(
            min=0.0,
            metavar="FRACTION",
            help="Share of each class for val, where no split is given.",
        ),
    ] = 0.2,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="What that draw follows from.")] = 0,
    decoder: Annotated[
        str, typer.Option(metavar="NAME", help="auto, decord or pyav; auto compares them.")
    ] = "auto",
    workers: Annotated[
        int, typer.Option(min=0, metavar="N", help="Processes that decode; 0: one for each CPU.")
    ] = 0,
    timeout: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="Longest time for one file.")
    ] = 60.0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail if any video is rejected.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Check every video and write a manifest training can trust.

    Takes folders of classes, plain folders, CSV or TSV with a header, and the
    lists of VideoMAE and MMAction2. What cannot be used goes to rejected.csv,
    each file with its reason.

    Examples:

      videomae prepare ~/clips --out data/clips

      videomae prepare k400/lists --root /datasets/k400 --classes 400
    """
    from videomae_cli.cli import console
    from videomae_cli.tasks.prepare import prepare as task

    options = task.Options(
        layout=layout,
        root=root,
        classes=classes,
        val_fraction=val_fraction,
        seed=seed,
        decoder=decoder,
        workers=workers,
        seconds=timeout,
        is_strict=strict,
    )
    target = out or Path("data") / source.resolve().stem
    census = task.run(source, target, console.report(json_output=json_output), options)
    if json_output:
        console.print_json(census.as_json())
