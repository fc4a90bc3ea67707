"""`clip.mean: measured` and `clip.std: measured`: the numbers that `prepare` measured.

They are read when a run starts, and stand as numbers in its `recipe.yaml`, so a resumed run has the
same ones.
"""

from typing import cast

from videomae_cli.config.clip import MEASURED
from videomae_cli.config.schema import AnyRecipe
from videomae_cli.data.manifest import Manifest
from videomae_cli.data.pixel_statistics import PixelStatistics, read_statistics
from videomae_cli.errors import DataError, RecipeError
from videomae_cli.report import Report


def resolve_statistics(recipe: AnyRecipe, manifest: Manifest, report: Report) -> AnyRecipe:
    """Return the recipe with numbers for `clip.mean` and `clip.std`.

    Raises:
        RecipeError: The data have other channels than `clip.channels`.
        DataError: The data were prepared before statistics were measured.
    """
    if manifest.folder is None:
        return recipe
    statistics = read_statistics(manifest.folder)
    clip = recipe.clip
    _require_channels(clip.channels, statistics.channels, manifest)
    names = [name for name in ("mean", "std") if getattr(clip, name) == MEASURED]
    if not names:
        return recipe
    values = dict(zip(("mean", "std"), _select(statistics, clip.channels, manifest), strict=True))
    changes = {name: values[name] for name in names}
    for name, numbers in changes.items():
        report.say(f"clip.{name}: measured: {', '.join(f'{number:g}' for number in numbers)}")
    resolved = recipe.model_copy(update={"clip": clip.model_copy(update=changes)})
    return cast(AnyRecipe, resolved)


def _select(
    statistics: PixelStatistics, channels: int, manifest: Manifest
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    selected = statistics.select(channels)
    if selected is None:
        raise DataError(
            f"clip.mean and clip.std: measured: {manifest.folder} has no statistics of its pixels",
            "run videomae prepare again: this version measures them; or give numbers, such as"
            " --set clip.mean=[0.45] for grey clips",
        )
    if min(selected[1]) <= 0:
        raise DataError(
            f"clip.std: measured: a channel of {manifest.folder} has a standard deviation of 0: all"
            " its pixels are equal",
            "give numbers: --set clip.std=[...]",
        )
    return selected


def _require_channels(channels: int, stored: int, manifest: Manifest) -> None:
    if channels == stored or {channels, stored} == {1, 3}:
        return
    possible = {1: "1 (as stored) or 3", 3: "3 (RGB) or 1 (grey)"}
    raise RecipeError(
        f"clip.channels: {channels}: the frames of {manifest.folder} have {stored}",
        f"use {possible.get(stored, stored)}; other numbers need folders of .npy frames (uint8,"
        " height x width x channels)",
    )
