"""A small labelled folder of real video files, prepared once; recipes; processes at the ready."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.micro import make_data, write_recipes
from tests.e2e.twins import Twins
from tests.e2e.warm import Warm


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a prepared data set of 14 training and 6 validation clips in two classes."""
    return make_data(tmp_path_factory.mktemp("walk"))


@pytest.fixture(scope="session")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a micro pretraining and a micro fine-tuning recipe."""
    return write_recipes(tmp_path_factory.mktemp("recipes"))


@pytest.fixture(scope="session")
def twins(tmp_path_factory: pytest.TempPathFactory, recipes: Path, prepared: Path) -> Twins:
    """Return what starts runs that are all alike, with untouched ones to compare them with."""
    return Twins(tmp_path_factory.mktemp("twins"), recipes, prepared)


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[Warm]:
    """Return what starts commands without the wait for their imports."""
    with Warm(tmp_path / "output.txt") as started:
        yield started
