"""Measure clips per second of a whole pretraining run: decoding, augmentation, steps.

    python benchmarks/end_to_end.py --batch 64 --json end_to_end.json

`videomae pretrain --recipe k400-vitb` on videos as they are, and as `videomae prepare --transcode`
writes them; by turns with the step alone, which needs no data. Without --source, the videos are
copies of four clips of the size of Kinetics' (340 x 256, 10 s), which are generated. The rate is
that which a run logs in `speed.jsonl`, without its first quarter.

Ratios, files and transcoded: clips per second of the run over those of the step alone.
"""

import argparse
import json
import shutil
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measuring.commands import VIDEOMAE, run_apart, run_command
from measuring.runner import Result, make_parser, quotients, run_rounds, timed

from videomae_cli.config.transformer import SIZES

ALONE = "step alone"
FORMS: dict[str, list[str]] = {"files": [], "transcoded": ["--transcode"]}
MASTERS = 4
FRAMES, HEIGHT, WIDTH = 300, 256, 340


def write_videos(folder: Path, count: int, frames: int) -> None:
    """Write copies of a few generated clips."""
    from tests.data.make_clips import write_clip

    for number in range(count):
        path = folder / f"{number:05d}.mp4"
        if number < MASTERS:
            write_clip(path, frames, height=HEIGHT, width=WIDTH, fps=30, seed=number)
        else:
            shutil.copy(folder / f"{number % MASTERS:05d}.mp4", path)


def run_training(chosen: argparse.Namespace, folder: Path, form: str) -> tuple[float, float]:
    """Pretrain for some steps; return clips per second, and the share of time waiting for data."""
    out, part = folder / "run", max(1, chosen.steps // 4)
    shutil.rmtree(out, ignore_errors=True)
    dim = SIZES[chosen.size].dim
    changes = {
        "model.size": chosen.size,
        "model.decoder.dim": dim // 2,
        "model.decoder.heads": max(1, dim // 128),
        "clip.size": chosen.clip_size,
        "schedule.epochs": "null",
        "schedule.warmup_epochs": "null",
        "schedule.steps": 4 * part,
        "schedule.warmup_steps": 0,
        "train.batch": chosen.batch,
        "train.micro_batch": chosen.batch,
        "train.log_every_steps": part,
        "train.save_every_steps": 4 * part,
    }
    words = ["pretrain", "--recipe", "k400-vitb", "--data", str(folder / form), "--out", str(out)]
    for key, value in changes.items():
        words += ["--set", f"{key}={value}"]
    for change in chosen.set:
        words += ["--set", change]
    run_command([*VIDEOMAE, *words], cwd=folder)
    lines = [json.loads(line) for line in (out / "speed.jsonl").read_text().splitlines()][1:]
    return (
        statistics.median(line["clips_per_s"] for line in lines),
        statistics.median(line["data_wait"] for line in lines),
    )


def time_step(chosen: argparse.Namespace, device: str) -> tuple[float, float]:
    """Return clips per second of the step alone, in a process of its own, and no waiting."""
    from measuring.training_steps import ours

    from videomae_cli.engine.runtime import keep_freed_memory, resolve_precision

    keep_freed_memory()
    precision = resolve_precision("auto", device.split(":")[0])
    step = ours(chosen.size, chosen.batch, precision, device, f"clip.size={chosen.clip_size}")
    rounds = run_rounds({ALONE: partial(timed, step, device)}, max(1, chosen.steps // 4))
    return chosen.batch / statistics.median(rounds[ALONE]), 0.0


def main() -> None:
    """Prepare the videos, measure and print."""
    parser = make_parser(__doc__, rounds=3)
    parser.add_argument("--source", type=Path, help="folder of videos; default: generated ones")
    parser.add_argument("--videos", type=int, default=256, help="number of generated videos")
    parser.add_argument("--frames", type=int, default=FRAMES, help="of each generated video")
    parser.add_argument("--size", default="vitb", choices=list(SIZES))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=40, help="of each run")
    parser.add_argument("--clip-size", type=int, default=224, help="pixels; smaller only to try")
    parser.add_argument("--set", action="append", default=[], help="as in videomae pretrain")
    chosen = parser.parse_args()
    result = Result("end_to_end", chosen, "torch", "decord2", "av")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = chosen.source and chosen.source.absolute()
        if source is None:
            source = folder / "videos"
            write_videos(source, chosen.videos, chosen.frames)
        for form, words in FORMS.items():
            command = [*VIDEOMAE, "prepare", str(source), "--out", str(folder / form), *words]
            run_command(command, cwd=folder)
        sides: dict[str, Callable[[], tuple[float, float]]] = {
            form: partial(run_training, chosen, folder, form) for form in FORMS
        }
        sides[ALONE] = partial(run_apart, time_step, chosen, result.device)
        rounds = run_rounds(sides, chosen.rounds, warm_up=False)
    rates = {side: [rate for rate, _ in values] for side, values in rounds.items()}
    for side, values in rounds.items():
        result.add_side(f"{side}, clips/s", rates[side], "clips/s")
        if side in FORMS:
            waits = [wait for _, wait in values]
            result.add_side(f"{side}, share of time waiting for data", waits, "")
            result.add_ratio(side, quotients(rates[side], rates[ALONE]))
    result.finish()


if __name__ == "__main__":
    main()
