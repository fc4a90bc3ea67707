"""The report of a demonstration: one HTML file with all pictures inside."""

import base64
import io
import os
import platform
import shlex
import sys
from importlib.resources import files
from pathlib import Path
from typing import get_args

import jinja2
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from videomae_cli.data.decode import read_frames
from videomae_cli.data.manifest import read_manifest
from videomae_cli.engine.environment import software
from videomae_cli.engine.logging.metrics import read_metrics
from videomae_cli.report import Silence, printable
from videomae_cli.tasks.demo.data import VideoCounts
from videomae_cli.tasks.demo.results import CHANCE, DemoResults, InitialWeights
from videomae_cli.tasks.demo.videos import DECODER, FRAMES, MOTIONS, frame_mean_loss, motion_index
from videomae_cli.tasks.probe.measures import Interval
from videomae_cli.tasks.visualize import visualize
from videomae_cli.tasks.visualize.setup import Options

COLOURS = {"pretrained": "#2563eb", "scratch": "#9aa3b2"}
LABELS = {"pretrained": "pretrained", "scratch": "from scratch"}
FROZEN_LABELS = {"pretrained": "pretrained", "scratch": "random weights"}
Curves = dict[InitialWeights, list[Interval]]
SHOWN_MOTIONS = (0, 6)  # a shift and a rotation


def write_report(
    run_dir: Path, results: DemoResults, counts: VideoCounts, pretrained: Path, seed: int
) -> Path:
    """Write `report.html`; return its path."""
    source = files("videomae_cli.tasks.demo").joinpath("report.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    fewest, most = results.budgets[0], results.budgets[-1]
    page = environment.from_string(source).render(
        results=results,
        counts=counts,
        fewest=fewest,
        most=most,
        seed=seed,
        classes=_plot_classes(run_dir),
        frozen=_plot_accuracy(results.budgets, _frozen_curves(results), FROZEN_LABELS),
        finetuned=_plot_accuracy(results.budgets, _finetuned_curves(results), LABELS),
        pretraining_loss=_plot_pretraining(run_dir),
        finetuning_loss=_plot_finetuning(run_dir, fewest),
        pictures=_draw_reconstructions(run_dir, pretrained),
        command=printable(shlex.join(["videomae", *sys.argv[1:]])),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        software=software(),
    )
    path = run_dir / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _find_test_videos(run_dir: Path) -> dict[int, Path]:
    """Return one natural test video of each class."""
    manifest = read_manifest(run_dir / "data" / "natural")
    paths: dict[int, Path] = {}
    for video in manifest.split("test"):
        paths.setdefault(motion_index(int(Path(video.path).stem)), manifest.video_path(video))
    return paths


def _plot_classes(run_dir: Path) -> str:
    figure = Figure(figsize=(9.6, 9.4), layout="constrained")
    axes = figure.subplots(len(MOTIONS), FRAMES)
    for motion, path in sorted(_find_test_videos(run_dir).items()):
        for number, frame_HWC in enumerate(read_frames(path, range(FRAMES), decoder=DECODER)):
            cell: Axes = axes[motion][number]
            cell.imshow(frame_HWC)
            cell.set(xticks=[], yticks=[])
            cell.spines[:].set_visible(False)
        axes[motion][0].set_ylabel(
            MOTIONS[motion], rotation=0, ha="right", va="center", fontsize=11
        )
    return _encode_figure(figure)


def _frozen_curves(results: DemoResults) -> Curves:
    points = results.points
    return {"pretrained": [p.first for p in points], "scratch": [p.second for p in points]}


def _finetuned_curves(results: DemoResults) -> Curves:
    return {
        start: [results.find_score(labels, start).interval for labels in results.budgets]
        for start in get_args(InitialWeights)
    }


def _plot_accuracy(budgets: list[int], curves: Curves, names: dict[str, str]) -> str:
    figure, axes = _new_axes("labelled videos, logarithmic", "top-1, %")
    for start, intervals in curves.items():
        value, low, high = (
            [100 * getattr(interval, field) for interval in intervals]
            for field in ("value", "low", "high")
        )
        axes.fill_between(budgets, low, high, color=COLOURS[start], alpha=0.2, linewidth=0)
        axes.plot(budgets, value, "o-", color=COLOURS[start], label=names[start], linewidth=2)
    axes.axhline(100 * CHANCE, color="#c4c9d4", linestyle="--", linewidth=1)
    axes.text(budgets[-1], 100 * CHANCE - 5, "chance", color="#8a93a5", fontsize=9, ha="right")
    axes.set_xscale("log")
    axes.set_xticks(budgets, [str(labels) for labels in budgets])
    axes.minorticks_off()
    axes.set_ylim(0, 100)
    axes.legend(frameon=False, loc="upper left")
    return _encode_figure(figure)


def _plot_pretraining(run_dir: Path) -> str:
    figure, axes = _new_axes("pretraining step", "loss")
    _plot_loss(axes, run_dir / "pretrain", "pretrained")
    baseline = frame_mean_loss(list(_find_test_videos(run_dir).values()))
    axes.axhline(baseline, color="#8a93a5", linestyle="--", linewidth=1)
    axes.set_yscale("log")
    return _encode_figure(figure)


def _plot_finetuning(run_dir: Path, labels: int) -> str:
    figure, axes = _new_axes("fine-tuning step", "loss")
    for start in get_args(InitialWeights):
        _plot_loss(axes, run_dir / f"natural-{start}-{labels}", start)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return _encode_figure(figure)


def _draw_reconstructions(run_dir: Path, pretrained: Path) -> list[str]:
    videos, pictures = _find_test_videos(run_dir), []
    for motion in SHOWN_MOTIONS:
        out = run_dir / "pictures" / f"{MOTIONS[motion]}.png"
        visualize.run(
            videos[motion], Silence(), checkpoint=pretrained, out=out, options=Options(error=True)
        )
        pictures.append(_data_uri(out.read_bytes()))
    return pictures


def _new_axes(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#eceff4")
    return figure, axes


def _plot_loss(axes: Axes, run_dir: Path, start: InitialWeights) -> None:
    lines = read_metrics(run_dir / "metrics.jsonl")
    steps, losses = ([line[key] for line in lines] for key in ("step", "loss"))
    axes.plot(steps, losses, color=COLOURS[start], label=LABELS[start])


def _encode_figure(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=144)
    return _data_uri(buffer.getvalue())


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
