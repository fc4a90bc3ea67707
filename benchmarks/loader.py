"""Time one core that makes pretraining clips of videos, ours against two peers.

    python benchmarks/loader.py VIDEO... --rounds 9 --json loader.json

A clip has 16 frames, every fourth, and 224 x 224 pixels. Sides, each video by turns in one process:

- ours: the code that training reads with (`k400-vitb`), with 1 and 4 clips of each decoded video
  (`augment.repeats`); uint8, normalised later on the device;
- pil: a loader as VideoMAE describes it: decord with one thread, a multi-scale crop, Pillow's
  bilinear resize of each frame, then normalised floats;
- hf: PyAV from the start of the file, as in the documentation of transformers, and its VideoMAE
  image processor;
- bare: the frames decoded by our decoder, and nothing else: the bound for unprepared files.

CPU milliseconds per clip, so that other programs matter less than by the clock; medians over the
rounds. Ratios are those of the medians: above 1, ours takes less.
"""

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from decord import VideoReader, cpu
from PIL import Image

from videomae_cli.config.clip import IMAGENET_MEAN, IMAGENET_STD
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.data.dataset import PretrainClips
from videomae_cli.data.decode import read_frames
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.ingest.decoder_choice import choose_decoder
from videomae_cli.data.manifest import Video
from videomae_cli.data.training_videos import CACHE_BYTES

FRAMES, STRIDE, SIZE = 16, 4, 224
Make = Callable[[int], Any]
"""Makes the clip, or clips, of a round."""


def describe(path: Path) -> Video:
    """Return a video as `videomae prepare` would list it."""
    info = probe_video(path)
    size = info.width, info.height
    return Video(path.name, None, "train", info.frames, info.fps, *size, choose_decoder(path, info))


def ours(path: Path, video: Video, repeats: int) -> Make:
    """Return our loader of one video."""
    recipe = load_recipe("k400-vitb", [f"augment.repeats={repeats}"], "pretrain")
    # listed so often that the frames of all do not fit into memory and nothing is kept
    listed = 1 + CACHE_BYTES // (3 * video.frames * video.width * video.height)
    clips = PretrainClips(
        [video] * listed, path.parent, recipe.clip.candidates(), recipe.augment, recipe.seed
    )
    return lambda epoch: clips[epoch, 0]


def bare(path: Path, video: Video) -> Make:
    """Return a reader of the frames of a clip alone."""
    return lambda epoch: read_frames(path, indices_of(video, epoch), decoder=video.decoder)


def indices_of(video: Video, epoch: int) -> list[int]:
    """Return the frames of a random clip; a short video repeats its last one."""
    start = random.Random(epoch).randrange(max(video.frames - FRAMES * STRIDE, 0) + 1)
    return [min(start + STRIDE * i, video.frames - 1) for i in range(FRAMES)]


def pil(path: Path, video: Video) -> Make:
    """Return a loader of decord, Pillow and floats."""
    mean, std = (torch.tensor(x).view(3, 1, 1, 1) for x in (IMAGENET_MEAN, IMAGENET_STD))

    def make(epoch: int) -> torch.Tensor:
        reader = VideoReader(str(path), ctx=cpu(0), num_threads=1)
        images = [Image.fromarray(x) for x in reader.get_batch(indices_of(video, epoch)).asnumpy()]
        rng = random.Random(epoch)
        short = min(images[0].size)
        sides = [int(short * scale) for scale in (1, 0.875, 0.75, 0.66)]
        pairs = [(sides[i], sides[j]) for i in range(4) for j in range(4) if abs(i - j) <= 1]
        width, height = rng.choice(pairs)
        left = rng.randrange(5) * ((images[0].width - width) // 4)
        top = rng.randrange(5) * ((images[0].height - height) // 4)
        box = (left, top, left + width, top + height)
        scaled = [x.crop(box).resize((SIZE, SIZE), Image.Resampling.BILINEAR) for x in images]
        pixels = torch.from_numpy(np.stack([np.asarray(x) for x in scaled])).permute(3, 0, 1, 2)
        return (pixels.float().div(255) - mean) / std

    return make


def hf(path: Path, video: Video) -> Make:
    """Return a loader of PyAV and transformers' image processor."""
    from transformers import VideoMAEImageProcessor

    processor = VideoMAEImageProcessor(
        size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}
    )

    def make(epoch: int) -> Any:
        wanted = indices_of(video, epoch)
        found = {}
        with av.open(str(path)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number > wanted[-1]:
                    break
                if number in wanted:
                    found[number] = frame.to_ndarray(format="rgb24")
        return processor([found[number] for number in wanted], return_tensors="pt")

    return make


def measure(path: Path, rounds: int) -> dict[str, float]:
    """Return CPU milliseconds per clip of each side; the first round is left out."""
    video = describe(path)
    sides: dict[str, tuple[Make, int]] = {
        "files": (ours(path, video, 1), 1),
        "files_x4": (ours(path, video, 4), 4),
        "bare": (bare(path, video), 1),
        "pil": (pil(path, video), 1),
        "hf": (hf(path, video), 1),
    }
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for epoch in range(rounds + 1):
        for name, (make, clips) in sides.items():
            began = time.process_time()
            make(epoch)
            spent[name].append(1e3 * (time.process_time() - began) / clips)
    return {name: statistics.median(times[1:]) for name, times in spent.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    rows = {path.name: measure(path, chosen.rounds) for path in chosen.videos}
    names = list(next(iter(rows.values())))
    mean = {name: statistics.geometric_mean([row[name] for row in rows.values()]) for name in names}
    print(f"ms of CPU per clip; load {load:.2f} at the start")
    print(f"{'':40s}" + "".join(f"{name:>10s}" for name in names))
    for title, row in {**rows, "geometric mean": mean}.items():
        print(f"{title:40.40s}" + "".join(f"{row[name]:10.1f}" for name in names))
    ratios = {name: mean["pil"] / mean[name] for name in ("files", "files_x4")}
    ratios |= {"files_vs_hf": mean["hf"] / mean["files"]}
    print(", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()))
    if chosen.json:
        content = {"ratios": ratios, "milliseconds": rows, "load": load, "rounds": chosen.rounds}
        chosen.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
