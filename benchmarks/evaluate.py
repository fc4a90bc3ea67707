"""Time the views of an evaluation: reading them alone, and `eval` or `features` as a whole.

    python benchmarks/evaluate.py VIDEO --checkpoint random:k400-vitb --rounds 5

1. The loader alone: 15 views of the video (5 clips x 3 crops) with one decode for all of them;
   with one decode per view of the frames of its clip; and with one of the whole video per view, as
   in VideoMAE V1. Interleaved, medians of seconds.
2. The rate of computing features of copies of the video, read by worker processes while the model
   runs, against the rate of the model alone on the same views, which lie in memory; interleaved, in
   one process. Without VIDEO a clip of 340 x 256 pixels and 300 frames is written from noise.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch

from videomae_cli.config.protocols import Protocol
from videomae_cli.data.decoding.video_info import probe_video
from videomae_cli.data.evaluation.views import EvalViews, ViewRequest
from videomae_cli.data.loader import load_each
from videomae_cli.data.manifest import Video
from videomae_cli.engine.runtime import Runtime
from videomae_cli.models.features import FeatureModel
from videomae_cli.report import Silence
from videomae_cli.tasks.evaluate.run_views import Run, compute_views, run_views
from videomae_cli.tasks.features.encoder import LoadedEncoder, load_encoder
from videomae_cli.tasks.features.rows import Items

CLIPS, CROPS = 5, 3


def make_views(path: Path, encoder: LoadedEncoder, copies: int) -> EvalViews:
    """Return the views of a video that is listed several times."""
    info = probe_video(path)
    sizes = info.frames, info.fps, info.width, info.height
    video = Video(path.name, None, "val", *sizes, "decord")
    protocol = Protocol(CLIPS, CROPS)
    clip = protocol.apply(encoder.config.clip()).candidates()
    return EvalViews([video] * copies, path.parent, clip, protocol)


def read_per_view(views: EvalViews) -> torch.Tensor:
    """Read each view with a decode of its own, as the loaders of the original do."""
    parts = []
    for clip in views.select_clips(0):
        single = EvalViews(
            *(views.videos, views.root, views.clip, views.protocol),
            requests=[ViewRequest(0, [clip])],
        )
        for crop in range(CROPS):
            parts.append(single[0].views[crop])
    return torch.stack(parts)


def read_all_per_view(views: EvalViews) -> None:
    """Read the whole video for each view, at the stride of a clip, as V1's test loader does."""
    whole = list(range(0, views.videos[0].frames, views.clip.stride_frames or 1))
    for _ in range(CLIPS * CROPS):
        single = EvalViews(
            *(views.videos, views.root, views.clip, Protocol(1, 1)),
            requests=[ViewRequest(0, [whole])],
        )
        assert not single[0].error


def measure(work: Callable[[], object]) -> float:
    """Return the seconds that a function takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compare_reading(views: EvalViews, rounds: int) -> dict[str, float]:
    """Return median seconds of reading the views of one video in each way, and ratios."""
    assert torch.equal(views[0].views, read_per_view(views))
    ways: dict[str, Callable[[], object]] = {
        "decode_once": lambda: views[0],
        "clip_per_view": lambda: read_per_view(views),
        "video_per_view": lambda: read_all_per_view(views),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            seconds[name].append(measure(work))
    result = {f"{name}_seconds": statistics.median(times) for name, times in seconds.items()}
    for name in ("clip_per_view", "video_per_view"):
        pairs = zip(seconds["decode_once"], seconds[name], strict=True)
        result[f"{name}_ratio"] = statistics.median([slow / fast for fast, slow in pairs])
    return result


def compare_rates(
    views: EvalViews, encoder: LoadedEncoder, runtime: Runtime, *, workers: int, rounds: int
) -> dict[str, float]:
    """Return median views per second of features, and of the model alone."""
    model = FeatureModel(encoder.model).to(runtime.device)
    items = Items(views, "video")
    total = sum(items.count_views())
    stored = [item.views for item in load_each(views, range(len(views)), workers=workers)]

    def extract() -> None:
        job = Run(views, items.summarize, "features")
        list(run_views(model, job, runtime=runtime, report=Silence()))

    def forward() -> None:
        for clip_views in stored:
            compute_views(model, clip_views, runtime)

    forward()  # the first pass allocates memory
    whole, alone = [], []
    for _ in range(rounds):
        whole.append(measure(extract))
        alone.append(measure(forward))
    return {
        "features_views_per_second": total / statistics.median(whole),
        "model_views_per_second": total / statistics.median(alone),
        "ratio": statistics.median([b / a for a, b in zip(whole, alone, strict=True)]),
    }


class FixedWorkers(Runtime):
    """A runtime with a number of reading processes that is given."""

    def __init__(self, workers: int) -> None:
        super().__init__()
        self._workers = workers

    def worker_count(self, requested: int | Literal["auto"]) -> int:
        """Return the given number."""
        return self._workers if requested == "auto" else requested


def write_noise(folder: Path) -> Path:
    """Write a clip of the size and duration of a Kinetics clip."""
    from tests.data.make_clips import write_clip

    return write_clip(folder / "clip.mp4", 300, height=256, width=340, fps=30)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--checkpoint", default="random:k400-vitb")
    parser.add_argument("--videos", type=int, default=8, help="copies of the video in part 2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2, help="processes that read, in part 2")
    parser.add_argument("--skip-model", action="store_true", help="part 1 only")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, FixedWorkers(chosen.workers) as runtime:
        path = chosen.video or write_noise(Path(name))
        encoder = load_encoder(chosen.checkpoint)
        workers = chosen.workers
        result: dict[str, object] = {
            "video": path.name,
            "checkpoint": chosen.checkpoint,
            "runtime": runtime.summary(),
            "workers": workers,
            "reading": compare_reading(make_views(path, encoder, 1), chosen.rounds),
        }
        if not chosen.skip_model:
            views = make_views(path, encoder, chosen.videos)
            rates = compare_rates(views, encoder, runtime, workers=workers, rounds=chosen.rounds)
            result["features"] = rates
    if chosen.json:
        print(json.dumps(result, indent=1))
        return
    for part, values in result.items():
        print(f"{part}: {json.dumps(values)}")


if __name__ == "__main__":
    main()
