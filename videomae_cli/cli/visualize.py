"""`videomae visualize-mask`."""

from pathlib import Path
from typing import Annotated

import typer

from videomae_cli.cli.options import CheckpointOption, JsonOption


def visualize_mask(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A video file.")],
    checkpoint: CheckpointOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="PATH",
            help="A directory for picture and films, or one .png, .gif, .mp4 or .html.",
            show_default="runs/visualize-mask",
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            metavar="NAMES",
            help="tube, random, time, motion, tube+running-cell, several with commas, or all.",
            show_default="the checkpoint's, else tube",
        ),
    ] = None,
    ratio: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="FRACTION",
            help="Fraction masked, by every strategy.",
            show_default="the checkpoint's, else its paper's",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Decides the masks.")] = 0,
    frames: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Frames in the clip.", show_default="the checkpoint's, else 16"
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Height and width, pixels.",
            show_default="the checkpoint's, else 224",
        ),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Frames of the video from one frame of the clip to the next.",
            show_default="the checkpoint's, else 4",
        ),
    ] = None,
    columns: Annotated[
        int, typer.Option(min=1, max=64, metavar="N", help="Most frames on the PNG.")
    ] = 8,
    target_stats: Annotated[
        bool,
        typer.Option(
            "--target-stats",
            help="Give hidden patches the original's own brightness and contrast. This flatters"
            " the model, and the picture says so.",
        ),
    ] = False,
    error: Annotated[
        bool, typer.Option("--error", help="Add a row that shows where the prediction is wrong.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Show what masks hide and how a model fills it in.

    Writes a PNG (frames side by side), a GIF and an MP4, or one HTML page with
    a slider for the ratio. Without --checkpoint: original and masked, as in
    VideoMAE's pretraining. With one: a reconstruction too, with the clip and
    the mask it was trained on; of more than three strategies the masks alone.

    Examples:

      videomae visualize-mask clip.mp4 --strategy all --out masks.html

      videomae visualize-mask clip.mp4 --checkpoint runs/mine --error
    """
    from videomae_cli.cli import console
    from videomae_cli.tasks.visualize import visualize as task
    from videomae_cli.tasks.visualize.setup import Options

    reconstruction = task.run(
        video,
        console.report(json_output=json_output),
        checkpoint=checkpoint,
        out=out,
        options=Options(
            frames=frames,
            size=size,
            stride=stride,
            ratio=ratio,
            strategy=strategy,
            seed=seed,
            target_stats=target_stats,
            error=error,
            columns=columns,
        ),
    )
    if json_output:
        console.print_json(reconstruction.as_json())
