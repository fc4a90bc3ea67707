"""`videomae eval` and `videomae features`, killed again and again, write what they always write."""

import os
import random
from pathlib import Path

import pytest

from tests.e2e.kill_evaluation import Case, make_many_videos, read_all
from tests.e2e.micro import write_recipes
from tests.e2e.warm import Warm

KILLS = int(os.environ.get("KILLS", "3"))  # of each command; ten have been tried
pytestmark = pytest.mark.grid


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a prepared data set of 480 validation videos; one is missing."""
    return make_many_videos(tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Path:
    """Return a fine-tuned run."""
    folder = tmp_path_factory.mktemp("classifier")
    recipe = write_recipes(folder) / "micro-finetune.yaml"
    words = ["finetune", "--recipe", recipe, "--data", prepared, "--checkpoint", "scratch"]
    with Warm(folder / "output.txt") as warm:
        codes = warm.run([*words, "--out", folder / "run"])
        assert codes == [0], warm.text()[-3000:]
    return folder / "run"


def test_eval_killed_again_and_again_on_one_and_two_processes_gives_the_same_files(
    tmp_path: Path, many: Path, classifier: Path, warm: Warm
) -> None:
    words = ["eval", "--checkpoint", classifier, "--data", many, "--split", "val"]
    cases = [Case(words, tmp_path, "unfinished/[!.]*.npz", world, warm) for world in (1, 2)]

    for seed, case in enumerate(cases):
        case.kill(KILLS, random.Random(seed))
        assert case.count() > 0
        case.finish()

    assert read_all(cases[0].out) == read_all(cases[1].out)


@pytest.mark.parametrize("file_format", ["npz", "npy"])
def test_features_killed_again_and_again_on_one_and_two_processes_give_the_same_files(
    file_format: str, tmp_path: Path, many: Path, classifier: Path, warm: Warm
) -> None:
    words = ["features", "--checkpoint", classifier, "--data", many, "--format", file_format]
    cases = [Case(words, tmp_path, "[!.]*.npz", world, warm) for world in (1, 2)]

    for seed, case in enumerate(cases):
        case.kill(KILLS, random.Random(seed))
        assert case.count() > 0
        case.finish(code=3)  # one video is missing, and named

    assert read_all(cases[0].out) == read_all(cases[1].out)
    assert len((cases[0].out / "rejected.csv").read_text().splitlines()) == 2
