"""Compute the features of videos with a loaded model, as `videomae features` does."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from videomae_cli.api.results import FeatureRow, Features
from videomae_cli.api.session import Session, VideoOptions, check_outputs, read_list
from videomae_cli.api.videos import VideoList
from videomae_cli.data.evaluation.views import EvalViews
from videomae_cli.errors import UsageError
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.build import Backbone
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.features import FeatureModel, Pooling
from videomae_cli.tasks.evaluate.parts import ItemOutput
from videomae_cli.tasks.evaluate.run_views import Run, run_views
from videomae_cli.tasks.features.options import FeatureOptions, choose_views
from videomae_cli.tasks.features.rows import list_rows, summarize, time_span

Level = Literal["clip", "video", "token"]
LEVELS: tuple[Level, ...] = ("clip", "video", "token")
POOLINGS: tuple[Pooling, ...] = ("mean", "tokens", "per-slice")


def compute_features(
    session: Session, videos: object, options: FeatureOptions, video_options: VideoOptions
) -> Features:
    """Return the features of a video or a list; raises as `Model.features`."""
    _check_choice("level", options.level, LEVELS)
    _check_choice("pooling", options.pooling, (None, *POOLINGS))
    network, config, level = session.network, session.config, options.level
    assert isinstance(network, Autoencoder | Classifier | Backbone)
    model = FeatureModel(network, options.layer, options.pooling_or_default)
    protocol = choose_views(config, options, session.report)
    clip = protocol.apply(config.clip()).candidates()
    found = read_list(session, videos, protocol, clip, video_options)
    inputs = found.inputs
    views = EvalViews(
        inputs.videos, inputs.root, clip, protocol, times=inputs.times, arrays=inputs.arrays
    )
    run = Run(views, summarize(level, protocol.crops), "computing features")
    with session.lock:
        outputs = list(run_views(model, run, runtime=session.runtime, report=session.report))
    good = check_outputs(session, outputs, found, video_options)
    rows = (row for one in good for row in _describe_rows(options, views, one, found))
    return Features(np.concatenate([one.output for one in good]), tuple(rows), model.layer)


def _check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    if value not in choices:
        known = ", ".join(repr(choice) for choice in choices if choice is not None)
        raise UsageError(f"{name}={value!r} is unknown", f"one of {known}")


def _describe_rows(
    options: FeatureOptions, views: EvalViews, output: ItemOutput, found: VideoList
) -> Iterator[FeatureRow]:
    """Yield which clip each row of a video is."""
    for row in list_rows(options.level, views, output.number):
        start, end = time_span(views, row) or (None, None)
        path, place = views.videos[row.video].path, found.places[row.video]
        yield FeatureRow(path, place, row.clip, row.crop, row.frames, start, end)
