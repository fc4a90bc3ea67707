"""Compute the frame numbers of a clip from the number of frames of a video.

Source: the rules of VideoMAE V1 and V2 (`*_pretrain_*`, dense, segment) and of MMAction2's
`SampleFrames`, restated. Their peculiarities are kept, because published results depend on them:

- dense *training* clips step by T * stride / (T - 1), not by stride, and never contain the last
  frame of a video; dense *test* clips step by exactly stride;
- videos shorter than a clip are treated in four ways: pretraining repeats the last frame that it
  reaches (which may not be the last of the video), dense training stretches, then repeats the last
  frame, dense test repeats the last frame, segments repeat frames.
"""

import numpy as np


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


def _round_half_even(numerator: int, denominator: int) -> int:
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))
