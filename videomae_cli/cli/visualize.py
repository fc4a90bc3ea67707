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
            help="A directory for all three, or one .png, .gif or .mp4.",
            show_default="runs/visualize-mask",
        ),
    ] = None,
    ratio: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Fraction masked.", show_default="the checkpoint's, else 0.9"
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides the mask.")] = 0,
    frames: Annotated[
        int | None,
        typer.Option(min=1, help="Frames in the clip.", show_default="the checkpoint's, else 16"),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Height and width, pixels.", show_default="the checkpoint's, else 224"
        ),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Frames of the video from one frame of the clip to the next.",
            show_default="the checkpoint's, else 4",
        ),
    ] = None,
    columns: Annotated[int, typer.Option(min=1, max=64, help="Most frames on the PNG.")] = 8,
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
    """Show what a mask hides and, with a pretrained model, how it fills that in.

    Writes a PNG (frames side by side), a GIF and an MP4. Without --checkpoint:
    original and masked, as in VideoMAE's pretraining. With one: original, masked
    and reconstruction, with the clip and the mask it was trained on.

    Examples:

      videomae visualize-mask clip.mp4

      videomae visualize-mask clip.mp4 --checkpoint runs/mine --error
    """
    from videomae_cli.cli import console
    from videomae_cli.tasks import visualize as task
    from videomae_cli.tasks.takes import Wish

    result = task.run(
        video,
        console.report(json_output=json_output),
        checkpoint=checkpoint,
        out=out,
        wish=Wish(
            frames=frames,
            size=size,
            stride=stride,
            ratio=ratio,
            seed=seed,
            target_stats=target_stats,
            error=error,
            columns=columns,
        ),
    )
    if json_output:
        console.print_json(result.as_json())
