"""Make the stopped runs of this folder anew: python -m tests.data.old_run.make CHECKOUT

CHECKOUT is a copy of the version whose runs must stay resumable (so far: 0.1.0, commit 7132897).
Run it in the root of a checkout that has this file; only the command line of CHECKOUT is used.

A pretraining and a fine-tuning (from scratch, with Mixup and a moving average) are stopped by
SIGTERM after 3 of 6 steps. Most bits of the mantissas in the saved tensors are then set to zero, so
that a run packs into less than 160 KB, and the checkpoint is sealed again. CHECKOUT finishes a copy
of each run; `expected.json` says how it ends: SHA-256, moments and some elements of each tensor of
`final/`, and `metrics.jsonl`.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from tests.data.make_clips import write_clip

HERE = Path(__file__).parent
STOP = """
import os, runpy, signal, sys
from torch.optim.optimizer import register_optimizer_step_post_hook
steps = []
def count(*_):
    steps.append(1)
    if len(steps) == 3:
        os.kill(os.getpid(), signal.SIGTERM)
register_optimizer_step_post_hook(count)
runpy.run_module("videomae_cli", run_name="__main__")
"""
CLIP = {"frames": 4, "stride_frames": 2, "size": 16, "tubelet": 2, "patch": 4}
COMMON = {
    "seed": 3,
    "clip": CLIP,
    # a large eps: an element whose gradient is almost 0 must not move by the sign of a rounding
    "optim": {"base_lr": 0.05, "min_lr": 0.0, "weight_decay": 0.05, "eps": 0.0001},
    "schedule": {"steps": 6, "warmup_steps": 1},
    "train": {"batch": 4, "micro_batch": 2, "precision": "fp32", "save_every_steps": 2},
}
COMMON["optim"]["betas"] = [0.9, 0.95]
COMMON["train"] |= {"log_every_steps": 2, "workers": 0}
RECIPES: dict[str, dict[str, Any]] = {
    "pretrain": {
        **COMMON,
        "model": {"size": "micro", "decoder": {"depth": 1, "dim": 16, "heads": 2}},
        "mask": {"strategy": "tube", "ratio": 0.75},
        "target": {"normalize": "patch"},
        "augment": {"crop": "multiscale", "flip": True},
    },
    "finetune": {
        **COMMON,
        "start": "scratch",
        "model": {"size": "micro", "head_dropout": 0.1},
        "augment": {"crop": "random-resized", "flip": True, "mixup": 0.8, "smoothing": 0.1},
        "train": {**COMMON["train"], "ema": 0.5},
        "eval": {"clips": 1, "crops": 1, "every_epochs": 1},
    },
}
KEPT_BITS = {"exp_avg": 0, "exp_avg_sq": 0}  # of a mantissa
OTHER_KEPT_BITS = 1
SAMPLES = 8  # elements of a tensor that are written down


def write_videos(folder: Path) -> Path:
    """Write 12 training and 4 validation videos in two classes; no pixel is lost in encoding."""
    for number in range(16):
        split, kind = ("train", "val")[number >= 12], ("slow", "fast")[number % 2]
        path = folder / split / kind / f"{number}.mkv"
        write_clip(path, 8 + number % 5, height=24, width=32, codec="ffv1", seed=number)
    return folder


def environment() -> dict[str, str]:
    """Return the environment of all commands: one thread, no GPU."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}


def machine() -> dict[str, str]:
    """Return what decides the last digits of a sum in float32."""
    import torch

    kind = platform.processor()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
        facts = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
        kind = " ".join(facts.get(key, "") for key in ("vendor_id", "cpu family", "model"))
    capability = torch.backends.cpu.get_cpu_capability()
    return {"cpu": kind, "capability": capability, "torch": torch.__version__}


def outcome(run: Path) -> dict[str, Any]:
    """Return how a run ended."""
    tensors = load_file(run / "final/model.safetensors")
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return {
        "metrics": [json.loads(line) for line in lines],
        "tensors": {name: _summary(tensors[name]) for name in sorted(tensors)},
    }


def _summary(values: Any) -> dict[str, Any]:
    flat = values.astype(np.float64).ravel()
    places = np.unique(np.linspace(0, len(flat) - 1, SAMPLES).astype(int))
    return {
        "sha256": hashlib.sha256(values.tobytes()).hexdigest(),
        "shape": list(values.shape),
        "mean": round(float(flat.mean()), 9),
        "rms": round(float(np.sqrt((flat**2).mean())), 9),
        "elements": [round(float(flat[place]), 8) for place in places],
    }


def main(checkout: Path) -> None:
    """Write `pretrain.tar.xz`, `finetune.tar.xz` and `expected.json`."""
    here = {**environment(), "PYTHONPATH": str(checkout.resolve())}
    expected: dict[str, Any] = {"machine": machine()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def videomae(*words: str, code: int = 0, start: tuple[str, ...] = ("-m", "videomae_cli")):
            done = subprocess.run([sys.executable, *start, *words], cwd=folder, env=here)
            assert done.returncode == code, done.returncode

        write_videos(folder / "videos")
        videomae("prepare", "videos", "--out", "data", "--decoder", "pyav", "--workers", "1")
        for kind, recipe in RECIPES.items():
            file, run = folder / f"{kind}.yaml", folder / kind
            file.write_text(json.dumps({"kind": kind, **recipe}))
            words = [kind, "--recipe", file.name, "--data", "data", "--out", kind]
            videomae(*words, code=75, start=("-c", STOP))
            _tidy(run)
            with tarfile.open(HERE / f"{kind}.tar.xz", "w:xz", preset=9) as archive:
                archive.add(run, kind, filter=_nobody)
            videomae(kind, "--resume", kind)
            expected[kind] = outcome(run)
    text = json.dumps(expected, separators=(",", ":"))
    (HERE / "expected.json").write_text(text.replace('},"', '},\n"') + "\n")


def _tidy(run: Path) -> None:
    """Leave only the newest checkpoint, few bits in it, and nothing about the machine."""
    for name in (".lock", "speed.jsonl", "curves.png"):
        (run / name).unlink(missing_ok=True)
    about = json.loads((run / "environment.json").read_text())
    about |= {"command": ["videomae", run.name], "platform": "", "started": ""}
    (run / "environment.json").write_text(json.dumps(about, indent=1) + "\n")
    *older, newest = sorted((run / "checkpoints").iterdir())
    for path in older:
        shutil.rmtree(path)
    for path in newest.glob("*.safetensors"):
        _coarsen(path)
    seals = json.loads((newest / "manifest.json").read_text())["files"]
    for name, seal in seals.items():
        seal["sha256"] = hashlib.sha256((newest / name).read_bytes()).hexdigest()
    seal_of_seals = hashlib.sha256(json.dumps(seals, sort_keys=True).encode()).hexdigest()
    sealed = {"files": seals, "sha256": seal_of_seals}
    (newest / "manifest.json").write_text(json.dumps(sealed, separators=(",", ":")))


def _coarsen(path: Path) -> None:
    """Set the last bits of all float32 elements in a safetensors file to zero."""
    content = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    for name, about in json.loads(content[8:start]).items():
        if name == "__metadata__" or about["dtype"] != "F32" or not about["shape"]:
            continue  # a scalar counts steps
        first, last = (start + offset for offset in about["data_offsets"])
        bits = 23 - KEPT_BITS.get(name.rpartition("/")[2], OTHER_KEPT_BITS)
        values = np.frombuffer(content, np.uint32, (last - first) // 4, first)
        values &= np.uint32(0xFFFFFFFF << bits & 0xFFFFFFFF)
    path.write_bytes(content)


def _nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    main(Path(sys.argv[1]))
