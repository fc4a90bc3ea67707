"""Time the views of an evaluation: reading them alone, and `eval` or `features` as a whole.

    python benchmarks/evaluate.py VIDEO --checkpoint random:k400-vitb --rounds 5

1. The loader alone: 15 views of the video (5 clips x 3 crops) with one decode for all of them;
   with one decode per view of the frames of its clip; and with one of the whole video per view, as
   in VideoMAE V1. Interleaved, medians of seconds.
2. The rate of computing features of copies of the video, read by worker processes while the model
   runs, against the rate of the model alone on the same views, which lie in memory; interleaved, in
   one process. Without VIDEO a clip of 340 x 256 pixels and 300 frames is written from noise.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from measuring.runner import Result, make_parser, quotients, run_rounds, timed

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


def compare_reading(result: Result, views: EvalViews, rounds: int) -> None:
    """Add seconds of reading the views of one video in each way, and ratios."""
    assert torch.equal(views[0].views, read_per_view(views))
    ways: dict[str, Callable[[], object]] = {
        "decode_once": lambda: views[0],
        "clip_per_view": lambda: read_per_view(views),
        "video_per_view": lambda: read_all_per_view(views),
    }
    seconds = run_rounds({name: partial(timed, work) for name, work in ways.items()}, rounds)
    result.add_sides(seconds)
    for name in ("clip_per_view", "video_per_view"):
        result.add_ratio(name, quotients(seconds[name], seconds["decode_once"]))


def compare_rates(
    result: Result, views: EvalViews, encoder: LoadedEncoder, runtime: Runtime, workers: int
) -> None:
    """Add views per second of features, and of the model alone; the ratio is `features`."""
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

    sides = {"features": extract, "model alone": forward}
    rounds: int = result.content["settings"]["rounds"]
    seconds = run_rounds({name: partial(timed, work) for name, work in sides.items()}, rounds)
    for name, times in seconds.items():
        result.add_side(name, [total / time for time in times], "views/s")
    result.add_ratio("features", quotients(seconds["model alone"], seconds["features"]))


class FixedWorkers(Runtime):
    """A runtime with a number of reading processes that is given."""

    def __init__(self, workers: int, *, cpu: bool) -> None:
        super().__init__(cpu=cpu)
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
    parser = make_parser(__doc__)
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--checkpoint", default="random:k400-vitb")
    parser.add_argument("--videos", type=int, default=8, help="copies of the video in part 2")
    parser.add_argument("--workers", type=int, default=2, help="processes that read, in part 2")
    parser.add_argument("--skip-model", action="store_true", help="part 1 only")
    chosen = parser.parse_args()
    result = Result("evaluate", chosen, "torch", "decord2")
    runtime = FixedWorkers(chosen.workers, cpu=result.device == "cpu")
    with tempfile.TemporaryDirectory() as name, runtime:
        path = chosen.video or write_noise(Path(name))
        encoder = load_encoder(chosen.checkpoint)
        result.content["runtime"] = runtime.summary()
        compare_reading(result, make_views(path, encoder, 1), chosen.rounds)
        if not chosen.skip_model:
            views = make_views(path, encoder, chosen.videos)
            compare_rates(result, views, encoder, runtime, chosen.workers)
    result.finish()


if __name__ == "__main__":
    main()
