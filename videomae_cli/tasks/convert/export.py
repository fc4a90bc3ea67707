"""`videomae convert --to onnx`: a trained model as one program, compared with the original.

The program takes pixels as uint8 and normalises them inside, so that nobody can do it otherwise
outside. What must happen before that stands in a JSON file beside it. Nothing is left behind unless
the written file, opened anew, gives what the model gives, for two sizes of batches.

Shapes: B batch, C channels, T frames, H W pixels, N tokens, D width, K classes.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from videomae_cli.checkpoints.destination import replacing_several
from videomae_cli.checkpoints.infer_config import Hints
from videomae_cli.checkpoints.loading import NO_HINTS, Loaded
from videomae_cli.engine.environment import software
from videomae_cli.errors import CheckpointError, UsageError
from videomae_cli.grid import TokenGrid
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.build import BUILDERS, Backbone
from videomae_cli.models.classifier import Classifier
from videomae_cli.report import Report
from videomae_cli.tasks.convert.convert import EVERYTHING, Choice, read
from videomae_cli.tasks.convert.export_formats import (
    INPUT,
    PROGRAMS,
    Program,
    Running,
    require,
    write,
)
from videomae_cli.tasks.convert.preprocessing import preprocessing
from videomae_cli.tasks.load_model import load_weights

BATCHES = (1, 3)
EXAMPLE_BATCH = 2
TOLERANCE = 1e-4  # in proportion to the largest number; rounding makes about 1e-6
SMALLEST = 1e-6
LOGITS = "logits of the classes, before softmax: batch, class"
FEATURES = "features before the head: batch, width"
LATENTS = "latents of all tokens, after the encoder's last norm if it has one: batch, token, width"


class Exported(NamedTuple):
    """What was written."""

    out: Path
    about: dict[str, Any]
    """The JSON beside it."""


class Features(nn.Module):
    """A model without its head: features_BD."""

    def __init__(self, model: Classifier | Backbone) -> None:
        super().__init__()
        self.model = model

    def forward(self, clip_BCTHW: Tensor) -> Tensor:
        """Describe clips."""
        if isinstance(self.model, Classifier):
            return self.model.features(clip_BCTHW)
        features_BD: Tensor = self.model.fc_norm(self.model.encoder(clip_BCTHW).mean(dim=1))
        return features_BD


class Part(NamedTuple):
    """What of a checkpoint becomes a program."""

    model: nn.Module
    """Clips in, one tensor out."""
    grid: TokenGrid
    """The clip as it is read."""
    output: str
    """Name of what comes out."""
    meaning: str


class Wanted(NamedTuple):
    """What to write."""

    to: str
    """A key of `PROGRAMS`."""
    features: bool = False
    """Leave a classifier's head away; what has no head gives its latents or features anyway."""


def wanted(to: str | None, out: Path | None, *, features: bool) -> Wanted | None:
    """Return the program that is asked for, by name or by suffix; None for none.

    Raises:
        UsageError: Features of what is no program.
    """
    suffix = None if out is None or to is not None else out.suffix
    found = next((key for key, p in PROGRAMS.items() if key == to or p.suffix == suffix), None)
    if found is None and features:
        names = " and ".join(PROGRAMS)
        raise UsageError(f"--features belongs to {names}", "leave it out, or take --to onnx")
    return None if found is None else Wanted(found, features)


def run(
    source: Path,
    out: Path,
    report: Report,
    *,
    wanted: Wanted,
    hints: Hints = NO_HINTS,
    license_text: str | None = None,
    choice: Choice = EVERYTHING,
    force: bool = False,
) -> Exported:
    """Read a checkpoint, write it as a program with a JSON beside it, and compare the two.

    Args:
        source: A file of weights, a native directory, or a finished run.
        out: The file to write.
        report: Who is told.
        wanted: What to write.
        hints: What the user knows and the file does not tell.
        license_text: Licence of the weights, where the user knows it.
        choice: What of the source to take.
        force: Replace what `out` holds.

    Raises:
        CheckpointError: The source cannot be read, `out` is in the way, or the program gives other
            numbers than the model.
        UsageError: `out` has another suffix, or a package is missing.
    """
    program = PROGRAMS[wanted.to]
    about_file = out.with_name(out.name + ".json")
    _refuse(out, about_file, program, force=force)
    loaded = read(source, hints, choice, license_text)
    part = _part(loaded, features=wanted.features)
    report.say(f"{loaded.file}: {part.meaning}, as {program.title}")
    with replacing_several(out) as folder:
        example_BCTHW = _clips(EXAMPLE_BATCH, part.grid)
        write(program, part.model, example_BCTHW, part.output, folder / out.name)
        parity = _compare(part, program.open(folder / out.name))
        about = _about(loaded, part, wanted.to, parity)
        about["files"] = sorted(file.name for file in folder.iterdir())
        text = json.dumps(about, indent=2, ensure_ascii=False)
        (folder / about_file.name).write_text(text + "\n", encoding="utf-8")
    batches = " and ".join(map(str, BATCHES))
    report.say(
        f"wrote {out} and {about_file.name}; opened again, it gives the model's {part.output}"
        f" within {parity.largest_difference:.1g} (batches of {batches})"
    )
    for sentence in loaded.report.assumed:
        report.say(f"assumed: {sentence}")
    for trap in filter(None, (*loaded.report.traps, loaded.warning)):
        report.warn(trap)
    return Exported(out, about)


def _refuse(out: Path, about_file: Path, program: Program, *, force: bool) -> None:
    if out.suffix != program.suffix:
        raise UsageError(f"{out}: {program.title} files end in {program.suffix}")
    require(program)
    for file in (out, about_file):
        if file.is_dir():
            raise CheckpointError(f"{file} is a directory", "name a file")
        if file.exists() and not force:
            raise CheckpointError(f"{file} exists", "give another name, or --force to replace it")


def _part(loaded: Loaded, *, features: bool) -> Part:
    config = loaded.config
    model = BUILDERS[config.kind](config)
    load_weights(model, loaded.weights)
    model.eval()
    if isinstance(model, Classifier):
        choice = model.frame_choice
        grid = model.encoder.grid if choice is None else choice.candidates
        if features:
            return Part(Features(model).eval(), grid, "features", FEATURES)
        return Part(model, grid, "logits", LOGITS)
    assert isinstance(model, Autoencoder | Backbone)
    if isinstance(model, Backbone) and config.norm_of == "mean":
        return Part(Features(model).eval(), model.encoder.grid, "features", FEATURES)
    return Part(model.encoder, model.encoder.grid, "latents", LATENTS)


def _clips(batch: int, grid: TokenGrid) -> Tensor:
    """Return made-up clips, always the same: clip_BCTHW, uint8."""
    shape = (batch, grid.channels, grid.frames, grid.height, grid.width)
    dice = torch.Generator().manual_seed(batch)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=dice)


class Parity(NamedTuple):
    """How near a program comes to its model."""

    batches: tuple[int, ...]
    """Clips compared at once."""
    largest_difference: float
    largest_number: float
    """Of what the model gives."""

    @property
    def relative(self) -> float:
        """Difference in proportion to the numbers; not a number where one of them is none."""
        return self.largest_difference / max(self.largest_number, SMALLEST)


@torch.no_grad()
def _compare(part: Part, running: Running) -> Parity:
    """Give model and program the same clips.

    Raises:
        CheckpointError: They differ by more than rounding.
    """
    clips = [_clips(batch, part.grid) for batch in BATCHES]
    pairs = [(part.model(clip_BCTHW), running(clip_BCTHW)) for clip_BCTHW in clips]
    wanted, found = (
        torch.cat([side.flatten() for side in sides]) for sides in zip(*pairs, strict=True)
    )
    parity = Parity(BATCHES, (wanted - found).abs().max().item(), wanted.abs().max().item())
    if not parity.relative <= TOLERANCE:  # not a number is no agreement either
        raise CheckpointError(
            f"the program's {part.output} differ from the model's by"
            f" {parity.largest_difference:.2g}, and the largest is {parity.largest_number:.2g};"
            " nothing was written",
            "are all weights finite numbers? if they are, please report it",
        )
    return parity


def _about(loaded: Loaded, part: Part, to: str, parity: Parity) -> dict[str, Any]:
    config = loaded.config
    return {
        "format": "videomae-export",
        "version": 1,
        "program": to,
        "input": {
            "name": INPUT,
            "dtype": "uint8",
            "layout": "batch, colour (R, G, B), frame, row, column",
            "shape": ["batch", *_clips(1, part.grid).shape[1:]],
        },
        "output": {"name": part.output, "dtype": "float32", "meaning": part.meaning},
        "preprocessing": preprocessing(config, part.grid.frames),
        "classes": config.classes if part.output == "logits" else None,
        "model": config.model_dump(
            mode="json", include={"kind", "encoder", "grid", "select", "step"}
        ),
        "license": config.license,
        "derived_from": [*config.derived_from, "/".join(loaded.file.parts[-2:])],
        "parity": parity._asdict(),
        "software": software(),
    }
