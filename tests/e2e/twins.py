"""Untouched runs to compare with: one for each kind and number of processes, made when asked for.

14 clips in batches of 4 are 3 steps an epoch; a batch is 4 micro-batches on one process and 2 on
each of two.
"""

from pathlib import Path

from tests.e2e.warm import Warm
from videomae_cli.engine.saving.store import newest_checkpoint

STEPS, BATCH = 8, 4
SETTINGS: dict[str, object] = {
    "schedule.steps": STEPS,
    "train.batch": BATCH,
    "train.micro_batch": 1,
    "train.save_every_steps": 4,
    "train.log_every_steps": 2,
    "train.keep": 2,
    "train.workers": 0,
}
OF_KIND: dict[str, dict[str, object]] = {
    "pretrain": {},
    "finetune": {"start": "scratch", "train.ema": 0.9},  # its recipe has Mixup, CutMix, dropout
}
RECIPES = {"pretrain": "micro.yaml", "finetune": "micro-finetune.yaml"}


class Twins:
    """Starts runs that are all alike, and makes the untouched ones.

    Args:
        folder: Where the untouched ones go.
        recipes: The folder of the micro recipes.
        data: Prepared data.
    """

    def __init__(self, folder: Path, recipes: Path, data: Path) -> None:
        self.folder, self.recipes, self.data = folder, recipes, data

    def started(self, kind: str, out: Path, **changes: object) -> list[str | Path]:
        """Return the command that starts a run; dots in keys of the recipe are `__` here."""
        words: list[str | Path] = [kind, "--recipe", self.recipes / RECIPES[kind]]
        changed = {key.replace("__", "."): value for key, value in changes.items()}
        for key, value in {**SETTINGS, **OF_KIND[kind], **changed}.items():
            words += ["--set", f"{key}={value}"]
        return [*words, "--data", self.data, "--out", out]

    def untouched(self, kind: str, world: int) -> Path:
        """Return the run of a kind on so many processes that nobody stopped."""
        run = self.folder / f"{kind}-{world}"
        if not run.exists():
            with Warm(self.folder / "output.txt") as warm:
                assert warm.run(self.started(kind, run), world=world) == [0] * world, warm.text()
        return run


def assert_same(run: Path, twin: Path) -> None:
    """Compare log, final weights and every file of the newest save, byte for byte."""
    last, _ = newest_checkpoint(twin / "checkpoints")
    assert last is not None
    saved = [f"checkpoints/{last.name}/{file.name}" for file in last.iterdir()]
    for name in ("metrics.jsonl", "final/model.safetensors", *saved):
        ours, its = ((each / name).read_bytes() for each in (run, twin))
        if name.startswith("final"):  # its header records the recipe
            ours = ours.replace(rb"\"workers\":2", rb"\"workers\":0")
        assert ours == its, name


def contents(run: Path) -> dict[Path, bytes]:
    """Return every file of a run but the lock, which names its last holder."""
    files = (path for path in run.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(run): path.read_bytes() for path in files}
