"""Published protocols: frames and sizes as published, probabilities as computed view by view."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.data.make_clips import write_clip
from tests.notes import Notes
from videomae_cli.config.clip import ClipSpec
from videomae_cli.config.model_config import ModelConfig
from videomae_cli.config.protocols import PROTOCOLS, Protocol, get_protocol
from videomae_cli.config.training import EvalSpec
from videomae_cli.config.transformer import TransformerConfig
from videomae_cli.data.decode import read_frames
from videomae_cli.data.evaluation.clips import select_clips
from videomae_cli.data.evaluation.crops import (
    cover,
    crop_offsets,
    mmaction2_offsets,
    pyslowfast_offsets,
)
from videomae_cli.data.manifest import Manifest, Video
from videomae_cli.data.resize import resize_linear
from videomae_cli.engine.runtime import Runtime
from videomae_cli.errors import CheckpointError, UsageError
from videomae_cli.grid import TokenGrid
from videomae_cli.models.build import build_classifier
from videomae_cli.models.classifier import Classifier
from videomae_cli.report import Silence
from videomae_cli.tasks.evaluate.options import EvalOptions, choose_protocol
from videomae_cli.tasks.evaluate.scoring import make_views, score_videos

LENGTH, FPS = 150, 25
QUICK = ("v1-ssv2", "mm-k400", "maest-k400")
DISTINCT = {protocol._replace(name=""): name for name, protocol in reversed(PROTOCOLS.items())}


def config_for(protocol: Protocol) -> ModelConfig:
    assert protocol.frames and protocol.size
    return ModelConfig(
        kind="classifier",
        encoder=TransformerConfig(dim=24, depth=1, heads=2, mlp_dim=48),
        grid=TokenGrid(protocol.frames, protocol.size, protocol.size, 2, 32),
        classes=("a", "b", "c"),
    )


def starts(name: str, frames: int, fps: float = 30) -> list[list[int]]:
    protocol = get_protocol(name)
    assert protocol.frames and protocol.size
    clip = ClipSpec(frames=protocol.frames, stride_frames=1, size=protocol.size)
    video = Video("v.mp4", 0, "test", frames, fps, 320, 240, "pyav")
    return select_clips(protocol, protocol.apply(clip), video)


# length -> first frames of the five clips and the last frame of the last, of V1 and of MMAction2
VECTORS = {
    10: ([0, 0, 0, 0, 0], 8, [0, 0, 0, 0, 0], 0),
    16: ([0, 0, 0, 0, 0], 12, [0, 0, 0, 0, 0], 12),
    50: ([0, 0, 0, 0, 0], 48, [0, 0, 0, 0, 0], 10),
    61: ([0, 0, 0, 0, 0], 60, [0, 0, 0, 0, 0], 60),
    62: ([0, 0, 0, 0, 0], 60, [0, 0, 0, 1, 1], 61),
    64: ([0, 0, 0, 0, 0], 60, [0, 1, 2, 2, 3], 63),
    65: ([0, 0, 0, 0, 4], 64, [0, 1, 2, 3, 4], 64),
    76: ([0, 0, 4, 8, 12], 72, [0, 4, 8, 11, 15], 75),
    100: ([0, 8, 16, 24, 36], 96, [0, 10, 20, 29, 39], 99),
    120: ([0, 12, 28, 40, 56], 116, [0, 15, 30, 44, 59], 119),
    150: ([0, 20, 44, 64, 88], 148, [0, 22, 44, 67, 89], 149),
    180: ([0, 28, 56, 84, 116], 176, [0, 30, 60, 89, 119], 179),
    240: ([0, 44, 88, 132, 176], 236, [0, 45, 90, 134, 179], 239),
    250: ([0, 44, 92, 140, 188], 248, [0, 47, 94, 142, 189], 249),
    298: ([0, 56, 116, 176, 236], 296, [0, 59, 118, 178, 237], 297),
    299: ([0, 56, 116, 176, 236], 296, [0, 60, 119, 178, 238], 298),
    300: ([0, 56, 116, 176, 236], 296, [0, 60, 120, 179, 239], 299),
    301: ([0, 60, 120, 180, 240], 300, [0, 60, 120, 180, 240], 300),
    600: ([0, 132, 268, 400, 536], 596, [0, 135, 270, 404, 539], 599),
}
SEGMENTS = {
    8: ([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7], None),
    16: (list(range(16)), None),
    20: (
        [0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 15, 16, 17, 18],
        [0, 1, 3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16, 18, 19],
    ),
    33: (list(range(0, 31, 2)), list(range(1, 32, 2))),
    60: (
        [0, 3, 7, 11, 15, 18, 22, 26, 30, 33, 37, 41, 45, 48, 52, 56],
        [1, 5, 9, 13, 16, 20, 24, 28, 31, 35, 39, 43, 46, 50, 54, 58],
    ),
}
PYSLOWFAST = {
    (300, 30.0, "maest-k400"): ([0, 39, 78, 117, 156, 195, 234], 297),
    (300, 30.0, "maest-k400-10"): ([0, 26, 52, 78, 104, 130, 156, 182, 208, 234], 297),
    (250, 25.0, "maest-k400"): ([0, 32, 64, 96, 128, 160, 192], 244),
    (100, 30.0, "maest-k400"): ([0, 6, 12, 18, 24, 30, 36], 99),
    (50, 30.0, "maest-k400"): ([0] * 7, 49),
}


def test_clips_start_and_end_where_the_published_ones_do() -> None:
    ours = {}
    for length in VECTORS:
        v1, mm = starts("v1-k400", length), starts("mm-k400", length)
        ours[length] = [c[0] for c in v1], v1[-1][-1], [c[0] for c in mm], mm[-1][-1]
    timed = {key: starts(key[2], key[0], key[1]) for key in PYSLOWFAST}

    assert ours == VECTORS
    assert starts("mm-k400", 10)[0][:8] == [0, 4, 8, 2, 6, 0, 4, 8]
    assert {k: ([c[0] for c in clips], clips[-1][-1]) for k, clips in timed.items()} == PYSLOWFAST
    assert {length: tuple(starts("v2-ssv2", length)) for length in SEGMENTS} == {
        length: (first, second or first) for length, (first, second) in SEGMENTS.items()
    }
    short = starts("maest-k400", 50)[0]
    assert short == [0, 4, 8, 12, 16, 21, 25, 29, 33, 37, 42, 46, 49, 49, 49, 49]
    assert starts("maest-k400", 250, 25.0)[0] == (
        [0, 3, 6, 10, 13, 17, 20, 24, 27, 31, 34, 38, 41, 45, 48, 52]
    )


def test_sizes_and_offsets_are_the_published_ones() -> None:
    # height, width -> long side and offsets of V1, and of MMAction2 from left to right
    published = {
        (240, 320): (298, [0, 37, 74], 299, [0, 37, 74]),
        (240, 427): (398, [0, 87, 174], 399, [0, 87, 174]),
        (256, 340): (297, [0, 36, 73], 298, [0, 37, 74]),
        (320, 426): (298, [0, 37, 74], 298, [0, 37, 74]),
        (320, 427): (298, [0, 37, 74], 299, [0, 37, 74]),
        (320, 568): (397, [0, 86, 173], 398, [0, 87, 174]),
        (720, 1280): (398, [0, 87, 174], 398, [0, 87, 174]),
    }
    ours = {}
    for height, width in published:
        v1 = cover(height, width, 224, 224, "videomae")[1]
        mm = cover(height, width, 224, 224, "mmaction2")[1]
        assert cover(width, height, 224, 224, "mmaction2") == (mm, 224)
        offsets = crop_offsets(v1, 224, 3), mmaction2_offsets(mm, 224, 3)
        ours[height, width] = v1, offsets[0], mm, offsets[1]

    assert ours == published
    assert pyslowfast_offsets(297, 224, 3) == [0, 37, 73]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    return write_clip(folder / "v.mp4", LENGTH, height=96, width=130, fps=FPS)


def indices_by_the_rules(name: str, length: int, stride: int, clips: int) -> list[list[int]]:
    """Return the frames of a protocol, from its description in floating-point numbers."""
    frames = np.arange(LENGTH)
    if name.endswith(("ssv2", "ssv2-32")):
        tick = LENGTH / length
        return [[int(s * tick / clips + tick * x) for x in range(length)] for s in range(clips)]
    if name.startswith("mm"):
        spare = max(LENGTH - ((length - 1) * stride + 1), 0)
        return [
            [(round(k * spare / (clips - 1)) + stride * i) % LENGTH for i in range(length)]
            for k in range(clips)
        ]
    if name.startswith("maest"):
        span = stride * length / 30 * FPS
        first = [k * math.floor(max(LENGTH - span, 0) / (clips - 1)) for k in range(clips)]
        return [
            [min(int(i), LENGTH - 1) for i in torch.linspace(f, f + span - 1, length).tolist()]
            for f in first
        ]
    listed = frames[::stride].tolist()
    listed += [listed[-1]] * (length - len(listed))
    step = max((len(listed) - length) / (clips - 1), 0)
    return [listed[int(k * step) : int(k * step) + length] for k in range(clips)]


def views_by_the_rules(protocol: Protocol, video: Path, clip: list[int]) -> list[Tensor]:
    """Return the normalised views of one clip (C, T, H, W), decoded for this clip alone."""
    size = protocol.size or 0
    frames = read_frames(video, clip, decoder="pyav")
    height, width = frames.shape[1:3]
    mean, std = (
        torch.tensor(v)[:, None, None, None]
        for v in ClipSpec(frames=2, stride_frames=1, size=16)
        .model_dump(include={"mean", "std"})
        .values()
    )
    if protocol.name.startswith("maest"):
        pixels = (torch.from_numpy(frames).permute(3, 0, 1, 2) / 255 - mean) / std
        long = math.floor(size * width / height)
        scaled = torch.nn.functional.interpolate(
            pixels.transpose(0, 1), (size, long), mode="bilinear"
        ).transpose(0, 1)
        offsets = [0, math.ceil((long - size) / 2), long - size]
    else:
        is_mm = protocol.name.startswith("mm")
        long = math.floor(width * size / height + (0.5 if is_mm else 0))
        resized = torch.from_numpy(resize_linear(frames, size, long)).permute(3, 0, 1, 2)
        scaled = (resized / 255 - mean) / std
        quarter = (long - size) // 2
        offsets = [0, 2 * quarter, quarter] if is_mm else [s * (long - size) // 2 for s in range(3)]
    return [scaled[:, :, :, left : left + size] for left in offsets]


def probabilities_by_the_rules(
    protocol: Protocol, classifier: Classifier, video: Path
) -> list[float]:
    assert protocol.frames
    stride = protocol.stride_frames or 1
    clips = indices_by_the_rules(protocol.name, protocol.frames, stride, protocol.clips)
    per_view = []
    with torch.no_grad():
        for clip in clips:
            for view in views_by_the_rules(protocol, video, clip):
                per_view.append(classifier(view[None])[0].softmax(dim=0))
    assert len(per_view) == protocol.views
    mean: list[float] = torch.stack(per_view).mean(dim=0).tolist()
    return mean


@pytest.mark.parametrize(
    "name",
    [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in DISTINCT.values()],
)
def test_probabilities_are_the_mean_over_separately_computed_views(name: str, video: Path) -> None:
    protocol = get_protocol(name)
    config = config_for(protocol)
    torch.manual_seed(0)
    classifier = build_classifier(config, head_scale=30).eval()
    row = Video("v.mp4", 0, "test", LENGTH, FPS, 130, 96, "pyav")
    manifest = Manifest(video.parent, (row,), config.classes, "digest")
    with Runtime("fp32", cpu=True) as runtime:
        scores = score_videos(
            classifier,
            config,
            make_views(manifest, "test", config.clip(), protocol),
            runtime=runtime,
            report=Silence(),
            title="testing",
        )

    expected = probabilities_by_the_rules(protocol, classifier, video)

    assert scores.output_VK[0].tolist() == pytest.approx(expected, abs=1e-6)
    assert max(expected) - min(expected) > 0.05  # the model distinguishes classes


def test_a_protocol_is_refused_for_a_model_of_another_shape() -> None:
    config = config_for(get_protocol("v1-k400"))

    with pytest.raises(CheckpointError, match="32 frames of 320 x 320") as caught:
        choose_protocol(config, EvalOptions(protocol="v1-k400-32f320"), Notes())
    with pytest.raises(UsageError, match="did you mean 'mm-k400'"):
        choose_protocol(config, EvalOptions(protocol="mm-k40"), Notes())
    with pytest.raises(UsageError, match="says how many clips"):
        choose_protocol(config, EvalOptions(protocol="mm-k400", clips=3), Notes())

    assert "v1-k400, v1-ssv2" in caught.value.hint


def test_another_protocol_than_that_of_the_checkpoint_is_said() -> None:
    config = config_for(get_protocol("v1-k400"))
    config = config.model_copy(update={"protocol": EvalSpec(clips=5, crops=3, protocol="v1-k400")})
    own, other, free = Notes(), Notes(), Notes()

    assert choose_protocol(config, EvalOptions(), own).name == "v1-k400"
    assert choose_protocol(config, EvalOptions(protocol="mm-k400"), other).name == "mm-k400"
    assert choose_protocol(config, EvalOptions(clips=1), free) == Protocol(1, 3)

    moved = config.model_copy(update={"stride_frames": 2})
    fallen, named = Notes(), Notes()
    assert choose_protocol(moved, EvalOptions(), fallen) == Protocol(5, 3)
    assert choose_protocol(moved, EvalOptions(protocol="v1-k400"), named).name == "v1-k400"

    assert "clips of another shape or stride; evaluating 5 x 3 views" in fallen.warned[0]
    assert "4 apart: 64 frames of the video; the model was trained on clips of" in named.warned[0]
    assert own.warned == []
    assert other.warned == [
        "the checkpoint was made for protocol v1-k400; evaluating mm-k400: 5 x 3 views"
    ]
    assert free.warned == ["the checkpoint was made for protocol v1-k400; evaluating 1 x 3 views"]
