"""The front door: the commands, and what becomes of an error.

A `VideoMAEError` is the user's to cure: one sentence, a hint, and its exit code. Anything else that
gets this far is our bug: a traceback and exit code 1. Nothing here or in a command's file imports
torch at module level, for help and tab completion pay for every import.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from videomae_cli import __version__
from videomae_cli.cli import (
    convert,
    demo,
    evaluate,
    finetune,
    prepare,
    pretrain,
    recipes,
    visualize,
)
from videomae_cli.errors import VideoMAEError, refusal

app = typer.Typer(
    name="videomae",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: rich would double what it costs
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"videomae {__version__}")
        raise typer.Exit


@app.callback()
def videomae(
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version."),
    ] = False,
    _debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback with every error; stands anywhere.")
    ] = False,
) -> None:
    """Pretrain, fine-tune, evaluate, look at and convert masked video autoencoders.

    Start with `videomae demo`: it shows in minutes, offline and on the CPU,
    what pretraining is worth. Each command has its own --help with examples.
    """


app.command()(prepare.prepare)
app.command()(pretrain.pretrain)
app.command()(finetune.finetune)
app.command("eval")(evaluate.evaluate)
app.command("visualize-mask")(visualize.visualize_mask)
app.command()(convert.convert)
app.command()(demo.demo)
app.add_typer(recipes.app, name="recipes")


def run(arguments: Sequence[str]) -> int:
    """Do what a command line says.

    Args:
        arguments: The command line without the program's name.

    Returns:
        The exit code; see `videomae_cli.errors` for their meaning.
    """
    is_debug = "--debug" in arguments or bool(os.environ.get("VIDEOMAE_DEBUG"))
    try:
        app(args=[word for word in arguments if word != "--debug"], prog_name="videomae")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except (VideoMAEError, OSError) as error:
        problem = refusal(error) if isinstance(error, OSError) else error
        if problem is None:
            raise
        from videomae_cli.cli import console

        console.show_error(problem, with_trace=is_debug)
        return problem.exit_code
    return 0


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    # read once, when torch starts its threads: threads that wait for work sleep, and leave the
    # cores to the processes that decode
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code = run(sys.argv[1:])
    except Exception:
        from videomae_cli.cli import console

        sys.excepthook = console.show_bug
        raise
    sys.exit(code)
