"""`videomae visualize-mask`."""

from pathlib import Path
from typing import Annotated

import typer

from videomae_cli.cli.options import (
    CheckpointOption,
    JsonOption,
    count_option,
    parse_size,
    size_option,
)


def visualize_mask(
    video: Annotated[
        Path, typer.Argument(metavar="VIDEO", help="Video file, or folder of frames.")
    ],
    checkpoint: CheckpointOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Directory for PNG, GIF and MP4, or one file: .png, .gif, .mp4 or .html.",
            show_default="runs/visualize-mask",
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="tube, random, time, motion, tube+running-cell; several, with commas; or all.",
            show_default="as in the checkpoint, else tube",
        ),
    ] = None,
    ratio: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="FRACTION",
            help="Fraction of tokens masked, for all strategies.",
            show_default="as in the checkpoint, else as in the paper",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, metavar="N", help="Random seed of the masks.")
    ] = 0,
    frames: Annotated[
        int | None, count_option("Frames in the clip.", "as in the checkpoint, else 16")
    ] = None,
    size: Annotated[
        str | None, size_option("Height and width, in pixels.", "as in the checkpoint, else 224")
    ] = None,
    stride: Annotated[
        int | None,
        count_option(
            "Distance between two frames of the clip, in frames of the video.",
            "as in the checkpoint, else 4",
        ),
    ] = None,
    columns: Annotated[
        int, typer.Option(min=1, max=64, metavar="N", help="Maximum number of frames on the PNG.")
    ] = 8,
    target_stats: Annotated[
        bool,
        typer.Option(
            "--target-stats",
            help="Use the mean and standard deviation of the hidden patches. The reconstruction"
            " then looks better than the model is; the picture is labelled.",
        ),
    ] = False,
    error: Annotated[
        bool, typer.Option("--error", help="Add a row with the error of the prediction.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Draw the masks and reconstructions of a video.

    Writes a PNG (frames side by side), a GIF and an MP4, or one HTML page with
    a slider for the ratio. Without --checkpoint: original and masked video, by
    default as in VideoMAE's pretraining. With --checkpoint: also the
    reconstruction, by default with the clip and the mask of its training. With
    more than three strategies: the masks only.

    Examples:

      videomae visualize-mask clip.mp4 --strategy all --out masks.html

      videomae visualize-mask clip.mp4 --checkpoint runs/mine --error
    """
    from videomae_cli.cli import console
    from videomae_cli.tasks.visualize import visualize as task
    from videomae_cli.tasks.visualize.setup import Options

    reconstruction = task.run(
        video,
        console.make_report(json_output=json_output),
        checkpoint=checkpoint,
        out=out,
        options=Options(
            frames=frames,
            size=parse_size(size),
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
