"""Plan what is read of each video, and turn the outputs of a classifier into predictions."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.protocols import Protocol
from videomae_cli.data.evaluation.views import EvalViews, ViewRequest
from videomae_cli.data.evaluation.windows import Window, plan_window_requests
from videomae_cli.data.ingest.input_videos import InputVideos, RejectedInput
from videomae_cli.data.manifest import Video
from videomae_cli.errors import DataError
from videomae_cli.tasks.evaluate.parts import ItemOutput
from videomae_cli.tasks.evaluate.run_views import Summary
from videomae_cli.tasks.evaluate.scoring import average_scores
from videomae_cli.tasks.predict.options import PredictOptions
from videomae_cli.tasks.predict.result import NOT_FINITE, Prediction


class Item(NamedTuple):
    """What is read in one go: a whole video, or consecutive windows of it."""

    request: ViewRequest
    windows: tuple[Window, ...] = ()
    """Empty: the whole video."""


class ItemPlan(NamedTuple):
    """The items of all videos."""

    items: Sequence[Item]
    rejected: Sequence[RejectedInput]
    """Videos whose windows cannot be planned."""


def plan_items(
    inputs: InputVideos, clip: ClipSpec, protocol: Protocol, options: PredictOptions
) -> ItemPlan:
    """Return the items of the videos: one for each, or the windows that the options ask for.

    Args:
        inputs: The videos.
        clip: How clips are sampled, with the protocol applied.
        protocol: The views of a video or a window.
        options: The duration of windows.
    """
    if options.window is None:
        return ItemPlan([Item(ViewRequest(n)) for n in range(len(inputs.videos))], ())
    items: list[Item] = []
    rejected: list[RejectedInput] = []
    for number, video in enumerate(inputs.videos):
        try:
            items += _plan_windows(inputs, number, clip, protocol, options)
        except DataError as error:
            rejected.append(
                RejectedInput(video.path, error.message.removeprefix(f"{video.path}: "))
            )
    return ItemPlan(items, rejected)


def _plan_windows(
    inputs: InputVideos,
    number: int,
    clip: ClipSpec,
    protocol: Protocol,
    options: PredictOptions,
) -> list[Item]:
    assert options.window is not None
    spacing = options.window, options.hop_seconds
    video = inputs.videos[number]
    requests = plan_window_requests(number, video, clip, protocol, inputs.times, spacing)
    return [Item(request, windows) for request, windows in requests]


def make_item_views(
    inputs: InputVideos, items: Sequence[Item], clip: ClipSpec, protocol: Protocol
) -> EvalViews:
    """Return the views of the items."""
    return EvalViews(
        inputs.videos,
        inputs.root,
        clip,
        protocol,
        times=inputs.times,
        requests=[item.request for item in items],
        arrays=inputs.arrays,
    )


def make_summary(protocol: Protocol, config: ModelConfig, *, has_windows: bool) -> Summary:
    """Return the function that turns the logits of all views of an item into scores (W, K).

    It is the same arithmetic as in an evaluation, for each of the W windows; W = 1 for a video.
    """

    def summarize(logits_VK: NDArray[np.float32]) -> NDArray[np.float32]:
        step = protocol.views if has_windows else len(logits_VK)
        parts = [logits_VK[first : first + step] for first in range(0, len(logits_VK), step)]
        return np.stack([average_scores(part, config) for part in parts])

    return summarize


def read_output(
    output: ItemOutput, item: Item, video: Video
) -> Iterator[Prediction | RejectedInput]:
    """Return the predictions of an item, or why there is none."""
    if output.error:
        yield RejectedInput(video.path, output.error)
        return
    windows: Sequence[Window | None] = item.windows or (None,)
    for window, score_K in zip(windows, output.output, strict=True):
        if not np.isfinite(score_K).all():
            yield RejectedInput(video.path, NOT_FINITE)
        elif window is None:
            yield Prediction(video.path, score_K)
        else:
            yield Prediction(video.path, score_K, round(window.start, 6), round(window.end, 6))
