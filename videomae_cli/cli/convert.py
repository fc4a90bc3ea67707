"""`videomae convert`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from videomae_cli.cli.options import JsonOption


def convert(
    source: Annotated[
        Path,
        typer.Argument(metavar="SRC", help="Run directory, or file or directory of weights."),
    ],
    destination: Annotated[
        Path | None,
        typer.Argument(
            metavar="DST",
            help="A directory (native, hf, v2), or a file: .pth, .onnx, .pt2 (torch-export).",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="native, v1, v2, mmaction2, mae-st, hf, hf-linear; onnx, torch-export.",
            show_default="v1, onnx or torch-export by the end of DST, else native",
        ),
    ] = None,
    inspect: Annotated[
        bool, typer.Option("--inspect", help="Say what SRC is; write nothing.")
    ] = False,
    features: Annotated[
        bool,
        typer.Option("--features", help="onnx, torch-export: what comes before the head."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace what DST holds.")] = False,
    license_text: Annotated[
        str | None,
        typer.Option(
            "--license",
            metavar="TEXT",
            help="Licence of the weights, if you know it better than the file.",
            show_default=False,
        ),
    ] = None,
    heads: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Encoder heads.", show_default="from the width"),
    ] = None,
    decoder_heads: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Decoder heads.", show_default="from the width"),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Frames in a clip, where SRC does not tell.",
            show_default="16",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Height and width of a clip, where SRC does not tell.",
            show_default="224",
        ),
    ] = None,
    ema: Annotated[
        bool, typer.Option("--ema", help="Take the moving average (model_ema) of SRC.")
    ] = False,
    head_rows: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="JSON list of the head's rows to keep, in order: K710 to K400.",
            show_default=False,
        ),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Convert weights between formats; account for every tensor.

    Nothing of a file is run. Prints what became of every tensor, and what the file does not tell
    and was assumed.

    A program (onnx, torch-export) takes clips of uint8; the JSON beside it says how to make them.

    Examples:

      videomae convert checkpoint.pth k400-vitb-pretrained

      videomae convert runs/mine/final mine-hf --to hf

      videomae convert vit_b_k710.pth vitb-k400 --head-rows k710_to_k400.json

      videomae convert runs/mine model.onnx

      videomae convert checkpoint.pth --inspect
    """
    from videomae_cli.checkpoints.infer_config import Hints
    from videomae_cli.cli import console
    from videomae_cli.errors import UsageError
    from videomae_cli.tasks.convert import convert as task
    from videomae_cli.tasks.convert import export
    from videomae_cli.tasks.convert import inspect_file as inspection

    program = export.wanted(to, destination, features=features)
    if (destination is None) != inspect:
        raise UsageError(
            "--inspect writes nothing, so leave DST out" if inspect else "DST is missing",
            "videomae convert SRC DST, or videomae convert SRC --inspect",
        )
    if inspect and (license_text or head_rows or force):
        raise UsageError(
            "--license, --head-rows and --force belong to what is written", "leave --inspect out"
        )
    report = console.report(json_output=json_output)
    hints = Hints(heads, decoder_heads, frames, size)
    refusal = None
    if destination is None:
        found = inspection.run(source, report, hints=hints, ema=ema)
        result, refusal = found.as_json(), found.refusal
    else:
        known: dict[str, Any] = {
            "hints": hints,
            "license_text": license_text,
            "choice": task.Choice(ema, head_rows),
            "force": force,
        }
        if program is None:
            result = task.run(source, destination, report, to=to, **known).as_json()
        else:
            result = export.run(source, destination, report, wanted=program, **known).about
    if json_output:
        console.print_json(result)
    if refusal is not None:
        raise refusal
