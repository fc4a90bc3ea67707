"""Options that several commands share: one name, one help text, one completion each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from videomae_cli.config import recipe_paths as library

RUNS = Path("runs")


def complete_recipe(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Offer the built-in recipes that the command at hand can use, with their first line."""
    kind = ctx.info_name if ctx.info_name in ("pretrain", "finetune") else None
    for name in library.list_names(kind):
        if name.startswith(incomplete):
            yield name, library.read_title(name)


def complete_run(incomplete: str) -> Iterator[str]:
    """Offer the run directories under `runs/`, newest first."""
    if RUNS.is_dir():
        runs = sorted((path for path in RUNS.iterdir() if path.is_dir()), reverse=True)
        yield from (path.as_posix() for path in runs if path.as_posix().startswith(incomplete))


RecipeOption = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        metavar="NAME|FILE",
        help="Built-in recipe by name, or a YAML file.",
        autocompletion=complete_recipe,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one key of the recipe, such as mask.ratio=0.85. Repeat for more.",
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="What `videomae prepare` wrote.",
        show_default="the recipe's",
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="PATH", help="Where results go.", show_default="under runs/"),
]
ResumeOption = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        metavar="RUN",
        help="Go on with this run directory, exactly where it stopped.",
        show_default=False,
        autocompletion=complete_run,
    ),
]
ForkOption = Annotated[
    bool,
    typer.Option(
        "--fork",
        help="With --resume RUN and --out NEW: take RUN's newest save into a new run, which may"
        " differ in recipe and data. RUN is left alone.",
    ),
]
CheckpointOption = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        metavar="PATH",
        help="Run directory, or file or directory of weights.",
        show_default=False,
        autocompletion=complete_run,
    ),
]
DevicesOption = Annotated[
    int | None,
    typer.Option(
        "--devices",
        min=1,
        metavar="N",
        help="Devices of this machine to use.",
        show_default="all GPUs, else the CPU",
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed",
        min=0,
        metavar="N",
        help="Everything random follows from it.",
        show_default="the recipe's",
    ),
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Take a few steps, say what the run will take, and leave nothing."
    ),
]
PriceOption = Annotated[
    float | None,
    typer.Option(
        "--price-per-hour",
        min=0.0,
        metavar="PRICE",
        help="Of all devices together: a dry run then says what the run costs.",
        show_default=False,
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="RUN",
        help="Judge that run as it stands (a fine-tuning too), draw its curves, train nothing.",
        show_default=False,
        autocompletion=complete_run,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON; everything else goes to stderr.")
]
