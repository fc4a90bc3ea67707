"""Time one core that makes pretraining clips of videos, ours against two peers.

    python benchmarks/loader.py VIDEO... --rounds 9 --json loader.json

A clip has 16 frames, every fourth, and 224 x 224 pixels. Sides, each video by turns in one process:

- ours: the code that training reads with (`k400-vitb`), with 1 and 4 clips of each decoded video
  (`augment.repeats`); uint8, normalised later on the device;
- pil: a loader as VideoMAE describes it: decord with one thread, a multi-scale crop, Pillow's
  bilinear resize of each frame, then normalised floats;
- hf: PyAV from the start of the file, as in the documentation of transformers, and its VideoMAE
  image processor;
- decord, pyav: the frames decoded by our two decoders, and nothing else: the bound for files as
  they come.

All sides read the same frames in a round, except that four clips of a video have their own.

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
from videomae_cli.data.transforms import POSITIONS, SAME_SIZE, SCALES
from videomae_cli.rng import stream

SIZE = 224
Make = Callable[[int], Any]
"""Makes the clip, or clips, of a round."""
Sample = Callable[[int], list[int]]
"""Returns the frame numbers of the clip of a round."""


def describe(path: Path) -> Video:
    """Return a video as `videomae prepare` would list it."""
    info = probe_video(path)
    size = info.width, info.height
    return Video(path.name, None, "train", info.frames, info.fps, *size, choose_decoder(path, info))


def ours(path: Path, video: Video, repeats: int) -> PretrainClips:
    """Return our clips of one video."""
    recipe = load_recipe("k400-vitb", [f"augment.repeats={repeats}"], "pretrain")
    # listed so often that the frames of all do not fit into memory and nothing is kept
    listed = 1 + CACHE_BYTES // (3 * video.frames * video.width * video.height)
    return PretrainClips(
        [video] * listed, path.parent, recipe.clip.candidates(), recipe.augment, recipe.seed
    )


def pil(path: Path, sample: Sample) -> Make:
    """Return a loader of decord, Pillow and floats."""
    mean, std = (torch.tensor(x).view(3, 1, 1, 1) for x in (IMAGENET_MEAN, IMAGENET_STD))

    def make(epoch: int) -> torch.Tensor:
        reader = VideoReader(str(path), ctx=cpu(0), num_threads=1)
        images = [Image.fromarray(x) for x in reader.get_batch(sample(epoch)).asnumpy()]
        rng = random.Random(epoch)
        short = min(images[0].size)
        sides = [int(short * scale) for scale in SCALES]
        sides = [SIZE if abs(side - SIZE) < SAME_SIZE else side for side in sides]
        pairs = [(sides[i], sides[j]) for i in range(4) for j in range(4) if abs(i - j) <= 1]
        (width, height), (across, down) = rng.choice(pairs), rng.choice(POSITIONS)
        left = across * ((images[0].width - width) // 4)
        top = down * ((images[0].height - height) // 4)
        box = (left, top, left + width, top + height)
        scaled = [x.crop(box).resize((SIZE, SIZE), Image.Resampling.BILINEAR) for x in images]
        pixels = torch.from_numpy(np.stack([np.asarray(x) for x in scaled])).permute(3, 0, 1, 2)
        return (pixels.float().div(255) - mean) / std

    return make


def hf(path: Path, sample: Sample) -> Make:
    """Return a loader of PyAV and transformers' image processor."""
    from transformers import VideoMAEImageProcessor

    processor = VideoMAEImageProcessor(
        size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}
    )

    def make(epoch: int) -> Any:
        wanted = sample(epoch)
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
    one, four = ours(path, video, 1), ours(path, video, 4)

    def sample(epoch: int) -> list[int]:
        return one.sample_indices(video, stream(one.seed, "frames", epoch, 0))

    sides: dict[str, tuple[Make, int]] = {
        "files": (lambda epoch: one[epoch, 0], 1),
        "files_x4": (lambda epoch: four[epoch, 0], 4),
        "decord": (lambda epoch: read_frames(path, sample(epoch), decoder="decord"), 1),
        "pyav": (lambda epoch: read_frames(path, sample(epoch), decoder="pyav"), 1),
        "pil": (pil(path, sample), 1),
        "hf": (hf(path, sample), 1),
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
