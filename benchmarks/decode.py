"""Time one core that reads pretraining clips of videos: decoding, cropping, and with repeats.

    python benchmarks/decode.py VIDEO... --rounds 9

Each video is a data set of its own, read by the code that training reads with (`k400-vitb`: 16
frames, every fourth, multi-scale crops to 224). CPU seconds, so that other programs on the machine
matter less than by the clock; medians over the rounds. The first column is for one clip of each
decoded video, the second for four (`augment.repeats`).
"""

import argparse
import statistics
import time
from pathlib import Path

import torch

from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.data.dataset import PretrainClips
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.manifest import Video
from videomae_cli.data.training_videos import CACHE_BYTES

REPEATS = (1, 4)


def clips_of(path: Path, repeats: int) -> PretrainClips:
    """Return the training clips of one video."""
    info = probe_video(path)
    video = Video(
        path.name, None, "train", info.frames, info.fps, info.width, info.height, "decord"
    )
    recipe = load_recipe("k400-vitb", [f"augment.repeats={repeats}"], "pretrain")
    # listed so often that the frames of all do not fit into memory and nothing is kept
    listed = 1 + CACHE_BYTES // (3 * info.frames * info.width * info.height)
    return PretrainClips(
        [video] * listed, path.parent, recipe.clip.candidates(), recipe.augment, recipe.seed
    )


def milliseconds(path: Path, rounds: int) -> list[float]:
    """Return CPU milliseconds for each clip, for each of `REPEATS`; the first round is left out."""
    sides = [clips_of(path, repeats) for repeats in REPEATS]
    spent: list[list[float]] = [[] for _ in sides]
    for epoch in range(rounds + 1):
        for times, clips, repeats in zip(spent, sides, REPEATS, strict=True):
            began = time.process_time()
            clips[epoch, 0]
            times.append(1e3 * (time.process_time() - began) / repeats)
    return [statistics.median(times[1:]) for times in spent]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print("ms of CPU per clip with 1, 4 clips of each decoded video")
    for path in chosen.videos:
        info = probe_video(path)
        one, four = milliseconds(path, chosen.rounds)
        print(
            f"{path.name:40s} {info.width} x {info.height}, {info.frames} frames, "
            f"{path.stat().st_size / 1e6:.2f} MB: {one:6.1f} {four:6.1f}"
        )


if __name__ == "__main__":
    main()
