"""The model inside a pretraining run that has not finished: its newest whole save, as it stands."""

from pathlib import Path

from videomae_cli.checkpoints.files import WEIGHTS_FILE, read_weights
from videomae_cli.checkpoints.loading import Loaded
from videomae_cli.checkpoints.report import place
from videomae_cli.config.recipes import load_recipe
from videomae_cli.engine.saves import newest
from videomae_cli.engine.state import read
from videomae_cli.errors import CheckpointError
from videomae_cli.tasks.build import expected_shapes, read_checkpoint
from videomae_cli.tasks.cards import card_for_pretrain
from videomae_cli.tasks.resume import RECIPE
from videomae_cli.tasks.runs import is_finished


def read_run(path: Path) -> Loaded:
    """Read a checkpoint; of a pretraining run still under way, its newest whole save.

    Raises:
        CheckpointError: As `read_checkpoint`, or the run has saved nothing yet.
    """
    if not (path / RECIPE).is_file() or is_finished(path):
        return read_checkpoint(path)
    recipe = load_recipe(str(path / RECIPE))
    if recipe.kind != "pretrain":
        return read_checkpoint(path)  # says that the run has not finished
    save, _ = newest(path / "checkpoints")
    if save is None:
        raise CheckpointError(f"{path} has saved nothing yet", "wait for its first save")
    card = card_for_pretrain(recipe).model_copy(update={"step": read(save).step})
    file = save / WEIGHTS_FILE
    weights, report = place(read_weights(file)[0], expected_shapes(card))
    return Loaded(weights, card, report, file, "native")
