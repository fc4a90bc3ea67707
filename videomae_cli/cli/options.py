"""Options that several commands share: one name, one help text, one completion each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from videomae_cli.config import recipe_paths as library
from videomae_cli.errors import UsageError

RUNS = Path("runs")


def complete_recipe(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Complete the built-in recipes of the right kind for this command, with their titles."""
    kind = ctx.info_name if ctx.info_name in ("pretrain", "finetune") else None
    for name in library.list_names(kind):
        if name.startswith(incomplete):
            yield name, library.read_title(name)


def complete_run(incomplete: str) -> Iterator[str]:
    """Complete the run directories under `runs/`, newest first."""
    if RUNS.is_dir():
        runs = sorted((path for path in RUNS.iterdir() if path.is_dir()), reverse=True)
        yield from (path.as_posix() for path in runs if path.as_posix().startswith(incomplete))


def complete_protocol(incomplete: str) -> Iterator[str]:
    """Complete the published test protocols."""
    from videomae_cli.config.protocols import PROTOCOLS

    yield from (name for name in PROTOCOLS if name.startswith(incomplete))


def count_option(help_text: str, default: str, *, most: int | None = None) -> Any:
    """Describe an optional number from 1 on, and what stands for it if it is not given."""
    return typer.Option(min=1, max=most, metavar="N", help=help_text, show_default=default)


def size_option(help_text: str, default: str) -> Any:
    """Describe an optional clip size, N or HxW, and what stands for it if it is not given."""
    return typer.Option(metavar="N|HxW", help=help_text, show_default=default)


def parse_size(text: str | None) -> int | tuple[int, int] | None:
    """Return the N of --size, or (height, width) of HxW; one number if they are equal."""
    if text is None:
        return None
    sides = [int(part) if part.isascii() and part.isdigit() else 0 for part in text.split("x")]
    if len(sides) > 2 or min(sides) < 1:
        raise UsageError(
            f"--size {text}: neither a number of pixels nor HEIGHTxWIDTH",
            "for example --size 224, or --size 96x160",
        )
    return sides[0] if len(set(sides)) == 1 else (sides[0], sides[1])


def run_option(
    flag: str, metavar: str, help_text: str, default: str | bool = False, *, hidden: bool = False
) -> Any:
    """Describe an option whose values are completed from the run directories."""
    return typer.Option(
        flag,
        metavar=metavar,
        help=help_text,
        show_default=default,
        hidden=hidden,
        autocompletion=complete_run,
    )


RecipeOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|FILE",
        help="Name of a built-in recipe, or a YAML file.",
        autocompletion=complete_recipe,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one key of the recipe, such as mask.ratio=0.85. May be repeated.",
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Prepared dataset (the --out of `videomae prepare`).",
        show_default="from the recipe",
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="PATH", help="Output directory.", show_default="under runs/"),
]
ResumeOption = Annotated[
    Path | None,
    run_option("--resume", "RUN", "Resume this run directory exactly where it stopped."),
]
ForkOption = Annotated[
    bool,
    typer.Option(
        "--fork",
        help="With --resume RUN and --out NEW: start a new run from RUN's newest checkpoint; recipe"
        " and data may differ. RUN is not changed.",
    ),
]
CheckpointOption = Annotated[
    Path | None,
    run_option("--checkpoint", "PATH", "Run directory, or file or directory of weights."),
]
ProtocolOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Published test protocol, such as v1-k400 or mm-k400.",
        show_default="from the checkpoint",
        autocompletion=complete_protocol,
    ),
]
PrecisionOption = Annotated[
    Literal["auto", "fp32", "bf16", "fp16"], typer.Option(help="Precision of the forward pass.")
]
UntrainedHeadOption = Annotated[
    bool,
    typer.Option("--allow-untrained-head", help="Use a head whose biases are all exactly 0."),
]
DevicesOption = Annotated[
    int | None,
    count_option("Number of devices of this machine to use.", "all GPUs, else the CPU"),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Use the workers of the Dask scheduler at tcp://HOST:PORT.",
        show_default="this machine",
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="Random seed.",
        show_default="from the recipe",
    ),
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Estimate time, memory, disk and cost from a few steps; write nothing.",
    ),
]
PriceOption = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        metavar="PRICE",
        help="Hourly price of all devices together, for the cost estimate of --dry-run.",
        show_default=False,
    ),
]
ReportOption = Annotated[
    Path | None,
    run_option("--report", "RUN", "Deprecated; use: videomae report RUN", hidden=True),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON; all other output goes to stderr.")
]
