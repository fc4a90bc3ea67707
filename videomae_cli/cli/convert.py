"""`videomae convert`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from videomae_cli.cli.options import JsonOption, count_option, parse_size, size_option


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
            show_default="v1, onnx or torch-export by the suffix of DST, else native",
        ),
    ] = None,
    inspect: Annotated[
        bool, typer.Option("--inspect", help="Describe SRC; write nothing.")
    ] = False,
    features: Annotated[
        bool,
        typer.Option("--features", help="Export without the head (onnx, torch-export)."),
    ] = False,
    batch: Annotated[
        int | None,
        count_option("Batch size, fixed in the exported model (onnx, torch-export).", "any"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace DST if it exists.")] = False,
    license_text: Annotated[
        str | None,
        typer.Option(
            "--license",
            metavar="TEXT",
            help="Licence of the weights, if you know it.",
            show_default=False,
        ),
    ] = None,
    heads: Annotated[
        int | None, count_option("Encoder heads.", "from the embedding dimension")
    ] = None,
    decoder_heads: Annotated[
        int | None, count_option("Decoder heads.", "from the embedding dimension")
    ] = None,
    frames: Annotated[
        int | None, count_option("Frames in a clip, if SRC does not state them.", "16")
    ] = None,
    size: Annotated[
        str | None,
        size_option("Height and width of a clip, if SRC does not state them.", "224"),
    ] = None,
    ema: Annotated[
        bool, typer.Option("--ema", help="Read the moving average (model_ema) of SRC.")
    ] = False,
    head_rows: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="JSON list of the rows of the head to keep, in order (K710 to K400).",
            show_default=False,
        ),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Convert weights between formats; report every tensor.

    Every tensor is reported as matched, dropped or initialised; anything else is an error. Facts
    that the file does not state are assumed, and printed. No code in the file is run.

    An exported model (onnx, torch-export) takes clips as uint8; the JSON file beside it describes
    how to make them.

    Examples:

      videomae convert checkpoint.pth k400-vitb-pretrained

      videomae convert runs/mine/final mine-hf --to hf

      videomae convert vit_b_k710.pth vitb-k400 --head-rows k710_to_k400.json

      videomae convert runs/mine model.onnx

      videomae convert checkpoint.pth --inspect
    """
    from videomae_cli.checkpoints.hints import Hints
    from videomae_cli.cli import console
    from videomae_cli.errors import UsageError
    from videomae_cli.tasks.convert import convert as task
    from videomae_cli.tasks.convert import export, inspect_file
    from videomae_cli.tasks.convert.source import Selection

    request = export.parse_request(to, destination, features=features, batch=batch)
    if (destination is None) != inspect:
        raise UsageError(
            "--inspect writes nothing: leave out DST" if inspect else "DST is missing",
            "videomae convert SRC DST, or videomae convert SRC --inspect",
        )
    if inspect and (license_text or head_rows or force):
        raise UsageError(
            "--license, --head-rows and --force have no effect with --inspect",
            "leave out --inspect",
        )
    report = console.make_report(json_output=json_output)
    hints = Hints(heads, decoder_heads, frames, parse_size(size))
    refusal = None
    if destination is None:
        inspection = inspect_file.run(source, report, hints=hints, ema=ema)
        result, refusal = inspection.as_json(), inspection.refusal
    else:
        options: dict[str, Any] = {
            "hints": hints,
            "license_text": license_text,
            "selection": Selection(ema, head_rows),
            "force": force,
        }
        if request is None:
            result = task.run(source, destination, report, to=to, **options).as_json()
        else:
            result = export.run(source, destination, report, request=request, **options).metadata
    if json_output:
        console.print_json(result)
    if refusal is not None:
        raise refusal
