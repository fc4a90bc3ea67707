"""What a few hundred labelled clips of your own can teach, by cross-validation: who learned what?

    videomae prepare LIST.csv --out data/clips --uint8 --short-side 80
    python benchmarks/real_clips.py --data data/clips --out runs/real --seeds 0 1 2

Rows: what needs no model (the constant answer, file metadata, a mean frame, motion statistics, a
random projection); probes of the frozen features of a random encoder, and of one that was
pretrained on these clips without labels; a classifier fine-tuned from it, and one from scratch with
the same steps. Each seed divides the clips anew into folds, so that no source of clips is in two of
them. Pretraining never sees the fold that is tested, although it needs no labels.

Intervals are 95 % bootstraps over sources and seeds, because clips of one source are no independent
evidence. Nothing is claimed where the intervals of two rows overlap. The times are those of the
processor, of one thread. What is finished is not done again; another setting needs another --out.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measuring.accuracies import Outputs, compare_rows, measure_rows
from measuring.accuracy_tables import describe_accuracies
from measuring.clip_folds import Fold, Settings, open_clips
from measuring.machine import describe_machine, installed_versions, now

from videomae_cli import atomic
from videomae_cli.errors import UsageError, VideoMAEError
from videomae_cli.report import Silence
from videomae_cli.tasks.probe.baselines import answer_constant, make_baselines
from videomae_cli.tasks.probe.facts_cache import read_all_facts
from videomae_cli.tasks.probe.folds import make_folds
from videomae_cli.tasks.probe.probes import linear
from videomae_cli.tasks.probe.samples import Floats, Index, LabelledVideos, Target

CONSTANT = "constant answer"
MOTION = "motion statistics"
PAIRS = (
    ("frozen, pretrained, linear", "frozen, random, linear"),
    ("frozen, pretrained, knn", "frozen, random, knn"),
    ("fine-tuned, pretrained", "fine-tuned, scratch"),
    ("frozen, pretrained, linear", MOTION),
    ("fine-tuned, pretrained", MOTION),
)
"""Rows that are compared: the first minus the second, on the same clips."""
PART_SECONDS = ("pretraining", "fine-tuned, pretrained", "fine-tuned, scratch")


def run_seed(
    clips: LabelledVideos, folds: Sequence[Index], folder: Path, settings: Settings, seed: int
) -> tuple[dict[str, Floats], list[dict[str, Any]]]:
    """Train in all folds; return output_VK of each row for all clips, and what each fold found."""
    outputs: dict[str, Floats] = {}
    parts = []
    for number, test in enumerate(folds):
        fold = Fold(clips, test, folder / f"fold-{number}", settings, seed)
        found = fold.run()
        found["pretraining"]["frame_mean_loss"] = fold.frame_mean_loss
        parts.append(found)
        for name, output_VK in flatten(found).items():
            target = outputs.setdefault(name, np.zeros((clips.target.videos, clips.target.size)))
            target[test] = output_VK
        seconds = sum(part["cpu_seconds"] for part in found.values())
        print(f"seed {seed}, fold {number}: {seconds:.0f} s", file=sys.stderr, flush=True)
    return outputs, parts


def flatten(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the outputs of a fold by row: one for a classifier, one for each probe."""
    rows: dict[str, Any] = {}
    for name, part in found.items():
        if "output" in part:
            rows[name] = part["output"]
        rows |= {f"{name}, {probe}": part[probe] for probe in ("linear", "knn") if probe in part}
    return rows


def predict_baselines(
    clips: LabelledVideos, folds: Sequence[Index], seed: int
) -> dict[str, Floats]:
    """Return output_VK of all baselines, of models that have not seen the fold of a clip."""
    facts = read_all_facts(clips.manifest, clips.videos, Silence(), workers=0)
    if errors := [each.error for each in facts if each.error]:
        raise UsageError(errors[0], "prepare the clips again")
    target, everything = clips.target, np.arange(clips.target.videos)
    outputs = {}
    for baseline in make_baselines(facts):
        if not baseline.feature.shape[1]:
            outputs[CONSTANT] = answer_constant(target)
            continue
        output_VK = np.zeros((target.videos, target.size), dtype=np.float32)
        for test in folds:
            train = np.setdiff1d(everything, test)
            feature_VD = baseline.feature
            output_VK[test] = linear.fit_predict(
                feature_VD[train], target.take(train), feature_VD[test], seed=seed
            )
        outputs[baseline.name] = output_VK
    return outputs


def summarize_parts(parts: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """Return losses of pretraining (means over all folds) and the minutes of the processor."""
    pretraining = [part["pretraining"] for part in parts]
    losses = ("loss", "frame_mean_loss", "trivial_loss")
    each = {
        name: statistics.mean(part[name]["cpu_seconds"] for part in parts) / 60
        for name in PART_SECONDS
    }
    total = sum(part["cpu_seconds"] for found in parts for part in found.values()) / 60
    return {
        "pretraining": {key: statistics.mean(run[key] for run in pretraining) for key in losses},
        "minutes": {"all": total, **each},
    }


def run(chosen: argparse.Namespace) -> dict[str, Any]:
    """Run all seeds; return the result as plain data."""
    clips, column = open_clips(chosen.data, chosen.group_column)
    steps = chosen.pretrain_steps, chosen.finetune_steps
    settings = Settings(chosen.folds, *steps, group_column=column)
    if chosen.quick:
        settings = settings._replace(size=16, patch=8, batch=2, pretrain_steps=4, finetune_steps=4)
    check_plan(chosen.out, {**settings._asdict(), "data": clips.manifest.digest})
    outputs: dict[str, list[Floats]] = {}
    parts = []
    for seed in chosen.seeds:
        folds = make_folds(clips.target, seed, most=settings.folds)
        if len(folds) < 2:
            raise UsageError(f"{chosen.data}: too few sources, or clips of a class, for two folds")
        trained, found = run_seed(clips, folds, chosen.out / f"seed-{seed}", settings, seed)
        parts += found
        for name, output_VK in {**predict_baselines(clips, folds, seed), **trained}.items():
            outputs.setdefault(name, []).append(output_VK)
    return {
        **describe_run(clips, settings, chosen.seeds),
        **summarize_parts(parts),
        **summarize_outputs(outputs, clips.target),
    }


def describe_run(clips: LabelledVideos, settings: Settings, seeds: Sequence[int]) -> dict[str, Any]:
    """Return how it was measured: date, machine, versions, settings, clips and their sources."""
    target = clips.target
    sources = target.videos if target.group_V is None else len(np.unique(target.group_V))
    return {
        "benchmark": "real_clips",
        "date": now(),
        "machine": describe_machine("cpu", 1),
        "versions": installed_versions("torch", "scikit-learn"),
        "settings": {**settings._asdict(), "seeds": list(seeds)},
        "clips": target.videos,
        "sources": sources,
    }


def summarize_outputs(outputs: Outputs, target: Target) -> dict[str, Any]:
    """Return the measures of all rows, and the comparisons."""
    rows = measure_rows(outputs, target)
    pairs = [compare_rows(outputs, rows, pair, target) for pair in PAIRS]
    return {"accuracies": rows, "comparisons": pairs}


def check_plan(out: Path, plan: Mapping[str, Any]) -> None:
    """Store the settings, or refuse a directory that was begun with others."""
    file = out / "plan.json"
    if not file.is_file():
        out.mkdir(parents=True, exist_ok=True)
        atomic.write_json(file, dict(plan))
    elif json.loads(file.read_text(encoding="utf-8")) != json.loads(json.dumps(plan)):
        raise UsageError(f"{out} was begun with other settings or clips", "choose another --out")


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="prepared, with labels")
    parser.add_argument("--out", type=Path, default=Path("runs/real"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--pretrain-steps", type=int, default=Settings().pretrain_steps)
    parser.add_argument("--finetune-steps", type=int, default=Settings().finetune_steps)
    parser.add_argument(
        "--group-column", help="column that names the source of each clip; default: by its name"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="try the program; shows nothing")
    return parser.parse_args(words)


def main() -> int:
    """Run, print the tables and write the JSON; return the exit code."""
    import torch

    chosen = parse()
    torch.set_num_threads(1)
    try:
        content = run(chosen)
    except VideoMAEError as error:
        print(f"{error.message}\n{error.hint}", file=sys.stderr)
        return error.exit_code
    print(describe_accuracies(content))
    if chosen.json is not None:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_json(chosen.json, content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
