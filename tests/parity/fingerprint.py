"""Digests of everything the commands compute and write, to prove that a refactoring moves nothing.

    python tests/parity/fingerprint.py --json before.json             record this version
    python tests/parity/fingerprint.py --against before.json          compare with a record
    python tests/parity/fingerprint.py --code CHECKOUT --json out.json   record another version

Small clips are encoded, then `prepare`, eight training runs, `eval`, `visualize-mask` and `convert`
run on the CPU in fp32. Only the command line is used, so every version can be compared. Digests
depend on the machine and on library versions: record both versions on the same machine.

A digest is *strict* unless its name ends in `.words`: text that people read may be reworded, so it
is reported and does not fail. JSON, YAML and CSV have a digest of each kind: a string that contains
a blank counts as words. Pictures with text in them are words; the panels drawn on them are strict.
Removed from all: times, speeds, versions of packages and the path of the temporary folder.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from fingerprint_commands import StepHashes, videomae
from fingerprint_files import WORDS, Digests, file_digests, hash_of, value_digests

CLIP = {"frames": 4, "stride_frames": 2, "size": 32, "tubelet": 2, "patch": 8}
TRAIN = {"batch": 4, "micro_batch": 2, "precision": "fp32", "save_every_steps": 2}
TRAIN |= {"log_every_steps": 2, "workers": 0}
OPTIM = {"base_lr": 0.02, "min_lr": 0.0, "weight_decay": 0.05, "betas": [0.9, 0.95]}
COMMON = {"clip": CLIP, "schedule": {"steps": 5, "warmup_steps": 1}, "train": TRAIN}
PRETRAIN = {
    "kind": "pretrain",
    **COMMON,
    "model": {"size": "micro", "decoder": {"depth": 1, "dim": 32, "heads": 2}, "drop_path": 0.2},
    "mask": {"strategy": "tube", "ratio": 0.75},
    "target": {"normalize": "patch"},
    "augment": {"crop": "multiscale", "flip": True},
    "optim": OPTIM,
}
FINETUNE = {
    "kind": "finetune",
    **COMMON,
    "model": {"size": "micro", "drop_path": 0.1, "head_dropout": 0.1},
    "augment": {"crop": "random-resized", "flip": True, "repeats": 2, "smoothing": 0.1},
    "optim": {**OPTIM, "layer_decay": 0.75, "clip_grad": 1.0},
    "eval": {"clips": 2, "crops": 3, "every_epochs": 1},
}
MAE_ST = "model.positions=separable model.class_token=true model.biases=all"
MAE_ST_DATA = "clip.mean=[0.45,0.45,0.45] clip.std=[0.225,0.225,0.225]"
RUNS = {  # name: recipe, run to start from, changes to the recipe
    "tube": ("pretrain", "", "train.workers=1"),
    "random": ("pretrain", "", "mask.strategy=random augment.repeats=2 clip.sampling=segment"),
    "motion": ("pretrain", "", "mask.strategy=motion mask.pool=0.5 clip.oversample=2"),
    "running-cell": (
        "pretrain",
        "",
        "mask.targets=running-cell mask.targets_ratio=0.5 target.normalize=none optim.clip_grad=1",
    ),
    "mae-st": (
        "pretrain",
        "",
        f"{MAE_ST} {MAE_ST_DATA} model.init=mae-st mask.strategy=random target.normalize=joint"
        " target.frames=linspace augment.crop=random-resized",
    ),
    "mixup": (
        "finetune",
        "tube",
        "augment.mixup=0.8 augment.cutmix=1.0 augment.erasing=0.5 train.micro_batch=4"
        " augment.randaugment=rand-m7-n4-mstd0.5-inc1 train.workers=1",
    ),
    "ema": ("finetune", "mae-st", f"{MAE_ST} {MAE_ST_DATA} model.norm=pretrained train.ema=0.2"),
    "select": (
        "finetune",
        "motion",
        "select.strategy=motion select.pool=0.5 clip.oversample=2 augment.crop=multiscale",
    ),
}
FORMATS = {"native": "", "v1": ".pth", "v2": "", "mmaction2": ".pth", "mae-st": ".pth", "hf": ""}
FORMATS |= {"hf-linear": ""}
EXPORTED = {"onnx": ".onnx", "torch-export": ".pt2"}
VIEWS = {  # pictures, by name: arguments of visualize-mask
    "all.html": "--strategy all --size 64 --frames 8 --stride 1",
    "filled.html": "--checkpoint runs/tube --strategy tube,random,motion --target-stats",
    "mae-st.html": "--checkpoint runs/mae-st",
    "all.png": "--strategy all --size 64 --frames 8 --stride 1",
    "error.png": "--checkpoint runs/motion --error",
    "cell.gif": "--checkpoint runs/running-cell --error",
    "time.mp4": "--strategy time --size 64 --frames 8 --stride 1",
}
IGNORED_FILES = {".lock", "environment.json", "speed.jsonl", "manifest.json"}  # the last: of a save


def main(arguments: list[str]) -> int:
    """Record digests, compare them with a record, or both; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the digests to this file")
    parser.add_argument("--against", type=Path, help="compare with this file; exit 1 if not equal")
    parser.add_argument("--code", type=Path, help="checkout to run; default: what Python imports")
    parser.add_argument("--seed", type=int, default=0, help="seed of all runs")
    parser.add_argument("--quick", action="store_true", help="one run and nothing after it")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.inside:
        json.dump(record(chosen.seed, quick=chosen.quick), sys.stdout)
        return 0
    made = _record_in_child(chosen)
    if chosen.json:
        chosen.json.write_text(json.dumps(made, indent=1) + "\n")
    print(f"{len(made)} digests")
    return compare(json.loads(chosen.against.read_text()), made) if chosen.against else 0


def compare(before: Digests, now: Digests) -> int:
    """Print a table of all digests; return 1 if a strict one differs, is missing or is new."""
    rows: dict[str, list[str]] = {"same": [], "reworded": [], "DIFFERS": []}
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name, "missing"), now.get(name, "missing")
        result = "same" if old == new else "reworded" if name.endswith(WORDS) else "DIFFERS"
        rows[result].append(f"{result:9} {old[:12]:12} {new[:12]:12} {name}")
    print("\n".join(row for result in rows.values() for row in result))
    print(", ".join(f"{len(found)} {result}" for result, found in rows.items()))
    return int(bool(rows["DIFFERS"]))


def _record_in_child(chosen: argparse.Namespace) -> Digests:
    """Record in a process with two threads and no GPU, in a temporary folder."""
    threads = {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    others = {
        "ACCELERATE_USE_CPU": "true",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    environment = {**os.environ, **threads, **others}
    if chosen.code:
        environment["PYTHONPATH"] = str(chosen.code.resolve())
    words = [sys.executable, str(Path(__file__).resolve()), "--inside", "--seed", str(chosen.seed)]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*words, *["--quick"] * chosen.quick],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            check=True,
        )
    made: Digests = json.loads(done.stdout)
    return made


def record(seed: int, *, quick: bool) -> Digests:
    """Run everything in the current folder; return a digest for each result, by name."""
    sys.path.pop(0)  # the folder of this script, whose names could hide others
    import torch

    import videomae_cli

    print("digests of", videomae_cli.__file__, file=sys.stderr)
    torch.set_num_threads(2)
    made = Digests()
    _write_videos(Path("videos"), 20)
    Path("list.csv").write_text("path,label,split\nslow/0.mkv,4,train\nfast/1.mkv,2,val\n")
    _run(made, "prepare videos --out data --workers 1")
    _run(made, "prepare list.csv --root videos --classes 6 --decoder pyav --out listed --workers 1")
    _train(made, ["tube"] if quick else list(RUNS), seed)
    if quick:
        return made
    _run(made, "pretrain --resume runs/tube --fork --out runs/fork --set schedule.steps=7")
    for name, words in VIEWS.items():
        _run(made, f"visualize-mask videos/fast/1.mkv {words} --out views/{name}")
    for source in ("tube", "mae-st", "mixup", "ema"):
        for to, suffix in {**FORMATS, **(EXPORTED if source in ("tube", "ema") else {})}.items():
            out = f"converted/{source}-{to}{suffix}"
            if _run(made, f"convert runs/{source} {out} --to {to}") and to in FORMATS:
                _run(made, f"convert {out} converted/{source}-{to}-back")
    _run(made, "convert converted/mixup-v1.pth --inspect")
    for recipe in videomae("recipes ls --json")["json"]:
        shown = videomae(f"recipes show {recipe['name']} --json")["json"]
        _add(made, f"videomae recipes show {recipe['name']}", value_digests([shown, recipe]))
    return made


def _train(made: Digests, names: list[str], seed: int) -> None:
    """Do some of `RUNS`; evaluate what was fine-tuned."""
    for kind, recipe in (("pretrain", PRETRAIN), ("finetune", FINETUNE)):
        Path(f"{kind}.yaml").write_text(json.dumps(recipe))
    for name in names:
        kind, start, changes = RUNS[name]
        words = [f"{kind} --recipe {kind}.yaml --data data --out runs/{name} --seed {seed}"]
        words += [f"--checkpoint runs/{start}"] * bool(start)
        words += [f"--set {change}" for change in changes.split()]
        with StepHashes() as steps:
            _run(made, " ".join(words))
        for what, found in steps.seen.items():
            made[f"runs/{name}: {what} of each step"] = hash_of(found)
        if kind == "finetune":
            _run(made, f"eval --checkpoint runs/{name} --precision fp32 --out eval/{name}")


def _run(made: Digests, words: str) -> bool:
    """Run a command; add the digests of its result and of each file it wrote; tell if it did."""
    before = set(Path().rglob("*"))
    result = videomae(f"{words} --json")
    _add(made, f"videomae {words}", value_digests(result))
    for path in sorted(set(Path().rglob("*")) - before):
        if path.is_file() and path.name not in IGNORED_FILES:
            _add(made, str(path), file_digests(path))
    return result["exit code"] == 0


def _add(made: Digests, name: str, digests: Digests) -> None:
    made.update({f"{name}{ending}": digest for ending, digest in digests.items()})


def _write_videos(folder: Path, count: int) -> None:
    """Write short videos in two classes, one in four with losses, and two that are damaged.

    H.264 is left out: its encoder does not always give the same bytes.
    """
    import av
    import numpy as np

    dice = np.random.default_rng(0)
    for number in range(count):
        path = folder / ("slow", "fast")[number % 2] / f"{number}.mkv"
        path.parent.mkdir(parents=True, exist_ok=True)
        frames_THWC = dice.integers(0, 90, (1, 40, 56, 3)).repeat(8 + number % 7, axis=0)
        for t, frame_HWC in enumerate(frames_THWC):
            across = t * (1 + number % 2 * 4) % 40
            frame_HWC[8:24, across : across + 16] = 255 - 3 * t
        codec, pixels = ("mpeg4", "yuv420p") if number % 4 == 2 else ("ffv1", "bgr0")
        with av.open(str(path), "w", options={"fflags": "bitexact"}) as container:
            stream = container.add_stream(codec, rate=25)
            stream.height, stream.width, stream.pix_fmt = 40, 56, pixels
            stream.codec_context.thread_count = 1
            for frame_HWC in frames_THWC.astype(np.uint8):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
            container.mux(stream.encode(None))
    (folder / "slow/damaged.mkv").write_bytes(b"\x1aE\xdf\xa3 not a video")
    (folder / "fast/empty.mp4").touch()
    for path in folder.rglob("*.m*"):
        os.utime(path, (1e9, 1e9))  # the cache of `prepare` holds the time of each file


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
