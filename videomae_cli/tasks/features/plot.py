"""A map of videos by their features, in one HTML file without downloads.

Points are coloured by label; pointing at one shows its name and a small picture.

Shapes: V videos, D embedding dimension.
"""

import base64
import io
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import jinja2
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from videomae_cli import atomic
from videomae_cli.data.decode import read_frames, reference_decoder
from videomae_cli.data.decoding.channels import show_as_rgb
from videomae_cli.data.loader import load_each
from videomae_cli.data.manifest_rows import split_name
from videomae_cli.errors import DataError
from videomae_cli.report import Report, format_json, printable
from videomae_cli.tasks.features.nearest import average_videos
from videomae_cli.tasks.features.store import read_key
from videomae_cli.tasks.features.table import FeatureRow, read_features

PLOT = "plot.html"
Method = Literal["pca", "tsne"]
MAX_THUMBNAILS = 2000
THUMBNAIL, QUALITY = 72, 60  # pixels of the longer side; JPEG
PALETTE = "tab20"
TSNE_LIMIT = 20_000


class Thumbnails:
    """Small JPEG pictures of the middle frame of videos, as base64; "" if one cannot be read."""

    def __init__(self, rows: Sequence[FeatureRow], root: Path) -> None:
        self.rows, self.root = rows, root

    def path(self, number: int) -> Path:
        """Return the path of a video."""
        return self._locate(number)[0]

    def _locate(self, number: int) -> tuple[Path, int]:
        """Return the path of a video, and the number of its first frame in the file."""
        name = self.rows[number].path
        path, start = split_name(name)
        if path == name or (self.root / name).exists():
            return self.root / name, 0
        return self.root / path, start

    def __getitem__(self, number: int) -> str:
        row = self.rows[number]
        frames = [frame for clip in row.frames for frame in clip]
        path, start = self._locate(number)
        try:
            decoder = row.decoder or reference_decoder(path)  # tables of earlier versions have none
            middle = start + frames[len(frames) // 2]
            frames_1HWC = read_frames(path, [middle], decoder=decoder, channels=None)
        except DataError:
            return ""
        image = Image.fromarray(show_as_rgb(frames_1HWC)[0])
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        buffer = io.BytesIO()
        image.save(buffer, "jpeg", quality=QUALITY)
        return base64.b64encode(buffer.getvalue()).decode()


def write_plot(folder: Path, method: Method, report: Report, *, workers: int = 2) -> Path:
    """Write `plot.html` beside the features; return its path.

    At most `MAX_THUMBNAILS` videos, evenly spread over the list, have a picture.

    Raises:
        DataError: The directory is not complete, or has fewer than three videos.
    """
    stored = read_features(folder)
    table = average_videos(stored)
    videos = len(table.rows)
    if videos < 3:
        raise DataError(f"{folder}: a map needs at least 3 videos, there are {videos}")
    points_V2, note = project(table.feature, method)
    root = Path(str((read_key(folder) or {}).get("root", ".")))
    chosen = np.unique(np.linspace(0, videos - 1, min(videos, MAX_THUMBNAILS)).astype(int))
    pictures = [""] * videos
    report.start("reading pictures", total=len(chosen), unit="video")
    keys = [int(number) for number in chosen]
    thumbnails = Thumbnails(table.rows, root)
    for number, picture in zip(keys, load_each(thumbnails, keys, workers=workers), strict=True):
        pictures[number] = picture
        report.advance()
    report.finish()
    if videos > len(chosen):
        note += f"; {len(chosen):,} of {videos:,} videos have a picture"
    path = folder / PLOT
    atomic.write_text(path, _render(table.rows, points_V2, pictures, stored.facts, note))
    report.say(f"wrote {path}")
    return path


def project(feature_VD: NDArray[np.float32], method: Method) -> tuple[NDArray[np.float64], str]:
    """Return points in 0..1, (V, 2), and a sentence about them. The same features give the same."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    pca = PCA(min(50, *feature_VD.shape), svd_solver="full")
    with np.errstate(invalid="ignore"):  # equal features have no variance, and its shares are 0/0
        reduced = pca.fit_transform(feature_VD.astype(np.float64))
    share = float(np.nan_to_num(pca.explained_variance_ratio_[:2]).sum())
    note = f"PCA: the two axes contain {share:.0%} of the variance"
    if method == "tsne":
        videos = len(feature_VD)
        if videos > TSNE_LIMIT:
            raise DataError(
                f"t-SNE of {videos:,} videos takes hours (limit {TSNE_LIMIT:,})", "--plot pca"
            )
        perplexity = min(30.0, (videos - 1) / 3)
        tsne = TSNE(2, perplexity=perplexity, init=reduced[:, :2] / (reduced[:, 0].std() + 1e-12))
        reduced = tsne.set_params(random_state=0).fit_transform(reduced)
        note = f"t-SNE, perplexity {perplexity:g}: distances between groups mean little"
    points = np.zeros((len(reduced), 2))
    points[:, : reduced.shape[1]] = reduced[:, :2]
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    scaled: NDArray[np.float64] = (points - low) / np.where(span > 0, span, 1)
    return scaled, note


def _render(
    rows: Sequence[FeatureRow],
    points_V2: NDArray[np.float64],
    pictures: Sequence[str],
    facts: dict[str, Any],
    note: str,
) -> str:
    labels = sorted({row.label for row in rows if row.label is not None})
    names = {row.label: row.class_name for row in rows}
    colours = colormaps[PALETTE](np.linspace(0, 1, 20))[:, :3]
    order = [*range(0, 20, 2), *range(1, 20, 2)]  # strong colours first
    hexes = ["#" + "".join(f"{round(255 * c):02x}" for c in colours[place]) for place in order]
    legend = [(hexes[place % 20], printable(names[label])) for place, label in enumerate(labels)]
    data = {
        "x": [round(float(x), 4) for x in points_V2[:, 0]],
        "y": [round(float(y), 4) for y in points_V2[:, 1]],
        "label": [-1 if row.label is None else labels.index(row.label) for row in rows],
        "name": [printable(row.path) for row in rows],
        "split": [row.split for row in rows],
        "picture": list(pictures),
        "colour": hexes,
        "class": [name for _, name in legend],
    }
    template = files("videomae_cli.tasks.features").joinpath("plot.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    # "</script>" in a name must not end the script
    text = format_json(data, ensure_ascii=True).replace("<", "\\u003c")
    return environment.from_string(template).render(
        data=text, legend=legend, facts=facts, note=note, count=len(rows)
    )
