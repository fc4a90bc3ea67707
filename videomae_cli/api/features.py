"""Compute the features of videos with a loaded model, as `videomae features` does."""

from collections.abc import Iterator, Sequence
from typing import get_args

import numpy as np

from videomae_cli.api.results import FeatureRow, Features
from videomae_cli.api.session import (
    Session,
    VideoOptions,
    check_outputs,
    compute,
    read_list,
    report_rejected,
)
from videomae_cli.api.videos import VideoList, require_rate
from videomae_cli.data.ingest.input_videos import RejectedInput
from videomae_cli.errors import UsageError
from videomae_cli.models.autoencoder import Autoencoder
from videomae_cli.models.build import Backbone
from videomae_cli.models.classifier import Classifier
from videomae_cli.models.features import FeatureModel, Pooling
from videomae_cli.tasks.evaluate.run_views import Run
from videomae_cli.tasks.features.data import plan_items, use_inputs
from videomae_cli.tasks.features.options import FeatureOptions, Level, choose_views
from videomae_cli.tasks.features.rows import Items

LEVELS, POOLINGS = get_args(Level), get_args(Pooling)


def compute_features(
    session: Session, videos: object, options: FeatureOptions, video_options: VideoOptions
) -> Features:
    """Return the features of a video or a list; raises as `Model.features`."""
    _check_choice("level", options.level, LEVELS)
    _check_choice("pooling", options.pooling, (None, *POOLINGS))
    network, config = session.network, session.config
    assert isinstance(network, Autoencoder | Classifier | Backbone)
    model = FeatureModel(network, options.layer, options.pooling_or_default)
    protocol = choose_views(config, options, session.report)
    clip = protocol.apply(config.clip()).candidates()
    found = read_list(session, videos, protocol, clip, video_options)
    if options.level == "window":
        for number in found.inputs.arrays:
            video = found.inputs.videos[number]
            require_rate(video.path, video.fps, "windows are in seconds")
    readable = found.inputs._replace(rejected=())  # the others have been reported
    items, unplanned = plan_items(use_inputs(readable), clip, protocol, options)
    bad = [RejectedInput(one.path, one.reason.removeprefix(f"{one.path}: ")) for one in unplanned]
    report_rejected(session, bad, len(found.inputs.videos), video_options)
    run = Run(items.views, items.summarize, "computing features")
    outputs = compute(session, model, run)
    good = check_outputs(session, outputs, items.views, video_options)
    rows = (row for one in good for row in _describe_rows(items, one.number, found))
    return Features(np.concatenate([one.output for one in good]), tuple(rows), model.layer)


def _check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    if value not in choices:
        known = ", ".join(repr(choice) for choice in choices if choice is not None)
        raise UsageError(f"{name}={value!r} is unknown", f"one of {known}")


def _describe_rows(items: Items, item: int, found: VideoList) -> Iterator[FeatureRow]:
    """Yield which part of its video each row of an item is."""
    for row in items.list_rows(item):
        start, end = items.time_span(row) or (None, None)
        path, place = items.video(item).path, found.places[row.video]
        yield FeatureRow(path, place, row.clip, row.crop, row.frames, start, end)
