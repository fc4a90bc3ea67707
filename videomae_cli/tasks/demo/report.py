"""The page a demonstration leaves behind: one HTML file, no network, every picture inside."""

import base64
import io
import os
import platform
import shlex
import sys
from importlib.resources import files
from pathlib import Path

import jinja2
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from videomae_cli.data.decode import read_frames
from videomae_cli.data.manifest import read_manifest
from videomae_cli.engine.environment import software
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.report import Silence
from videomae_cli.tasks.demo.data import Scale
from videomae_cli.tasks.demo.results import CHANCE, Outcome
from videomae_cli.tasks.demo.videos import FRAMES, MOTIONS, motion_of, plain_guess_loss
from videomae_cli.tasks.visualize import visualize
from videomae_cli.tasks.visualize.setup import Options

PAGE = "report.html"
PRETRAINED, SCRATCH = "#2563eb", "#9aa3b2"
SHOWN = (0, 6)  # a shift and a turn


def write_report(
    run_dir: Path, outcome: Outcome, scale: Scale, pretrained: Path, seed: int
) -> Path:
    """Write `report.html`; return its path."""
    source = files("videomae_cli.tasks.demo").joinpath("report.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    fewest, most = outcome.budgets[0], outcome.budgets[-1]
    versions = software()
    page = environment.from_string(source).render(
        outcome=outcome,
        scale=scale,
        fewest=fewest,
        most=most,
        seed=seed,
        classes=_classes(run_dir),
        accuracy=_accuracy(outcome),
        loss=_pretraining(run_dir),
        tuning=_tuning(run_dir, fewest),
        pictures=_reconstructions(run_dir, pretrained),
        command=shlex.join(["videomae", *sys.argv[1:]]),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        software=versions,
    )
    path = run_dir / PAGE
    path.write_text(page, encoding="utf-8")
    return path


def _test_videos(run_dir: Path) -> dict[int, Path]:
    """Return one natural test video of each class."""
    manifest = read_manifest(run_dir / "data" / "natural")
    found: dict[int, Path] = {}
    for video in manifest.split("test"):
        found.setdefault(motion_of(int(Path(video.path).stem)), manifest.video_path(video))
    return found


def _classes(run_dir: Path) -> str:
    figure = Figure(figsize=(9.6, 9.4), layout="constrained")
    axes = figure.subplots(len(MOTIONS), FRAMES)
    for motion, path in sorted(_test_videos(run_dir).items()):
        for number, frame_HWC in enumerate(read_frames(path, range(FRAMES))):
            one: Axes = axes[motion][number]
            one.imshow(frame_HWC)
            one.set_xticks([])
            one.set_yticks([])
            for edge in one.spines.values():
                edge.set_visible(False)
        axes[motion][0].set_ylabel(
            MOTIONS[motion], rotation=0, ha="right", va="center", fontsize=11
        )
    return _inline(figure)


def _accuracy(outcome: Outcome) -> str:
    figure, axes = _axes("labelled videos", "top-1, %")
    for start, colour in (("pretrained", PRETRAINED), ("scratch", SCRATCH)):
        scores = [s for s in outcome.contests if s.start == start]
        scores.sort(key=lambda score: score.labels)
        axes.plot(
            [score.labels for score in scores],
            [100 * score.top1 for score in scores],
            "o-",
            color=colour,
            label=start.replace("scratch", "from scratch"),
            linewidth=2,
        )
    axes.axhline(100 * CHANCE, color="#c4c9d4", linestyle="--", linewidth=1)
    axes.text(outcome.budgets[0], 100 * CHANCE + 1.5, "chance", color="#8a93a5", fontsize=9)
    axes.set_xscale("log")
    axes.set_xticks(outcome.budgets, [str(labels) for labels in outcome.budgets])
    axes.minorticks_off()
    axes.set_ylim(0, 100)
    axes.legend(frameon=False)
    return _inline(figure)


def _pretraining(run_dir: Path) -> str:
    figure, axes = _axes("pretraining step", "loss")
    lines = read_metrics(run_dir / "pretrain" / "metrics.jsonl")
    axes.plot([line["step"] for line in lines], [line["loss"] for line in lines], color=PRETRAINED)
    guess = plain_guess_loss(list(_test_videos(run_dir).values()))
    axes.axhline(guess, color="#8a93a5", linestyle="--", linewidth=1)
    axes.set_yscale("log")
    return _inline(figure)


def _tuning(run_dir: Path, labels: int) -> str:
    figure, axes = _axes("fine-tuning step", "loss")
    for start, colour in (("pretrained", PRETRAINED), ("scratch", SCRATCH)):
        lines = read_metrics(run_dir / f"natural-{start}-{labels}" / "metrics.jsonl")
        axes.plot(
            [line["step"] for line in lines],
            [line["loss"] for line in lines],
            color=colour,
            label=start.replace("scratch", "from scratch"),
        )
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return _inline(figure)


def _reconstructions(run_dir: Path, pretrained: Path) -> list[str]:
    videos, pictures = _test_videos(run_dir), []
    for motion in SHOWN:
        out = run_dir / "pictures" / f"{MOTIONS[motion]}.png"
        visualize.run(
            videos[motion], Silence(), checkpoint=pretrained, out=out, options=Options(error=True)
        )
        pictures.append(_data_uri(out.read_bytes()))
    return pictures


def _axes(across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#eceff4")
    return figure, axes


def _inline(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=144)
    return _data_uri(buffer.getvalue())


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
