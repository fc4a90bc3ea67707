"""The names of the files that are written, each from the path of its source."""

import hashlib
import os
from pathlib import Path

from videomae_cli.data.manifest_rows import Video
from videomae_cli.data.transcoding.forms import FORMS

FOLDER = "videos"
OUTSIDE = "outside-root"
MAX_NAME_BYTES = 200  # file systems allow 255; the hidden name while a file is written is longer


def find_output_name(path: str, root: Path, suffix: str) -> str:
    """Return the path of an output, relative to the prepared directory.

    A source below the root keeps its path and its whole name. One outside it goes to a folder that
    is named by a digest of its absolute path.
    """
    full = Path(os.path.abspath(root / path))  # noqa: PTH100  (resolve() would follow links)
    base = Path(os.path.abspath(root))  # noqa: PTH100
    if full != base and full.is_relative_to(base):
        relative = full.relative_to(base)
    else:
        relative = Path(OUTSIDE, _digest(str(full)), full.name)
    if len(os.fsencode(relative.name)) > MAX_NAME_BYTES:
        relative = relative.with_name(_digest(relative.name))
    return f"{FOLDER}/{relative.as_posix()}{suffix}"


def find_source_name(video: Video) -> str:
    """Return the path that the source of a written video had; that of another video as it is."""
    suffixes = {form.suffix for form in FORMS.values() if form.decoder == video.decoder}
    if not suffixes or not video.path.startswith(f"{FOLDER}/"):
        return video.path
    return video.path.removeprefix(f"{FOLDER}/").removesuffix(suffixes.pop())


def _digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:32]
