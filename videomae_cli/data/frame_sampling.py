"""Compute the frame numbers of a clip from the number of frames of a video.

Source: the rules of VideoMAE V1 and V2 (`*_pretrain_*`, dense, segment) and of MMAction2's
`SampleFrames`, restated. Their peculiarities are kept, because published results depend on them:

- dense *training* clips step by T * stride / (T - 1), not by stride, and never contain the last
  frame of a video; dense *test* clips step by exactly stride;
- with `clip.short: videomae-v1`, videos shorter than a clip are treated in four ways: pretraining
  repeats the last frame that it reaches (which may not be the last of the video), dense training
  stretches, then repeats the last frame, dense test repeats the last frame, segments repeat frames
  in tests and are all frame 0 in training. Every other `clip.short` is one rule for all of them.
"""

import math

import numpy as np

from videomae_cli.config.clip import V1_RULES, ClipSpec
from videomae_cli.errors import DataError


def sample_pretrain_clip(clip: ClipSpec, frames: int, rng: np.random.Generator) -> list[int]:
    """Return the frame numbers of a random pretraining clip."""
    if (indices := _sample_short_or_segment(clip, frames, rng)) is not None:
        return indices
    starts = pretrain_start_range(frames, clip.frames, _stride(clip))
    start = starts[int(rng.integers(len(starts)))]
    return pretrain_indices(frames, clip.frames, _stride(clip), start)


def sample_finetune_clip(clip: ClipSpec, frames: int, rng: np.random.Generator) -> list[int]:
    """Return the frame numbers of a random fine-tuning clip."""
    if (indices := _sample_short_or_segment(clip, frames, rng)) is not None:
        return indices
    ends = dense_end_range(frames, clip.frames, _stride(clip))
    end = ends[int(rng.integers(len(ends)))]
    return dense_train_indices(frames, clip.frames, _stride(clip), end)


def select_test_clips(clip: ClipSpec, frames: int, clips: int) -> list[list[int]]:
    """Return the frame numbers of `clips` test clips; those of a short video are the same."""
    if clip.short != V1_RULES and is_short(clip, frames):
        return [short_indices(clip, frames)] * clips
    if clip.sampling == "segment":
        return segment_test_indices(frames, clip.frames, clips)
    return dense_test_indices(frames, clip.frames, _stride(clip), clips)


def is_short(clip: ClipSpec, frames: int) -> bool:
    """Return whether a video has so few frames that `clip.short` decides."""
    return frames < clip.frames * _stride(clip)


def short_indices(clip: ClipSpec, frames: int) -> list[int]:
    """Return the clip of a short video by the rule of `clip.short`, except V1's.

    Four frames, 2 apart, of a video of 5: `spread` 0 1 3 4, `repeat-last` 0 2 4 4, `loop` 0 2 4 1.
    A DataError for `refuse`.
    """
    numbers = [_stride(clip) * i for i in range(clip.frames)]
    if clip.short == "spread":
        return spread_indices(frames, clip.frames)
    if clip.short == "repeat-last":
        return [min(number, frames - 1) for number in numbers]
    if clip.short == "loop":
        return [number % frames for number in numbers]
    raise DataError(f"a video of {frames} frames is shorter than a clip: clip.short refuses it")


def spread_indices(frames: int, length: int) -> list[int]:
    """Return `length` frames evenly spread from the first to the last; frames may be repeated.

    6 frames to 8: 0 1 1 2 3 4 4 5. A single one is the middle frame.
    """
    if length == 1:
        return [(frames - 1) // 2]
    return [(2 * i * (frames - 1) + length - 1) // (2 * (length - 1)) for i in range(length)]


def _stride(clip: ClipSpec) -> int:
    """Return the least distance of the frames of a clip: 1 for segments."""
    return 1 if clip.sampling == "segment" else clip.stride_frames or 1


def _sample_short_or_segment(
    clip: ClipSpec, frames: int, rng: np.random.Generator
) -> list[int] | None:
    if clip.short != V1_RULES and is_short(clip, frames):
        return short_indices(clip, frames)
    if clip.sampling == "segment":
        rule = segment_train_indices if clip.short == V1_RULES else part_train_indices
        return rule(frames, clip.frames, rng)
    return None


def pretrain_start_range(frames: int, length: int, stride: int) -> range:
    """Return the possible first frames of a pretraining clip of `length` frames."""
    return range(max(frames - length * stride, 0) + 1)


def pretrain_indices(frames: int, length: int, stride: int, start: int) -> list[int]:
    """Return frames `start`, `start + stride`, ...; a short video repeats the last in reach."""
    if frames >= length * stride:
        return [start + stride * i for i in range(length)]
    # the original advances only while the next frame is not the last one of the video
    reached = max(frames - 2, 0) // stride
    return [stride * min(i, reached) for i in range(length)]


def dense_end_range(frames: int, length: int, stride: int) -> range:
    """Return the possible ends (exclusive) of a dense training clip."""
    span = length * stride
    return range(span, max(frames, span + 1))


def dense_train_indices(frames: int, length: int, stride: int, end: int) -> list[int]:
    """Return `length` frames spread over the span that ends before frame `end`."""
    span = length * stride
    if frames > span:
        positions = np.linspace(end - span, end, length).clip(end - span, end - 1)
    else:
        reached = frames // stride
        stretched = np.linspace(0, frames, reached)
        repeated = np.full(length - reached, frames)
        positions = np.concatenate([stretched, repeated]).clip(0, frames - 1)
    return [int(position) for position in positions]


def segment_train_indices(frames: int, length: int, rng: np.random.Generator) -> list[int]:
    """Return a random frame of each of `length` equal parts; a shorter video gives 0 (V1)."""
    part = frames // length
    if part == 0:
        return [0] * length
    return [i * part + int(rng.integers(part)) for i in range(length)]


def part_train_indices(frames: int, length: int, rng: np.random.Generator) -> list[int]:
    """Return a random frame of each of `length` parts that cover the whole video.

    V1's parts have equal numbers of frames, and leave out up to `length - 1` frames at the end.
    """
    edges = [i * frames // length for i in range(length + 1)]
    return [int(rng.integers(edges[i], edges[i + 1])) for i in range(length)]


def dense_test_indices(frames: int, length: int, stride: int, clips: int) -> list[list[int]]:
    """Return `clips` evenly spaced clips with frames `stride` apart.

    A short video repeats its last frame. A single clip is taken from the middle, which the
    originals do not support (they divide by zero).
    """
    steps = (frames + stride - 1) // stride  # every stride-th frame of the video
    spare = max(steps - length, 0)
    starts = [k * spare // (clips - 1) for k in range(clips)] if clips > 1 else [spare // 2]
    return [[stride * min(start + i, steps - 1) for i in range(length)] for start in starts]


def segment_test_indices(frames: int, length: int, clips: int) -> list[list[int]]:
    """Return `clips` clips with one frame from each of `length` equal parts, each clip later."""
    return [
        [frames * (k + clips * i) // (length * clips) for i in range(length)] for k in range(clips)
    ]


def mmaction2_test_indices(frames: int, length: int, stride: int, clips: int) -> list[list[int]]:
    """Return MMAction2's test clips: starts rounded to whole frames; a short video wraps around."""
    spare = max(frames - (length - 1) * stride - 1, 0)
    starts = (
        [_round_half_even(k * spare, clips - 1) for k in range(clips)]
        if clips > 1
        else [spare // 2]
    )
    return [[(start + stride * i) % frames for i in range(length)] for start in starts]


def pyslowfast_test_indices(
    frames: int, length: int, stride: int, fps: float, clips: int
) -> list[list[int]]:
    """Return the test clips of PySlowFast, and so of MAE-ST: a fixed duration, at 30 frames/s.

    16 frames 4 apart span 64 / 30 s, whatever the frame rate `fps` of the video. A short video
    repeats its last frame.
    """
    span = stride * length / 30 * fps
    spare = max(frames - span, 0.0)
    gap = math.floor(spare / (clips - 1 if clips > 1 else 2))
    starts = [gap * k for k in range(clips)] if clips > 1 else [gap]
    positions = [np.linspace(start, start + span - 1, length) for start in starts]
    return [np.clip(np.trunc(p), 0, frames - 1).astype(int).tolist() for p in positions]


def _round_half_even(numerator: int, denominator: int) -> int:
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))
