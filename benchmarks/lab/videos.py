"""The videos of a seed, generated and prepared as `videomae prepare` does.

Below the directory of a seed:

data/unlabelled/     moving textured planes of `videomae demo`, as arrays of 16 pixels
data/few/            the first quarter of them
data/other/          out of domain: small objects that move straight before a still background
data/encoded/        planes again, as H.264 files of 128 pixels that have to be decoded
data/labelled-80/    the first 80 labelled planes for training, and all of test; and so on

Shapes: T frames, H height, W width, C = 3 channels.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from videomae_cli import __version__, atomic
from videomae_cli.data.manifest import DATASET, Manifest, read_manifest, write_manifest
from videomae_cli.report import Silence
from videomae_cli.rng import stream
from videomae_cli.tasks.demo.data import FIRST_TEST
from videomae_cli.tasks.demo.videos import (
    FRAMES,
    MOTIONS,
    SIDE,
    FrameArray,
    draw_parameters,
    motion_index,
    render_clip,
)
from videomae_cli.tasks.prepare import prepare
from videomae_cli.tasks.prepare.options import PrepareOptions

STORED_SIDE = 16
ENCODED_SIDE, FPS, QUANTISER = 128, 8, "22"
OBJECTS = (2, 4)  # fewest and most objects of an out-of-domain clip
RADIUS = (4.0, 8.0)  # pixels of 32
OBJECT_SPEED = (1.0, 3.0)  # pixels per frame


class VideoCounts(NamedTuple):
    """The number of videos of each kind."""

    unlabelled: int
    few: int
    encoded: int
    labels: tuple[int, ...]
    """For training, in ascending multiples of 8."""
    probe_labels: int
    """For training linear probes; one of `labels`."""
    test: int


FULL = VideoCounts(4000, 1000, 1000, (80, 320, 1280), 320, 1600)
QUICK = VideoCounts(16, 8, 32, (8, 16, 24), 16, 8)


def data_dir(folder: Path, name: str) -> Path:
    """Return the directory of prepared videos of a seed's directory."""
    return folder / "data" / name


def make_videos(folder: Path, counts: VideoCounts, seed: int, names: Collection[str]) -> None:
    """Generate and prepare the videos of a seed, except those that exist.

    Args:
        folder: The directory of the seed.
        counts: How many.
        seed: Of everything that is drawn.
        names: What is needed beside the unlabelled and the labelled planes.
    """
    planes = partial(_render_plane, stream_name="unlabelled", seed=seed)
    others = partial(_render_objects, seed=seed)
    encoded = partial(_render_plane, stream_name="encoded", seed=seed)
    labelled = partial(_render_plane, stream_name="labelled", seed=seed)
    _prepare_arrays(folder, "unlabelled", range(counts.unlabelled), planes)
    if "other" in names:
        _prepare_arrays(folder, "other", range(counts.unlabelled), others)
    if "encoded" in names:
        _prepare_encoded(folder, range(counts.encoded), encoded)
    tests = range(FIRST_TEST, FIRST_TEST + counts.test)
    numbers = [*range(max(counts.labels)), *tests]
    _prepare_arrays(folder, "labelled", numbers, labelled, is_labelled=True)
    unlabelled = read_manifest(data_dir(folder, "unlabelled"))
    _write_subset(unlabelled, data_dir(folder, "few"), counts.few)
    manifest = read_manifest(data_dir(folder, "labelled"))
    for labels in counts.labels:
        _write_subset(manifest, data_dir(folder, f"labelled-{labels}"), labels)


def _render_plane(number: int, *, stream_name: str, seed: int) -> FrameArray:
    """Return frames_THWC of 32 pixels of a moving plane; its class follows from its number."""
    rng = stream(seed, "lab", stream_name, number)
    return render_clip(draw_parameters(rng), motion_index(number))


def _render_objects(number: int, *, seed: int) -> FrameArray:
    """Return frames_THWC of textured discs that move straight before a still background."""
    rng = stream(seed, "lab", "other", number)

    def draw_texture() -> FrameArray:
        frame: FrameArray = render_clip(draw_parameters(rng), 0)[0]
        return frame

    frames_THWC = np.repeat(draw_texture()[None], FRAMES, axis=0)
    y_HW, x_HW = np.mgrid[:SIDE, :SIDE]
    for _ in range(rng.integers(OBJECTS[0], OBJECTS[1] + 1)):
        texture_HWC = draw_texture()
        radius, speed = rng.uniform(*RADIUS), rng.uniform(*OBJECT_SPEED)
        angle, middle_XY = rng.uniform(0, 2 * np.pi), rng.uniform(0, SIDE, 2)
        for time in range(FRAMES):
            path = speed * (time - (FRAMES - 1) / 2)
            x, y = middle_XY + path * np.array([np.cos(angle), np.sin(angle)])
            is_inside_HW = (x_HW - x) ** 2 + (y_HW - y) ** 2 < radius**2
            shifted_HWC = np.roll(texture_HWC, (round(y), round(x)), axis=(0, 1))
            frames_THWC[time][is_inside_HW] = shifted_HWC[is_inside_HW]
    return frames_THWC


def shrink(frames_THWC: FrameArray, side: int) -> FrameArray:
    """Return the frames with `side` pixels, each the mean of a square of pixels."""
    frames, height, width, channels = frames_THWC.shape
    factor = height // side
    squares = frames_THWC.reshape(frames, side, factor, width // factor, factor, channels)
    return squares.mean(axis=(2, 4)).round().astype(np.uint8)


def _prepare_arrays(
    folder: Path,
    name: str,
    numbers: Sequence[int],
    render: Callable[[int], FrameArray],
    *,
    is_labelled: bool = False,
) -> None:
    if _is_prepared(data_dir(folder, name)):
        return

    def write(number: int, path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, shrink(render(number), STORED_SIDE))

    _write_missing(folder / "videos" / name, numbers, ".npy", write)
    _prepare(folder, name, numbers, ".npy", is_labelled=is_labelled)


def _prepare_encoded(
    folder: Path, numbers: Sequence[int], render: Callable[[int], FrameArray]
) -> None:
    if _is_prepared(data_dir(folder, "encoded")):
        return
    factor = ENCODED_SIDE // SIDE

    def write(number: int, path: Path) -> None:
        _encode(path, render(number).repeat(factor, axis=1).repeat(factor, axis=2))

    _write_missing(folder / "videos" / "encoded", numbers, ".mp4", write)
    _prepare(folder, "encoded", numbers, ".mp4", is_labelled=False)


def _encode(path: Path, frames_THWC: FrameArray) -> None:
    """Write H.264 in MP4, as key frames only."""
    with av.open(str(path), "w", format="mp4") as container:
        track = container.add_stream("libx264", rate=FPS)
        track.height, track.width = frames_THWC.shape[1:3]
        track.pix_fmt = "yuv420p"
        track.codec_context.thread_count = 1
        track.options = {"preset": "ultrafast", "g": "1", "bf": "0", "qp": QUANTISER}
        for number, pixels_HWC in enumerate(frames_THWC):
            frame = av.VideoFrame.from_ndarray(pixels_HWC, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(track.encode(frame))
        container.mux(track.encode())


def _write_missing(
    folder: Path, numbers: Iterable[int], suffix: str, write: Callable[[int, Path], None]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        path = folder / f"{number:07d}{suffix}"
        if not path.is_file():
            partial_file = path.with_suffix(".partial")
            write(number, partial_file)
            partial_file.replace(path)


def _prepare(
    folder: Path, name: str, numbers: Sequence[int], suffix: str, *, is_labelled: bool
) -> None:
    """Write a list of the videos, and prepare it."""
    lines = ["path,label,split" if is_labelled else "path,split"]
    for number in numbers:
        label = f"{MOTIONS[motion_index(number)]}," if is_labelled else ""
        split = "test" if number >= FIRST_TEST else "train"
        lines.append(f"{number:07d}{suffix},{label}{split}")
    source = folder / "videos" / name / "list.csv"
    atomic.write_text(source, "\n".join(lines) + "\n")
    prepare.run(source, data_dir(folder, name), Silence(), PrepareOptions(workers=1))


def _write_subset(manifest: Manifest, directory: Path, count: int) -> None:
    """Write a data set of the first training videos, and all of test."""
    if not _is_prepared(directory):
        write_manifest(
            directory,
            root=manifest.root,
            videos=[*manifest.split("train")[:count], *manifest.split("test")],
            classes=manifest.classes,
            facts={"source": str(manifest.root), "versions": {"videomae": __version__}},
        )


def _is_prepared(directory: Path) -> bool:
    return (directory / DATASET).is_file()
