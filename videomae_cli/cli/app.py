"""The command line: all commands, and the handling of errors.

A `VideoMAEError` is printed as one sentence and a hint, and sets the exit code. Any other exception
is a bug: it is printed as a traceback, with exit code 1. Neither this file nor the files of the
commands import torch at module level, so that help and tab completion are fast.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from videomae_cli import __version__
from videomae_cli.cli import (
    convert,
    demo,
    evaluate,
    features,
    predict,
    prepare,
    recipes,
    report,
    visualize,
)
from videomae_cli.cli.training import finetune, pretrain
from videomae_cli.errors import VideoMAEError, convert_os_error
from videomae_cli.streams import make_streams_safe, restart_in_utf8_mode

HELP = ["-h", "--help"]
SETTINGS: dict[str, Any] = {
    "rich_markup_mode": None,  # plain help; rich would double its time
    "context_settings": {"help_option_names": HELP, "max_content_width": 100},
    "pretty_exceptions_enable": False,
    "pretty_exceptions_show_locals": False,
}
app = typer.Typer(name="videomae", no_args_is_help=True, **SETTINGS)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"videomae {__version__}")
        raise typer.Exit


@app.callback()
def videomae(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
    _debug: Annotated[
        bool,
        typer.Option("--debug", help="Print a traceback with every error; may stand anywhere."),
    ] = False,
) -> None:
    """Pretrain, fine-tune, evaluate, visualise and convert masked video autoencoders.

    Start with `videomae demo`: it takes minutes, offline and on the CPU, and
    measures how much pretraining helps. Each command has --help with examples.
    """


app.command()(prepare.prepare)
app.command()(pretrain.pretrain)
app.command()(finetune.finetune)
app.command("eval")(evaluate.evaluate)
app.command()(predict.predict)
app.command()(features.features)
app.command()(report.report)
app.command("visualize-mask")(visualize.visualize_mask)
app.command()(convert.convert)
app.command()(demo.demo)
app.add_typer(recipes.app, name="recipes")


def _start(arguments: Sequence[str]) -> None:
    """Run a command; for the help of one, set up that one alone, which takes half the time.

    All of them together parse the options before the command too, for which typer needs pydantic.
    """
    if len(arguments) == 2 and arguments[1] in HELP:
        for command in app.registered_commands:
            if arguments[0] == (command.name or getattr(command.callback, "__name__", "")):
                alone = typer.Typer(add_completion=False, **SETTINGS)
                alone.registered_commands.append(command)
                alone(args=[arguments[1]], prog_name=f"videomae {arguments[0]}")
    app(args=list(arguments), prog_name="videomae")


def run(arguments: Sequence[str]) -> int:
    """Run a command line, given without the program's name; return its exit code (see `errors`)."""
    make_streams_safe()
    is_debug = "--debug" in arguments or bool(os.environ.get("VIDEOMAE_DEBUG"))
    try:
        _start([one for one in arguments if one != "--debug"])
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except (VideoMAEError, OSError) as error:
        problem = convert_os_error(error) if isinstance(error, OSError) else error
        if problem is None:
            raise
        from videomae_cli.cli import console

        console.show_error(problem, with_trace=is_debug)
        return problem.exit_code
    return 0


def main() -> None:
    """Run the command line of this process and exit with its exit code."""
    restart_in_utf8_mode()
    # torch reads it once, when it starts its threads: waiting threads then sleep, which leaves the
    # cores to the processes that decode videos
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code = run(sys.argv[1:])
    except Exception:
        from videomae_cli.cli import console

        sys.excepthook = console.show_bug
        raise
    sys.exit(code)
