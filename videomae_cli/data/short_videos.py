"""Count the videos that are shorter than a clip, and say what happens to them."""

from collections.abc import Sequence

import numpy as np

from videomae_cli.config.clip import V1_RULES, ClipSpec
from videomae_cli.data import frame_sampling, time_sampling
from videomae_cli.data.manifest import NO_TIMES, Manifest, Times, Video
from videomae_cli.data.manifests.video_table import read_column
from videomae_cli.errors import DataError
from videomae_cli.report import Report

EFFECTS = {
    "spread": "the frames of their clips are spread evenly over the whole video",
    "repeat-last": "their clips repeat the last frame",
    "loop": "their clips start again from the first frame",
}
OTHER_WAYS = ", shorten the clip, or set clip.short to spread, repeat-last or loop"
SPREAD = "; --set clip.short=spread spreads their frames over the whole video"
V1_DENSE = "their clips repeat one of their last frames"
V1_SEGMENT = "a training clip is their first frame, {frames} times"


def find_short_videos(
    clip: ClipSpec, videos: Sequence[Video], times: Times = NO_TIMES
) -> list[Video]:
    """Return the videos that are shorter than a clip with its candidate slices.

    A DataError if clips are sampled in time, and the frame rate of a video is unknown.
    """
    clip = clip.candidates()
    if clip.step_seconds is None:
        frames_V = read_column(videos, "frames")
        short = [n for n in np.unique(frames_V) if frame_sampling.is_short(clip, int(n))]
        return [videos[int(number)] for number in np.flatnonzero(np.isin(frames_V, short))]
    return [
        video
        for video in videos
        if time_sampling.is_short(clip, time_sampling.times_of(video, times))
    ]


def describe_effect(clip: ClipSpec, split: str) -> str:
    """Return what happens to the short videos of a split."""
    if clip.short != V1_RULES:
        return EFFECTS[clip.short]
    if clip.sampling == "dense":
        return V1_DENSE
    is_training = split == "train"
    return V1_SEGMENT.format(frames=clip.candidates().frames) if is_training else EFFECTS["spread"]


def describe_short_videos(clip: ClipSpec, manifest: Manifest, split: str) -> str:
    """Return how many videos of a split are shorter than a clip and what happens to them, or "".

    A DataError if clips are sampled in time, and the frame rate of a video is unknown.
    """
    videos = manifest.split(split)
    short = find_short_videos(clip, videos, manifest.times)
    if not short:
        return ""
    kind = f"{split} videos" if split else "videos"
    count = (
        f"{len(short):,} of {len(videos):,} {kind} are shorter than a clip"
        f" ({clip.candidates().describe()})"
    )
    if clip.short == "refuse":
        first = f"{short[0].path!r} with {short[0].frames:,} frames"
        return f"{count}, which clip.short: refuse forbids; the first is {first}"
    return f"{count}: {describe_effect(clip, split)} (clip.short: {clip.short})"


def report_short_videos(
    clip: ClipSpec,
    manifest: Manifest,
    splits: Sequence[str],
    report: Report,
    *,
    is_training: bool = True,
) -> None:
    """Report how many videos are shorter than a clip, and what happens to them.

    A trained model keeps its `clip.short`; before training, the report says how to change it.

    Raises:
        DataError: `clip.short` refuses them, or the frame rate of one is unknown.
    """
    for split in splits:
        sentence = describe_short_videos(clip, manifest, split)
        if sentence and clip.short == "refuse":
            raise DataError(sentence, "leave them out" + is_training * OTHER_WAYS)
        if sentence and clip.short == V1_RULES:
            report.warn(sentence + is_training * SPREAD)
        elif sentence:
            report.say(sentence)
