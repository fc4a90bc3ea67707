"""Check the paths of a list before any file is opened."""

import os
import re
import stat
from pathlib import Path

from videomae_cli.data.decoding.frame_series import has_images

MISSING = "no such file"
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/?/?.")


def find_path_problem(
    path: str, root: Path, required_parent: Path | None = None, *, follows_links: bool = True
) -> str:
    """Return why a listed path is rejected, or "" if it is a file or a folder with images.

    A relative path may not leave `root`, and without `follows_links` not by a link either.
    `required_parent` must contain the file even if the path is absolute; None allows any directory,
    as in VideoMAE's own lists.
    """
    if any(ord(letter) < 32 for letter in path):
        return "a control character in the path"
    if path.startswith("~"):
        return "~ is not expanded: write the whole path"
    if Path(os.path.normpath(path)).parts[:1] == ("..",):
        return "the path leaves its root by ..: write it relative to a --root that contains it"
    full = Path(os.path.abspath(root / path))  # noqa: PTH100  (resolve() would follow links)
    if required_parent is not None and not full.is_relative_to(required_parent.absolute()):
        return "the path is outside --root"
    is_bound = required_parent is not None or not Path(path).is_absolute()
    if not follows_links and is_bound and (target := _find_target(root / path, root)):
        return f"a link that leads out of the root, to {target}: --follow-links allows it"
    try:
        mode = (root / path).stat().st_mode
        if stat.S_ISDIR(mode):
            return "" if has_images(root / path) else "a folder without images: no video, no frames"
    except (FileNotFoundError, NotADirectoryError):
        return "a URL: download it first" if URL.match(path) else MISSING
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if stat.S_ISREG(mode) else "not a regular file"


def _find_target(path: Path, root: Path) -> str:
    """Return the real path of an existing file that links lead out of a folder to, or ""."""
    real = Path(os.path.realpath(path))
    is_inside = real.is_relative_to(os.path.realpath(root))
    return "" if is_inside or not real.exists() else str(real)
