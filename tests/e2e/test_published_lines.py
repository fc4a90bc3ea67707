"""Every command line of README.md, and of the pages on evaluation and features, runs as printed.

The lines run in their order, in a directory that has what they name: videos, runs, weights. Lines
that would train for days get a shorter schedule; those that need Kinetics-400 explain what to do.
"""

import re
import shlex
from pathlib import Path

import pytest

from tests.api.models import write_classifier
from tests.data.make_clips import write_clip
from tests.e2e.micro import make_data, write_recipes
from videomae_cli.checkpoints.native import write_native
from videomae_cli.cli import app
from videomae_cli.config.model_config import autoencoder_config
from videomae_cli.config.recipe_files import load_recipe
from videomae_cli.models.build import build_autoencoder

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```(sh|bash|python)\n(.*?)```", re.DOTALL)
SHORT = (
    "--set schedule.epochs=1 --set schedule.warmup_epochs=0 --set train.batch=4"
    " --set train.micro_batch=4 --set clip.size=32"
)
# words that are added to a line, so that it ends soon
ADDED = {
    "videomae finetune --recipe small-data-vits-finetune --data data/mine --checkpoint vits.pth": (
        SHORT
    ),
}
# exit codes of lines that need data which is not there
CODES = {
    "videomae pretrain --recipe k400-vitb": 3,
    "videomae pretrain --recipe my-recipe.yaml --set mask.ratio=0.75": 3,
    "videomae pretrain --recipe k400-vitb --data data/k400 --dry-run --price-per-hour 12": 3,
    "videomae pretrain --recipe k400-vitb --data data/k400 --out runs/first": 3,
    # the checkpoint here is of 32 pixels: protocols are for 224
    "videomae eval --checkpoint vitb.pth --data data/k400 --protocol mm-k400 --dump result.pkl": 4,
    "videomae eval --checkpoint vitb.pth --protocol v1-k400 --dry-run": 4,
}
ELSEWHERE = {"videomae demo": "tests/tasks/demo runs it"}


def lines_of(page: str) -> list[str]:
    """Return the command lines and the Python code of a page, in their order."""
    lines: list[str] = []
    for kind, text in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        if kind == "python":
            lines.append(text)
        else:
            typed = [line.split("  #")[0].strip() for line in text.splitlines()]
            lines += [line for line in typed if line.startswith("videomae ")]
    return lines


def write_small_data_weights(folder: Path) -> None:
    """Write random weights of the autoencoder of `small-data-vits`, in place of published ones."""
    config = autoencoder_config(load_recipe("small-data-vits"))
    write_native(folder, build_autoencoder(config).state_dict(), config)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with everything that the pages name."""
    folder = tmp_path_factory.mktemp("pages")
    for number in range(16):
        kind = ("jump", "run")[number % 2]
        write_clip(folder / "my-videos" / kind / f"{number}.mp4", 40, height=48, width=64)
        write_clip(folder / "data/videos" / kind / f"{number}.mp4", 20, height=40, width=56)
    write_clip(folder / "clip.mp4", 150, height=48, width=64)
    write_clip(folder / "clips/dog.mp4", 40, height=48, width=64)
    write_recipes(folder)
    make_data(folder / "micro")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        micro = ["--data", "micro/data"]
        assert app.run(["pretrain", "--recipe", "micro.yaml", *micro, "--out", "runs/first"]) == 0
        words = ["finetune", "--recipe", "micro-finetune.yaml", *micro, "--out"]
        assert app.run([*words, "runs/my-finetune", "--checkpoint", "runs/first"]) == 0
        assert app.run([*words, "runs/mine", "--checkpoint", "runs/first"]) == 0
        assert app.run(["convert", "runs/first", "checkpoint.pth", "--to", "v1"]) == 0
        words = ["eval", "--checkpoint", "runs/mine", "--clips", "1", "--dump", "result.pkl"]
        assert app.run(words) == 0
        assert app.run(["prepare", "data/videos", "--out", "data/mine"]) == 0
        write_classifier(folder / "weights/micro")
        assert app.run(["convert", "weights/micro", "vitb.pth", "--to", "v1"]) == 0
        write_small_data_weights(folder / "weights/vits")
        assert app.run(["convert", "weights/vits", "vits.pth", "--to", "v1"]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/evaluation.md", "docs/features.md"])
def test_every_line_of_a_page_runs(
    page: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    wrong = []
    for line in lines_of(page):
        if line in ELSEWHERE:
            continue
        if not line.startswith("videomae "):
            exec(compile(line, page, "exec"), {})
            continue
        words = [word.replace("~", str(place), 1) for word in shlex.split(line)[1:]]
        code = app.run([*words, *shlex.split(ADDED.get(line, ""))])
        if code != CODES.get(line, 0):
            wrong.append(f"{line}: exit code {code}: {capsys.readouterr().err[-300:]}")

    assert wrong == []


def test_every_exception_is_a_line_of_a_page() -> None:
    pages = ("README.md", "docs/evaluation.md", "docs/features.md")
    lines = {line for page in pages for line in lines_of(page)}

    assert {*ADDED, *CODES, *ELSEWHERE} - lines == set()
