"""The picture in the README is small, and the script draws the same one again."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

DOCS = Path(__file__).resolve().parent.parent / "docs"


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("masks", DOCS / "masks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_small() -> None:
    assert (DOCS / "masks.png").stat().st_size < 250_000


@pytest.mark.slow
def test_the_picture_is_what_the_script_draws(tmp_path: Path) -> None:
    script = _script()

    script.draw_picture(tmp_path / "masks.png", tmp_path / "synthetic video.mp4")

    pictures = []
    for path in (tmp_path / "masks.png", DOCS / "masks.png"):
        with Image.open(path) as image:
            pictures.append(np.asarray(image.convert("RGB")).astype(int))
    assert pictures[0].shape == pictures[1].shape
    # another video encoder may round differently; an outdated picture differs in whole tokens
    assert np.abs(pictures[0] - pictures[1]).mean() < 1
