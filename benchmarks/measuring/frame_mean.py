"""The loss of predicting the mean of each frame: the plateau of raw targets."""

import numpy as np

from videomae_cli.config.schema import PretrainRecipe
from videomae_cli.data.dataset import PretrainClips
from videomae_cli.data.manifest import read_manifest
from videomae_cli.data.time_sampling import with_times


def measure_frame_variance(recipe: PretrainRecipe, clips: int = 256) -> float:
    """Return the mean squared error of predicting the mean of each frame and channel.

    Pixels are in 0..1, as raw targets are.

    Args:
        recipe: Its data, clips and augmentation are used.
        clips: Number of training clips, in several epochs if there are fewer videos.
    """
    assert recipe.data is not None
    manifest = with_times(read_manifest(recipe.data))
    videos = manifest.split("train")
    data = PretrainClips(
        videos, manifest.root, recipe.clip, recipe.augment, recipe.seed, manifest.times
    )
    variances = []
    for number in range(clips):
        clip_CTHW = data[divmod(number, len(videos))].clip[0].float() / 255
        variances.append(float(clip_CTHW.var(dim=(2, 3), correction=0).mean()))
    return float(np.mean(variances))
