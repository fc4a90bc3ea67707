"""Time one core that makes pretraining clips of videos, ours against two peers.

    python benchmarks/loader.py VIDEO... --rounds 9 --json loader.json

A clip has 16 frames, every fourth, and 224 x 224 pixels. Sides, each video by turns in one process:

- ours: the code that training reads with (`k400-vitb`), with 1 and 4 clips of each decoded video
  (`augment.repeats`, _x4), and with both values of `augment.resize`: pillow, the recipe's, and
  torch; uint8, normalised later on the device. From the files as they come, and from the forms of
  `videomae prepare`, which are written first, by its code, to a temporary folder: transcoded
  (--transcode), intra (--all-intra), jpeg (--jpeg) and uint8 (--uint8);
- pil: a loader as VideoMAE describes it: decord with one thread, a multi-scale crop, Pillow's
  bilinear resize of each frame, then normalised floats;
- hf: PyAV from the start of the file, as in the documentation of transformers, and its VideoMAE
  image processor;
- bounds: the frames alone, of the files by decord and by PyAV, and of each form; and the crop and
  resize alone, of frames in memory.

All sides read the same frames in a round, except that four clips of a video have their own.

CPU milliseconds per clip, so that other programs matter less than by the clock; medians over the
rounds. Ratios are over pil, those "_vs_hf" over hf, of the geometric means of all videos: above 1,
ours takes less; `ratios` with Pillow's resize, `ratios_torch_resize` with torch's. Videos with a
short side of 720 pixels or more are kept apart ("_720p").
"""

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from decord import VideoReader, cpu
from measuring.runner import Result, make_parser, run_rounds
from PIL import Image

from videomae_cli.config.clip import IMAGENET_MEAN, IMAGENET_STD
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.config.training import Resize
from videomae_cli.data.dataset import PretrainClips
from videomae_cli.data.decode import read_frames
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.ingest.decoder_choice import choose_decoder
from videomae_cli.data.ingest.probe import readable_video
from videomae_cli.data.manifest import Video
from videomae_cli.data.resize import Frames
from videomae_cli.data.training_videos import CACHE_BYTES
from videomae_cli.data.transcoding.forms import FORMS, H264, INTRA, JPEG, UINT8, Settings
from videomae_cli.data.transcoding.pool import StoredVideo, Task, transcode_videos
from videomae_cli.data.transforms import POSITIONS, SAME_SIZE, SCALES, multiscale_crop
from videomae_cli.rng import stream

SIZE, SHORT_SIDE = 224, 256
RESIZES: dict[Resize, str] = {"pillow": "", "torch": " torch"}
"""Each value of `augment.resize`, with the end of the names of its sides."""
NAMES = {"transcoded": H264, "intra": INTRA, "jpeg": JPEG, "uint8": UINT8}
LARGE = 720  # pixels of the short side
SECONDS = 600.0
Make = Callable[[int], Any]
"""Makes the clip, or clips, of a round."""
Sample = Callable[[int], list[int]]
"""Returns the frame numbers of the clip of a round."""


def describe(path: Path) -> Video:
    """Return a video as `videomae prepare` would list it."""
    info = probe_video(path)
    size = info.width, info.height
    return Video(path.name, None, "train", info.frames, info.fps, *size, choose_decoder(path, info))


def store(path: Path, video: Video, folder: Path) -> dict[str, tuple[Path, Video]]:
    """Write a video in all forms; return each with its row of the manifest, the source first."""
    probed = readable_video(probe_video(path), "pyav")
    stored = {"files": (path, video)}
    for name, form in NAMES.items():
        output = folder / name / f"{path.name}{FORMS[form].suffix}"
        task = Task(path.absolute(), output, probed, Settings(form, SHORT_SIDE))
        ((_, result),) = transcode_videos([task], seconds=SECONDS, workers=1)
        if not isinstance(result, StoredVideo):
            raise SystemExit(f"{path}: {result.reason}")
        decoder, size = FORMS[form].decoder, {"width": result.width, "height": result.height}
        stored[name] = output, video._replace(path=output.name, decoder=decoder, **size)
    return stored


def ours(path: Path, video: Video, repeats: int, resize: Resize = "pillow") -> PretrainClips:
    """Return our clips of one video."""
    changes = [f"augment.repeats={repeats}", f"augment.resize={resize}"]
    recipe = load_recipe("k400-vitb", changes, "pretrain")
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


def crop(frames: Frames, sample: Sample, seed: int, resize: Resize) -> Make:
    """Return the crop and resize of our clips alone, of frames that are in memory."""

    def make(epoch: int) -> Any:
        rng = stream(seed, "sample", epoch, 0)
        return multiscale_crop(frames[sample(epoch)], SIZE, SIZE, rng, resize=resize)

    return make


def make_sides(path: Path, video: Video, folder: Path) -> dict[str, tuple[Make, int]]:
    """Return what makes the clips of each side, and how many clips it makes."""
    stored = store(path, video, folder)
    first = ours(path, video, 1)

    def sample(epoch: int) -> list[int]:
        return first.sample_indices(video, stream(first.seed, "frames", epoch, 0))

    def decode(file: Path, decoder: str) -> Make:
        return lambda epoch: read_frames(file, sample(epoch), decoder=decoder)

    def read(clips: PretrainClips) -> Make:
        return lambda epoch: clips[epoch, 0]

    sides: dict[str, tuple[Make, int]] = {}
    for name, (file, row) in stored.items():
        for resize, suffix in RESIZES.items():
            sides[f"{name}{suffix}"] = read(ours(file, row, 1, resize)), 1
            sides[f"{name}_x4{suffix}"] = read(ours(file, row, 4, resize)), 4
    sides["pil"], sides["hf"] = (pil(path, sample), 1), (hf(path, sample), 1)
    for decoder in ("decord", "pyav"):
        sides[f"bare {decoder}"] = decode(path, decoder), 1
    for name in NAMES:
        file, row = stored[name]
        sides[f"bare {name}"] = decode(file, row.decoder), 1
    file, row = stored["uint8"]
    frames = read_frames(file, range(row.frames), decoder=row.decoder)
    for resize, suffix in RESIZES.items():
        sides[f"bare resize{suffix}"] = crop(frames, sample, first.seed, resize), 1
    return sides


def measure(make: Make, clips: int, epochs: Iterator[int]) -> float:
    """Return CPU milliseconds per clip of a round."""
    epoch = next(epochs)
    began = time.process_time()
    make(epoch)
    return 1e3 * (time.process_time() - began) / clips


def average(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the geometric mean of each side."""
    return {name: statistics.geometric_mean([row[name] for row in rows]) for name in rows[0]}


def compare(
    small: list[dict[str, float]], large: list[dict[str, float]], resize: Resize
) -> dict[str, float]:
    """Return how many times the peers take as long as ours."""
    end = RESIZES[resize]
    ratios: dict[str, float] = {}
    for suffix, rows in (("", small), ("_720p", large)):
        if rows:
            mean = average(rows)
            for name in ("files", *NAMES):
                for side in (name, f"{name}_x4"):
                    ratios[f"{side}{suffix}"] = mean["pil"] / mean[f"{side}{end}"]
                ratios[f"{name}_vs_hf{suffix}"] = mean["hf"] / mean[f"{name}{end}"]
    return ratios


def show(title: str, columns: dict[str, dict[str, float]], digits: int) -> None:
    """Print a table with a row for each side and a column for each video."""
    print(f"{title:20s}" + "".join(f"{name:>16.15s}" for name in columns), file=sys.stderr)
    for side in next(iter(columns.values())):
        cells = "".join(f"{column[side]:16.{digits}f}" for column in columns.values())
        print(f"{side:20s}{cells}", file=sys.stderr)


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__, rounds=9, has_device=False)
    parser.add_argument("videos", nargs="+", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    result = Result(
        "loader", chosen, "torch", "decord2", "av", "pillow", "transformers", refuses=False
    )
    rows: dict[str, dict[str, float]] = {}
    sizes: dict[str, dict[str, float]] = {}
    is_large: dict[str, bool] = {}
    for path in chosen.videos:
        with tempfile.TemporaryDirectory() as name:
            video, folder = describe(path), Path(name)
            sides = {
                side: partial(measure, make, clips, count())
                for side, (make, clips) in make_sides(path, video, folder).items()
            }
            rounds = run_rounds(sides, chosen.rounds)
            result.add_sides({f"{side}, {path.name}": x for side, x in rounds.items()}, "ms")
            rows[path.name] = {side: statistics.median(x) for side, x in rounds.items()}
            forms = {
                form: folder / form / f"{path.name}{FORMS[NAMES[form]].suffix}" for form in NAMES
            }
            files = {"files": path, **forms}
            sizes[path.name] = {side: file.stat().st_size / 1e6 for side, file in files.items()}
            is_large[path.name] = min(video.width, video.height) >= LARGE
    small = [row for name, row in rows.items() if not is_large[name]]
    large = [row for name, row in rows.items() if is_large[name]]
    means = {title: average(group) for title, group in (("mean", small), ("720p", large)) if group}
    show("CPU ms per clip", {**rows, **means}, 1)
    show("MB on disk", sizes, 2)
    ratios = {resize: compare(small, large, resize) for resize in RESIZES}
    show("times", ratios, 2)
    for key, ratio in ratios["pillow"].items():
        result.add_ratio(key, ratio)
    result.content |= {"ratios_torch_resize": ratios["torch"], "milliseconds": rows}
    result.content["megabytes"] = sizes
    result.finish()


if __name__ == "__main__":
    main()
